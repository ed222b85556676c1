"""User management with key-value data: accounts and sign-in."""

import pytest

from contactapp import clock
from contactapp.compat.key_value_errors import CODES
from tests.support.cast import PASSWORD as PHRASE
from tests.support.engines import on_one_engine
from tests.support.key_values import PASSWORD, bearer, new_user, signed_in, token_of, told
from tests.support.stored import set_user

# The system's own example, to the letter.
SAMPLE = {
    "username": "example_user",
    "email": "user@example.com",
    "password": "secure_password123",
    "full_name": "John Doe",
    "age": 30,
    "gender": "male",
}


def register(client, **fields):
    return client.post("/api/register", json=new_user(**fields))


def exactly(answer, code):
    """The system's own message and nothing after it."""
    assert told(answer, CODES[code].status, code) == CODES[code].message


@pytest.mark.parametrize("path", ["/api/register", "/api/register/"])
def test_a_registration_answers_the_account(client, path):
    body = new_user()
    answer = client.post(path, json=body)
    assert answer.status_code == 201
    assert answer.json["status"] == "success"
    assert answer.json["message"] == "User successfully registered!"
    data = answer.json["data"]
    assert data.pop("user_id") > 0
    assert data == {name: body[name] for name in body if name != "password"}


def test_its_own_sample_breaks_its_own_rule_for_passwords(new_app):
    client = new_app("sqlite").test_client()
    exactly(client.post("/api/register", json=SAMPLE), "INVALID_PASSWORD")
    sample = {**SAMPLE, "password": "Secure_password123"}
    answer = client.post("/api/register", json=sample)
    assert answer.json["data"].items() >= {**sample, "password": None}.items() - {
        ("password", None)
    }
    assert (
        client.get("/api/v1/auth/me", headers=bearer(signed_in(client, sample))).json["age"] == 30
    )


@on_one_engine
@pytest.mark.parametrize("name", ["username", "email", "password", "full_name"])
@pytest.mark.parametrize("value", [..., None, "", "  ", 5, [], {}])
def test_what_is_required_must_be_there(client, name, value):
    exactly(register(client, **{name: value}), "INVALID_REQUEST")


@pytest.mark.parametrize(
    "password", ["Sh0rt_a", "no_upper_123", "NO_LOWER_123", "No_digits_x", "NoOther1234", "x" * 999]
)
def test_a_password_is_mixed(client, password):
    exactly(register(client, password=password), "INVALID_PASSWORD")


# AU-5
@pytest.mark.parametrize("password", ["Contactapp_1", "P@ssw0rd", "Aa1_" * 100])
def test_the_apis_own_rules_for_passwords_hold_too(client, password):
    message = told(register(client, password=password), 400, "INVALID_PASSWORD")
    assert len(message) > len(CODES["INVALID_PASSWORD"].message)


@pytest.mark.parametrize("age", [0, -1, 1.5, 30.0, "30", True, None, [], 2**40, 2**60, 151])
def test_an_age_is_a_positive_integer(client, age):
    message = told(register(client, age=age), 400, "INVALID_AGE", CODES["INVALID_AGE"].message)
    of_the_apis = age in (2**40, 2**60, 151)
    assert (message != CODES["INVALID_AGE"].message) == of_the_apis


def test_an_age_may_be_left_out(client):
    assert register(client, age=...).json["data"]["age"] is None


@pytest.mark.parametrize("gender", [..., None, "", " ", 1, True])
def test_a_gender_is_required(client, gender):
    exactly(register(client, gender=gender), "GENDER_REQUIRED")


def test_what_the_api_does_not_take_is_named(client):
    for name, value in (
        ("username", "a@b"),
        ("email", "nobody"),
        ("full_name", "x" * 201),
        ("username", "x" * 65),
    ):
        answer = register(client, **{name: value})
        told(answer, 400, "INVALID_REQUEST", f"Invalid request. {name}: ")
    told(register(client, gender="x" * 51), 400, "GENDER_REQUIRED")


def test_a_taken_name_or_address_is_told(client):
    body = new_user()
    assert client.post("/api/register", json=body).status_code == 201
    exactly(register(client, username=body["username"].upper()), "USERNAME_EXISTS")
    exactly(register(client, email=body["email"].upper()), "EMAIL_EXISTS")
    exactly(client.post("/api/register", json=body), "USERNAME_EXISTS")


def test_the_first_of_several_faults_is_told(client):
    taken = new_user()
    assert client.post("/api/register", json=taken).status_code == 201
    body = {**taken, "password": "weak", "age": -1, "full_name": None}
    del body["gender"]
    for code, mended in (
        ("INVALID_REQUEST", {"full_name": "John Doe"}),
        ("USERNAME_EXISTS", {"username": new_user()["username"]}),
        ("EMAIL_EXISTS", {"email": new_user()["email"]}),
        ("INVALID_PASSWORD", {"password": "P@ssw0rd"}),  # mixed, but one of the commonest
        ("INVALID_PASSWORD", {"password": PASSWORD}),
        ("INVALID_AGE", {"age": 30}),
        ("GENDER_REQUIRED", {"gender": "female"}),
    ):
        told(client.post("/api/register", json=body), CODES[code].status, code)
        body |= mended
    assert client.post("/api/register", json=body).status_code == 201


