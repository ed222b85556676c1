"""POST /auth/token and its alias /auth/login."""

import base64

import bcrypt
import pytest
from sqlalchemy import text

from contactapp.auth.passwords import PasswordHasher
from contactapp.database import database
from tests.support.cast import PASSWORD, refused

URL = "/api/v1/auth/token"


def works(answer):
    assert answer.status_code == 200, answer.text
    assert answer.json.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("bearer", 900)
    return answer.json


def disable(app, user_id):
    with app.app_context(), database().engine.begin() as connection:
        connection.execute(text("UPDATE users SET active = false WHERE id = :id"), {"id": user_id})


@pytest.mark.parametrize("url", [URL, "/api/v1/auth/login", f"{URL}/"])
def test_json_with_the_address_or_the_user_name_signs_in(client, alice, url):
    for login in ({"email": alice.email}, {"username": alice.name}, {"email": alice.email.upper()}):
        tokens = works(client.post(url, json={**login, "password": PASSWORD}))
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert client.get("/api/v1/auth/me", headers=bearer).json["id"] == alice.id


def test_an_oauth_form_signs_in_with_either(client, alice):
    # The names around it are what Swagger UI and OAuth libraries send along.
    extra = {"grant_type": "password", "scope": "", "client_id": "x", "client_secret": "y"}
    for login in (alice.email, alice.name):
        works(client.post(URL, data={"username": login, "password": PASSWORD, **extra}))


def test_a_basic_header_beside_the_form_is_ignored(client, alice):
    basic = base64.b64encode(b"client:secret").decode()
    for header in (f"Basic {basic}", "Basic", "Bearer nonsense"):
        form = {"username": alice.name, "password": PASSWORD}
        works(client.post(URL, data=form, headers={"Authorization": header}))
    wrong = {"username": alice.name, "password": "wrong password"}
    answer = client.post(URL, data=wrong, headers={"Authorization": f"Basic {basic}"})
    refused(answer, 401, "invalid_credentials")


@pytest.mark.parametrize("login", [{}, {"email": "a@example.com", "username": "a"}])
def test_it_wants_the_address_or_the_user_name_and_not_both(client, login):
    problem = refused(client.post(URL, json={**login, "password": PASSWORD}), 422, "invalid_fields")
    assert {error["pointer"] for error in problem["errors"]} == {"/email", "/username"}


def test_it_names_what_is_missing(client):
    refused(client.post(URL, data={"username": "a"}), 422, "invalid_fields", "/password")
    refused(client.post(URL, json={"username": "a"}), 422, "invalid_fields", "/password")
    twice = b"username=a&username=b&password=c"
    form = "application/x-www-form-urlencoded"
    refused(client.post(URL, data=twice, content_type=form), 400, "malformed_body")
    refused(client.post(URL, data=b"x", content_type="text/plain"), 415, "unsupported_media_type")
    refused(client.post(f"{URL}?password=x", json={}), 400, "unknown_parameter")


# AU-1
def test_nobody_learns_which_accounts_exist(app, client, cast):
    disable(app, cast.bob.id)
    attempts = {
        "a wrong password": (cast.alice.email, "wrong password"),
        "an unknown address": ("nobody@example.com", PASSWORD),
        "an unknown user name": ("nobody", PASSWORD),
        "no address at all": ("@@", PASSWORD),
        "a disabled account": (cast.bob.email, PASSWORD),
        "a disabled account, wrong password": (cast.bob.email, "wrong password"),
    }
    seen = {}
    for name, (login, password) in attempts.items():
        for sent in ({"json": {"email": login}}, {"data": {"username": login}}):
            next(iter(sent.values()))["password"] = password
            answer = client.post(URL, headers={"X-Request-ID": "the-same"}, **sent)
            refused(answer, 401, "invalid_credentials")
            kept = [h for h in answer.headers if "RateLimit" not in h[0]]  # they count down
            seen[name, *sent] = (answer.data, kept, [header for header, _ in answer.headers])
    assert all(answer == seen["a wrong password", "json"] for answer in seen.values()), seen


