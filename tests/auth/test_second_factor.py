"""One-time codes: turned on by one, asked for at every sign-in, each good once."""

import re
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest

from contactapp import clock
from contactapp.database import Sql, lane
from tests.auth.test_every_sign_in import each_sign_in, sent_as, sign_in, token_of
from tests.auth.test_every_sign_in import refused as told
from tests.support.cast import PASSWORD, Person, refused
from tests.support.stored import issue_link, set_user

_ROWS = Sql(
    "SELECT sealed FROM second_factor WHERE user_id = ? "
    "UNION ALL SELECT hash FROM recovery_code WHERE user_id = ?"
)


@pytest.fixture(autouse=True)
def moment(monkeypatch):
    """The clock stands still until `moment.pass_()`."""

    class Moment:
        now = clock.now_ms()

        def pass_(self, seconds=30):
            self.now += seconds * 1000

    moment = Moment()
    monkeypatch.setattr(clock, "now_ms", lambda: moment.now)
    return moment


def code_of(secret):
    return pyotp.TOTP(secret).at(clock.now_ms() // 1000)


def turn_on(person, moment):
    """(secret, recovery codes); the code of this moment is not spent."""
    secret = person.post("/auth/totp", json={"password": PASSWORD}).json["secret"]
    answer = person.post("/auth/totp/confirm", json={"code": code_of(secret)})
    assert answer.status_code == 200, answer.text
    moment.pass_()
    return secret, answer.json["recovery_codes"]


def try_with(person, otp=None, password=PASSWORD):
    fields = {"email": person.email, "password": password} | ({"otp": otp} if otp else {})
    return person.app.test_client().post("/api/v1/auth/token", json=fields)


def test_it_counts_once_a_code_of_the_authenticator_came_back(alice, moment):
    begun = alice.post("/auth/totp", json={"password": PASSWORD})
    assert begun.status_code == 201
    secret = begun.json["secret"]
    read = pyotp.parse_uri(begun.json["otpauth_uri"])
    assert (read.secret, read.name, read.issuer) == (secret, alice.email, "contactapp")
    assert re.match(r"<svg .*</svg>", begun.json["qr_svg"], re.S)
    assert try_with(alice).status_code == 200  # nothing is asked for yet
    assert alice.get("/auth/totp").json["enabled"] is False
    answer = alice.post("/auth/totp/confirm", json={"code": code_of(secret)})
    codes = answer.json["recovery_codes"]
    assert len(set(codes)) == 10
    state = alice.get("/auth/totp").json
    assert (state["enabled"], state["recovery_codes_left"]) == (True, 10)
    kinds = [item["kind"] for item in alice.get("/audit").json["items"]]
    assert "totp_enabled" in kinds


def test_what_is_wrong_with_it_is_told(alice, moment):
    refused(alice.post("/auth/totp", json={"password": "a wrong one"}), 403, "wrong_password")
    refused(alice.post("/auth/totp/confirm", json={"code": "123456"}), 409, "totp_not_begun")
    secret = alice.post("/auth/totp", json={"password": PASSWORD}).json["secret"]
    answer = alice.post("/auth/totp/confirm", json={"code": "x"})
    refused(answer, 422, "invalid_fields")
    assert answer.json["errors"][0]["pointer"] == "/code"
    alice.post("/auth/totp/confirm", json={"code": code_of(secret)})
    refused(alice.post("/auth/totp", json={"password": PASSWORD}), 409, "totp_active")
    refused(alice.post("/auth/totp/confirm", json={"code": "123456"}), 409, "totp_active")


def test_other_sessions_end_when_it_is_turned_on(alice, moment):
    other = alice.access
    alice.sign_in()
    turn_on(alice, moment)
    assert alice.get("/users/me").status_code == 200
    alice.access = other
    assert alice.get("/users/me").status_code == 401


@each_sign_in
def test_every_sign_in_asks_for_it(app, moment, path, kind):
    ann = Person(app, "ann")
    secret, codes = turn_on(ann, moment)
    told(sign_in(app, path, kind, ann.name), 401, "otp_required")
    told(sign_in(app, path, kind, ann.name, "a wrong one"), 401, "invalid_credentials")

    def send(otp):
        fields = {"username": ann.name, "password": PASSWORD, "otp": otp}
        return app.test_client().post(path, **sent_as(kind, fields))

    told(send("000000" if code_of(secret) != "000000" else "111111"), 401, "invalid_otp")
    token_of(send(code_of(secret)))
    token_of(send(codes[0]))


def test_a_code_opens_one_session(alice, moment):
    secret, codes = turn_on(alice, moment)
    spent = code_of(secret)
    assert try_with(alice, spent).status_code == 200
    refused(try_with(alice, spent), 401, "invalid_otp")
    moment.pass_()
    assert try_with(alice, f" {code_of(secret)[:3]} {code_of(secret)[3:]}").status_code == 200
    refused(try_with(alice, pyotp.TOTP(secret).at(clock.now_ms() // 1000 - 30)), 401, "invalid_otp")
    assert try_with(alice, codes[3].upper().replace("-", " ")).status_code == 200
    refused(try_with(alice, codes[3]), 401, "invalid_otp")
    alice.access = try_with(alice, codes[4]).json["access_token"]
    assert alice.get("/auth/totp").json["recovery_codes_left"] == 8
    events = alice.get("/audit?kind=recovery_code_used").json["items"]
    assert [event["details"]["left"] for event in events] == [8, 9]


def test_the_code_that_turned_it_on_opens_nothing(alice, moment):
    secret = alice.post("/auth/totp", json={"password": PASSWORD}).json["secret"]
    alice.post("/auth/totp/confirm", json={"code": code_of(secret)})
    refused(try_with(alice, code_of(secret)), 401, "invalid_otp")


@pytest.mark.parametrize("seconds", [-30, 30])
def test_a_telephones_clock_may_be_half_a_minute_off(alice, moment, seconds):
    secret, _ = turn_on(alice, moment)
    moment.pass_()
    code = pyotp.TOTP(secret).at(clock.now_ms() // 1000 + seconds)
    assert try_with(alice, code).status_code == 200
    far = pyotp.TOTP(secret).at(clock.now_ms() // 1000 + 90)
    refused(try_with(alice, far), 401, "invalid_otp")


def test_one_code_used_at_once_opens_one_session(alice, moment):
    secret, _ = turn_on(alice, moment)
    code = code_of(secret)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: try_with(alice, code), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


# RL-5
def test_of_fifty_guesses_at_once_five_are_checked(alice, moment):
    secret, _ = turn_on(alice, moment)
    wrong = [f"{n:06}" for n in range(60) if f"{n:06}" != code_of(secret)][:50]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda guess: try_with(alice, guess), wrong))
    assert [a.json["code"] for a in answers].count("invalid_otp") == 5
    assert {a.status_code for a in answers} == {401, 429}
    answer = try_with(alice, code_of(secret))
    refused(answer, 429, "rate_limited")


def test_guesses_to_turn_it_on_are_counted_too(alice, moment):
    alice.post("/auth/totp", json={"password": PASSWORD})
    statuses = [
        alice.post("/auth/totp/confirm", json={"code": f"x{n}"}).status_code for n in range(6)
    ]
    assert statuses == [422] * 5 + [429]


def test_the_password_turns_it_off(alice, moment):
    turn_on(alice, moment)
    refused(alice.delete("/auth/totp", json={"password": "a wrong one"}), 403, "wrong_password")
    assert alice.delete("/auth/totp", json={"password": PASSWORD}).status_code == 204
    assert try_with(alice).status_code == 200
    refused(alice.delete("/auth/totp", json={"password": PASSWORD}), 404, "not_found")


# PR-3
def test_nothing_that_opens_is_readable_in_the_database(alice, moment):
    secret, codes = turn_on(alice, moment)
    with alice.app.app_context():
        stored = b"".join(row[0] for row in lane().all(_ROWS, (alice.id, alice.id)))
    assert stored
    for text in (secret, *codes):
        assert text.encode() not in stored
        assert text.replace("-", "").encode() not in stored


def test_an_admin_without_one_is_a_user_where_the_setting_says_so(new_app, moment):
    app = new_app("sqlite", ADMIN_SECOND_FACTOR="true")
    admin = Person(app, "root", role="admin")
    refused(admin.get("/users"), 403, "second_factor_required")
    assert admin.get("/users/me").status_code == 200
    Person(app, "ann")
    assert {item["user_id"] for item in admin.get("/audit").json["items"]} <= {admin.id, None}
    turn_on(admin, moment)
    assert admin.get("/users").status_code == 200


# AU-8
@pytest.mark.parametrize("proven", [False, True])
def test_a_reset_by_mail_leaves_that_of_a_proven_owner_alone(alice, moment, proven):
    """Somebody may have made the account for another's address; a mailbox alone is one factor."""
    turn_on(alice, moment)
    set_user(alice.app, alice.id, email_verified=proven)
    new = "a quite different phrase"
    body = {"token": issue_link(alice.app, alice.id, "reset"), "new_password": new}
    assert alice.app.test_client().post("/api/v1/auth/password/reset", json=body).status_code == 200
    assert try_with(alice, password=new).status_code == (401 if proven else 200)


def test_an_erased_account_leaves_none(alice, moment):
    turn_on(alice, moment)
    assert alice.post("/users/me/delete", json={"password": PASSWORD}).status_code == 204
    with alice.app.app_context():
        assert lane().all(_ROWS, (alice.id, alice.id)) == []