# AZ-4
def test_nothing_but_its_own_names_reaches_the_account(app, client):
    body = new_user(role="admin", email_verified=True, contact_limit=0, timezone=5, id=1, x={})
    me = client.get("/api/v1/auth/me", headers=bearer(token_of(client, body))).json
    assert (me["role"], me["email_verified"], me["timezone"]) == ("user", False, None)
    assert me["contact_limit"] == app.extensions["contactapp.settings"].contact_limit


# AU-3
@pytest.mark.parametrize("path", ["/api/register", "/api/v1/auth/register"])
def test_an_address_may_register_only_so_often_whichever_way(new_app, path):
    client = new_app("sqlite", REGISTER_RATE_LIMITS="2 per hour").test_client()
    for first in ("/api/v1/auth/register", "/api/register"):
        assert client.post(first, json=new_user()).status_code == 201
    answer = client.post(path, json=new_user())
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600


@pytest.mark.parametrize("path", ["/api/token", "/api/token/"])
@pytest.mark.parametrize("kind", ["json", "data"])
def test_a_sign_in_answers_a_token_and_its_true_life(client, path, kind):
    body = new_user()
    client.post("/api/register", json=body)
    for login in (body["username"], body["username"].upper(), body["email"]):
        sent = {kind: {"username": login, "password": PASSWORD}}
        answer = client.post(path, **sent)
        assert answer.status_code == 200
        assert answer.json.keys() == {"status", "message", "data"}
        assert answer.json["status"] == "success"
        assert answer.json["message"] == "Access token generated successfully."
        data = answer.json["data"]
        assert data.keys() == {"access_token", "expires_in"}
        me = client.get("/api/v1/auth/me", headers=bearer(data["access_token"]))
        assert me.json["username"] == body["username"]


def test_expires_in_is_the_tokens_life(new_app, monkeypatch):
    client = new_app("sqlite", ACCESS_TOKEN_SECONDS="77").test_client()
    body = new_user()
    client.post("/api/register", json=body)
    data = client.post("/api/token", json=body).json["data"]
    assert data["expires_in"] == 77
    now = clock.now_ms()
    for later, status in ((75_000, 200), (77_000, 401)):
        monkeypatch.setattr(clock, "now_ms", lambda later=later: now + later)
        me = client.get("/api/v1/auth/me", headers=bearer(data["access_token"]))
        assert me.status_code == status


@pytest.mark.parametrize("name", ["username", "password"])
@pytest.mark.parametrize("value", [..., None, ""])
def test_a_sign_in_needs_both_fields(client, name, value):
    body = new_user(**{name: value})
    exactly(client.post("/api/token", json=body), "MISSING_FIELDS")
    form = {key: text for key, text in body.items() if text is not None}
    exactly(client.post("/api/token", data=form), "MISSING_FIELDS")


# AU-1
def test_nobody_learns_which_accounts_exist(app, client, cast):
    set_user(app, cast.bob.id, active=False)
    seen = set()
    for login, password in (
        (cast.alice.name, "wrong"),
        ("nobody", PHRASE),
        ("@@", PHRASE),
        (cast.bob.name, PHRASE),
        (cast.alice.name, "x" * 200_000),
    ):
        answer = client.post("/api/token", json={"username": login, "password": password})
        exactly(answer, "INVALID_CREDENTIALS")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        seen.add(answer.data)
    assert len(seen) == 1


def test_an_account_that_has_to_confirm_its_address_is_told_so(new_app):
    app = new_app("sqlite", EMAIL_VERIFICATION="required")
    client, body = app.test_client(), new_user()
    user_id = client.post("/api/register", json=body).json["data"]["user_id"]
    told(client.post("/api/token", json=body), 403, "EMAIL_NOT_VERIFIED")
    told(client.post("/api/token", json={**body, "password": "no"}), 401, "INVALID_CREDENTIALS")
    set_user(app, user_id, email_verified=True)
    signed_in(client, body)


# RL-5
def test_tries_count_together_with_those_of_the_api(new_app):
    client, body = new_app("sqlite", SIGN_IN_RATE_LIMITS="3 per hour").test_client(), new_user()
    client.post("/api/register", json=body)
    wrong = {"username": body["username"], "password": "wrong"}
    for path in ("/api/token", "/api/v1/auth/token", "/api/token"):
        assert client.post(path, json=wrong).status_code == 401
    answer = client.post("/api/token", json=body)
    told(answer, 429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600


@pytest.mark.parametrize("path", ["/api/register", "/api/token"])
def test_a_password_in_the_address_is_refused(client, path):
    answer = client.post(f"{path}?password={PASSWORD}", json=new_user())
    told(answer, 400, "INVALID_REQUEST", "Invalid request. Send password in the body")


def test_any_other_query_is_ignored(client):
    assert client.post("/api/register?lang=en&_=1", json=new_user()).status_code == 201


def test_it_is_not_in_the_apis_document(client):
    paths = client.get("/openapi.json").json["paths"]
    assert not [path for path in paths if not path.startswith("/api/v1/")]