# AU-2
@pytest.mark.parametrize("case", ["wrong", "unknown", "malformed", "disabled", "over-long"])
def test_every_refusal_costs_exactly_one_hash_of_the_current_cost(
    app, client, cast, monkeypatch, case
):
    if case == "disabled":
        disable(app, cast.alice.id)
    login = {"unknown": "nobody@example.com", "malformed": "@@"}.get(case, cast.alice.email)
    password = {"disabled": PASSWORD, "over-long": "x" * 1000}.get(case, "wrong password")
    costs, genuine = [], bcrypt.checkpw

    def spy(prepared, hashed):
        costs.append(int(hashed.split(b"$")[2]))
        return genuine(prepared, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", spy)
    monkeypatch.setattr(bcrypt, "hashpw", None)  # would be a second hash
    answer = client.post(URL, json={"email": login, "password": password})
    refused(answer, 401, "invalid_credentials")
    assert costs == [app.extensions["contactapp.settings"].bcrypt_cost]


# AU-2
def test_an_unknown_user_costs_a_hash_where_there_are_no_users_at_all(engine, new_app, monkeypatch):
    client = new_app(engine).test_client()
    checks, genuine = [], bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *given: checks.append(1) or genuine(*given))
    answer = client.post(URL, json={"username": "nobody", "password": PASSWORD})
    refused(answer, 401, "invalid_credentials")
    assert checks == [1]


# AU-4, IV-1
STRANGE = {
    "200 kB": ("x" * 200_000, 401),
    "200 kB of umlauts": ("ä" * 100_000, 401),
    "NUL": ("a\0b", 422),
    "a surrogate": ("a\ud800b", 422),
    "not a string": (7, 422),
    "empty": ("", 401),
}


# AU-4, IV-1
@pytest.mark.parametrize(("password", "status"), STRANGE.values(), ids=STRANGE)
def test_a_strange_password_is_refused_in_good_order(client, alice, password, status):
    code = {401: "invalid_credentials", 422: "invalid_fields"}[status]
    for login in ({"email": alice.email}, {"username": "nobody"}):
        refused(client.post(URL, json={**login, "password": password}), status, code)


# AU-4, IV-1
@pytest.mark.parametrize(
    ("password", "status", "code"),
    [
        (b"x" * 200_000, 401, "invalid_credentials"),
        (b"x" * 2**20, 413, "body_too_large"),
        (b"a%00b", 422, "invalid_fields"),
        (b"%ED%A0%80", 400, "malformed_body"),
        (b"%ff%fe", 400, "malformed_body"),
    ],
)
def test_a_strange_password_in_a_form_too(client, alice, password, status, code):
    body = f"username={alice.name}&password=".encode() + password
    answer = client.post(URL, data=body, content_type="application/x-www-form-urlencoded")
    refused(answer, status, code)


# IV-1
@pytest.mark.parametrize("login", ["a\0b", "\ud800", "x" * 321])
def test_a_strange_login_is_refused_in_good_order(client, login):
    for name in ("email", "username"):
        answer = client.post(URL, json={name: login, "password": PASSWORD})
        refused(answer, 422, "invalid_fields", f"/{name}")


# RL-8
def test_it_says_when_to_come_back_where_too_many_hash(engine, new_app):
    app = new_app(engine)
    peppers = app.extensions["contactapp.settings"].password_peppers
    hasher = PasswordHasher(peppers, 4, concurrency=1, max_wait=0.05, max_waiting=1)
    app.extensions["contactapp.hasher"] = hasher
    client = app.test_client()
    fields = {"email": "ada@example.com", "password": PASSWORD}
    with hasher._bounded.place():
        for path, body in (("token", fields), ("register", fields)):
            answer = client.post(f"/api/v1/auth/{path}", json=body)
            refused(answer, 503, "unavailable")
            assert answer.headers["Retry-After"] == "1"
        assert client.get("/openapi.json").status_code == 200
    assert client.post("/api/v1/auth/register", json=fields).status_code == 201
    works(client.post(URL, json=fields))
