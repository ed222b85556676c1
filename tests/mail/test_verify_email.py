"""Proving an address by the link or the code that was mailed to it."""

import uuid

import pytest

from contactapp import clock
from contactapp.auth import links
from contactapp.database import Sql, lane
from tests.mail.conftest import BASE, assert_refused, idle
from tests.support.cast import PASSWORD, Person

VERIFY = "/auth/verify-email"


def verified(person):
    return person.get("/users/me").json["email_verified"]


def later(monkeypatch, seconds):
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now + int(seconds * 1000))


def test_registering_mails_a_link_and_a_code(ann, post_office):
    letter = post_office.wait(ann.email)
    assert letter.subject == "Confirm your e-mail address"
    assert letter.link.startswith(f"{BASE}/account/verify?token=")
    assert letter.link in letter.html
    assert letter.code in letter.html
    assert ann.name in letter.text
    assert verified(ann) is False


# EM-4
def test_opening_the_link_shows_a_button_and_spends_nothing(ann, post_office, visitor):
    letter = post_office.wait(ann.email)
    for method in ("GET", "GET", "HEAD"):
        page = visitor.client.open(letter.path, method=method)
        assert page.status_code == 200
    page = visitor.client.get(letter.path)
    assert page.mimetype == "text/html"
    assert f'value="{letter.token}"' in page.text
    assert "script" not in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert verified(ann) is False


def test_the_button_confirms_the_address(ann, post_office, visitor):
    letter = post_office.wait(ann.email)
    form = {"token": letter.token, "password": PASSWORD}
    page = visitor.client.post("/account/verify", data=form)
    assert page.status_code == 200
    assert "Your address is confirmed. You can sign in." in page.text
    assert verified(ann) is True
    again = visitor.client.post("/account/verify", data=form)
    assert again.status_code == 400
    assert "spent" in again.text


def test_a_token_is_good_once(app, post_office, visitor, ann):
    token = post_office.wait(ann.email).token
    answer = visitor.post(VERIFY, {"token": token, "password": PASSWORD})
    assert (answer.status_code, answer.json["needs_password"]) == (200, False)
    assert verified(ann) is True
    assert_refused(visitor.post(VERIFY, {"token": token}), "invalid_link")


def test_the_code_does_the_same(ann, post_office, visitor):
    code = post_office.wait(ann.email).code
    body = {"email": ann.email, "code": code, "password": PASSWORD}
    assert visitor.post(VERIFY, body).status_code == 200
    assert verified(ann) is True
    assert_refused(visitor.post(VERIFY, body), "invalid_link")


def test_only_the_newest_mail_counts(ann, post_office, visitor):
    first = post_office.wait(ann.email)
    assert visitor.post(f"{VERIFY}/resend", {"email": ann.email}).status_code == 202
    second = post_office.wait(ann.email, 2)
    assert first.token != second.token
    assert_refused(visitor.post(VERIFY, {"token": first.token}), "invalid_link")
    old = {"email": ann.email, "code": first.code}
    if first.code != second.code:
        assert_refused(visitor.post(VERIFY, old), "invalid_link")
    assert visitor.post(VERIFY, {"token": second.token, "password": PASSWORD}).status_code == 200


# RL-5
def test_a_code_may_be_tried_five_times(ann, post_office, visitor):
    letter = post_office.wait(ann.email)
    wrong = f"{(int(letter.code) + 1) % 1_000_000:06}"
    for _ in range(5):
        assert_refused(visitor.post(VERIFY, {"email": ann.email, "code": wrong}), "invalid_link")
    right = {"email": ann.email, "code": letter.code}
    assert_refused(visitor.post(VERIFY, right), "invalid_link")
    assert visitor.post(VERIFY, {"token": letter.token, "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize(
    ("what", "seconds"), [("code", links.CODE_MS / 1000), ("token", 24 * 3600)]
)
def test_a_link_lasts_a_day_and_a_code_a_quarter_of_an_hour(
    ann, post_office, visitor, monkeypatch, what, seconds
):
    letter = post_office.wait(ann.email)
    body = {"token": letter.token} if what == "token" else {"email": ann.email, "code": letter.code}
    body["password"] = PASSWORD
    with monkeypatch.context() as future:
        later(future, seconds)
        assert_refused(visitor.post(VERIFY, body), "invalid_link")
    with monkeypatch.context() as future:
        later(future, seconds - 60)
        assert visitor.post(VERIFY, body).status_code == 200


@pytest.mark.parametrize(
    "token", ["", "x", "1-" + "A" * 43, "99999999999999999999-" + "A" * 43, "1-é" + "A" * 42]
)
def test_what_is_no_token_of_ours_is_refused(visitor, token):
    assert_refused(visitor.post(VERIFY, {"token": token}), "invalid_link")


def test_a_changed_token_is_refused(ann, post_office, visitor):
    token = post_office.wait(ann.email).token
    for place in (0, -1):
        other = list(token)
        other[place] = "7" if token[place] != "7" else "8"
        assert_refused(visitor.post(VERIFY, {"token": "".join(other)}), "invalid_link")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": "x", "code": "123456", "email": "a@example.com"},
        {"email": "a@example.com"},
        {"code": "123456"},
        {"token": "x", "email": "a@example.com"},
    ],
)
def test_either_a_token_or_an_address_and_a_code(visitor, body):
    assert_refused(visitor.post(VERIFY, body), "invalid_fields", 422)


# AU-8
@pytest.mark.parametrize("way", ["token", "code"])
def test_who_proves_the_mailbox_gets_rid_of_whoever_registered_it(app, post_office, visitor, way):
    thief = Person(app, "thief")
    letter = post_office.wait(thief.email)
    visitor.post("/auth/password/forgot", {"email": thief.email})
    pending = post_office.wait(thief.email, subject="new password")
    body = {"email": thief.email, "code": letter.code}
    answer = visitor.post(VERIFY, {"token": letter.token} if way == "token" else body)
    assert (answer.status_code, answer.json["needs_password"]) == (200, True)
    assert thief.get("/users/me").status_code == 401
    assert_refused(
        visitor.post("/auth/refresh", {"refresh_token": thief.refresh}), "invalid_token", 401
    )
    assert visitor.sign_in(thief) == 401
    late = {"token": pending.token, "new_password": "another long phrase"}
    assert_refused(visitor.post("/auth/password/reset", late), "invalid_link")
    fresh = post_office.wait(thief.email, 2, subject="new password")
    new = {"token": fresh.token, "new_password": "the owner's own phrase"}
    assert visitor.post("/auth/password/reset", new).status_code == 200
    assert visitor.sign_in(thief, "the owner's own phrase") == 200


# AU-8
def test_who_is_signed_in_and_opens_the_link_keeps_everything(ann, post_office, visitor):
    letter = post_office.wait(ann.email)
    answer = ann.post(VERIFY, json={"token": letter.token})
    assert (answer.status_code, answer.json["needs_password"]) == (200, False)
    assert verified(ann) is True
    assert visitor.sign_in(ann) == 200


# AU-8
def test_another_persons_sign_in_proves_nothing(app, ann, post_office, visitor):
    other = Person(app, "other")
    letter = post_office.wait(ann.email)
    answer = other.post(VERIFY, json={"token": letter.token})
    assert answer.json["needs_password"] is True
    assert ann.get("/users/me").status_code == 401


def test_who_never_signed_in_may_do_so_after_confirming(app, post_office, visitor):
    email = f"New.Comer+{uuid.uuid4().hex[:12]}@example.com"
    fields = {"email": email, "password": PASSWORD}
    assert visitor.post("/auth/register", fields).status_code == 201
    letter = post_office.wait(email)
    assert visitor.post(VERIFY, {"token": letter.token}).json["needs_password"] is False
    assert visitor.post("/auth/token", fields).status_code == 200


# EM-2, AU-1
def test_asking_again_says_the_same_to_everybody_and_mails_only_who_needs_it(
    app, ann, post_office, visitor
):
    token = post_office.wait(ann.email).token
    known = visitor.post(f"{VERIFY}/resend", {"email": ann.email})
    unknown = visitor.post(f"{VERIFY}/resend", {"email": "nobody@example.com"})
    assert (known.status_code, known.data) == (unknown.status_code, unknown.data)
    assert known.status_code == 202
    post_office.wait(ann.email, 2)
    assert_refused(visitor.post(VERIFY, {"token": token}), "invalid_link")
    ann.post(VERIFY, json={"token": post_office.wait(ann.email, 2).token})
    visitor.post(f"{VERIFY}/resend", {"email": ann.email})
    idle(app)
    assert len(post_office.to(ann.email)) == 2
    assert post_office.to("nobody@example.com") == []


# EM-2
def test_an_account_gets_five_mails_a_day(app, ann, post_office, visitor):
    for _ in range(8):
        assert visitor.post("/auth/password/forgot", {"email": ann.email}).status_code == 202
        assert visitor.post(f"{VERIFY}/resend", {"email": ann.email}).status_code == 202
    idle(app)
    with app.app_context():
        made = lane().one(Sql("SELECT count(*) FROM link WHERE user_id = ?"), (ann.id,))
    assert made == (5,)
    assert 1 <= len(post_office.to(ann.email)) <= 5  # what is replaced at once is not mailed


# EM-1
@pytest.mark.parametrize("name", ["X-Forwarded-Host", "Forwarded", "X-Forwarded-For"])
def test_no_header_chooses_where_the_link_leads(app, post_office, visitor, ann, name):
    value = "host=evil.example" if name == "Forwarded" else "evil.example"
    headers = {name: value}
    visitor.post("/auth/password/forgot", {"email": ann.email}, headers)
    letter = post_office.wait(ann.email, subject="new password")
    assert letter.link.startswith(f"{BASE}/account/reset?token=")
    assert "evil" not in letter.raw.decode()
