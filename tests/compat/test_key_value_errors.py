"""User management with key-value data: every error code, and where each comes from."""

import re
from pathlib import Path
from types import SimpleNamespace

import pyotp
import pytest

from contactapp import errors
from contactapp.auth.passwords import PasswordHasher
from contactapp.compat.key_value_errors import CODES
from contactapp.data import service
from tests.http.conftest import SECRET
from tests.support.key_values import PASSWORD, bearer, new_user, signed_in, told
from tests.support.stored import set_user, tell_writer

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "compat.md"
LIMITS = {
    "EMAIL_VERIFICATION": "required",
    "SIGN_IN_RATE_LIMITS": "2 per hour",
    "DATA_MAX_ENTRIES": "1",
}


@pytest.fixture(scope="module")
def strict(new_app):
    """An application of strict limits; on SQLite, as nothing of this is the engine's."""
    return new_app("sqlite", **LIMITS)


@pytest.fixture
def world(strict, monkeypatch):
    """Somebody who is signed in and has one entry."""
    client, user = strict.test_client(), new_user()
    user_id = client.post("/api/register", json=user).json["data"]["user_id"]
    set_user(strict, user_id, email_verified=True)
    token = bearer(signed_in(client, user))

    def ask(method, path, headers=None, **kwargs):
        given = {**token, **(headers or {})}
        return client.open(f"/api{path}", method=method, headers=given, **kwargs)

    def register(**fields):
        return client.post("/api/register", json=new_user(**fields))

    assert ask("POST", "/data", json={"key": "k", "value": 1}).status_code == 201
    return SimpleNamespace(
        app=strict, client=client, user=user, ask=ask, register=register, patch=monkeypatch
    )


def sign_in(world, **fields):
    return world.client.post("/api/token", json={**world.user, **fields})


def unverified(world):
    user = new_user()
    assert world.client.post("/api/register", json=user).status_code == 201
    return sign_in(world, **user)


def too_often(world):
    for _ in range(2):
        sign_in(world, password="wrong")
    return sign_in(world)


def broken(world):
    def fail(*_):
        raise RuntimeError(SECRET)

    world.patch.setattr(service, "get_entry", fail)
    answer = world.ask("GET", "/data/k")
    assert SECRET not in answer.text
    return answer


def busy(world):
    peppers = world.app.extensions["contactapp.settings"].password_peppers
    hasher = PasswordHasher(peppers, 4, concurrency=1, max_wait=0.01, max_waiting=1)
    world.patch.setitem(world.app.extensions, "contactapp.hasher", hasher)
    with hasher._bounded.place():
        return world.register()


def read_only(world):
    # A BEGIN that fails closes the connection, and its settings go with it.
    tell_writer(world.app, "query_only = on")
    return world.ask("DELETE", "/data/k")


def with_code(world, otp):
    headers, body = (
        bearer(signed_in(world.client, world.user)),
        {"password": world.user["password"]},
    )
    path = "/api/v1/auth/totp"
    secret = world.client.post(path, json=body, headers=headers).json["secret"]
    code = {"code": pyotp.TOTP(secret).now()}
    assert world.client.post(f"{path}/confirm", json=code, headers=headers).status_code == 200
    return sign_in(world, **({"otp": otp} if otp else {}))


def narrow(world):
    made = {"name": "Backup", "scopes": ["contacts:read"]}
    headers = bearer(signed_in(world.client, world.user))
    token = world.client.post("/api/v1/auth/api-tokens", json=made, headers=headers).json["token"]
    return world.ask("GET", "/data/k", headers=bearer(token))


STALE = {"If-Match": '"v9-00000000"'}
REACHED = {
    "INVALID_REQUEST": lambda w: w.register(full_name=...),
    "INVALID_PASSWORD": lambda w: w.register(password="secure_password123"),
    "INVALID_AGE": lambda w: w.register(age=-1),
    "GENDER_REQUIRED": lambda w: w.register(gender=...),
    "MISSING_FIELDS": lambda w: sign_in(w, password=None),
    "INVALID_KEY": lambda w: w.ask("POST", "/data", json={"value": 1}),
    "INVALID_VALUE": lambda w: w.ask("POST", "/data", json={"key": "other"}),
    "INVALID_CREDENTIALS": lambda w: sign_in(w, password="wrong"),
    "INVALID_TOKEN": lambda w: w.client.get("/api/data/k"),
    "OTP_REQUIRED": lambda w: with_code(w, None),
    "INVALID_OTP": lambda w: with_code(w, "wrong"),
    "EMAIL_NOT_VERIFIED": unverified,
    "INSUFFICIENT_SCOPE": narrow,
    "QUOTA_EXCEEDED": lambda w: w.ask("POST", "/data", json={"key": "other", "value": 1}),
    "NOT_FOUND": lambda w: w.client.get("/api/nothing/here"),
    "KEY_NOT_FOUND": lambda w: w.ask("GET", "/data/other"),
    "METHOD_NOT_ALLOWED": lambda w: w.ask("PATCH", "/data/k"),
    "USERNAME_EXISTS": lambda w: w.register(username=w.user["username"]),
    "EMAIL_EXISTS": lambda w: w.register(email=w.user["email"]),
    "KEY_EXISTS": lambda w: w.ask("POST", "/data", json={"key": "k", "value": 2}),
    "VERSION_MISMATCH": lambda w: w.ask("DELETE", "/data/k", headers=STALE),
    "BODY_TOO_LARGE": lambda w: w.register(full_name="x" * 2**20),
    "UNSUPPORTED_MEDIA_TYPE": lambda w: w.client.post("/api/register", data=new_user()),
    "RATE_LIMITED": too_often,
    "INTERNAL_SERVER_ERROR": broken,
    "SERVICE_UNAVAILABLE": busy,
    "STORAGE_FULL": read_only,
}


@pytest.mark.parametrize("code", REACHED)
def test_every_code_is_reached(world, code):
    answer = REACHED[code](world)
    message = told(answer, CODES[code].status, code)
    assert message == (CODES[code].message or message)
    assert ("Retry-After" in answer.headers) == (answer.status_code in {429, 503, 507})
    asks_for_another = answer.status_code == 401 or code == "INSUFFICIENT_SCOPE"
    assert ("WWW-Authenticate" in answer.headers) == asks_for_another
    assert ("Allow" in answer.headers) == (answer.status_code == 405)


def test_no_code_is_without_a_test():
    assert list(REACHED) == list(CODES)


def test_a_code_has_the_status_of_what_causes_it():
    causes = [cause for told in CODES.values() for cause in told.causes]
    assert len(causes) == len(set(causes))
    for told_ in CODES.values():
        assert {errors.CODES[cause].status for cause in told_.causes} <= {told_.status}


def test_the_document_lists_every_code():
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert [(code, int(status)) for code, status, _ in rows] == [
        (code, told.status) for code, told in CODES.items()
    ]
    for code, _, meaning in rows:
        assert CODES[code].message in meaning


# What is not about a field of a registration is told without the sentence about those.
@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"data": b"{", "content_type": "application/json"}, "The body is not valid JSON"),
        ({"json": []}, "The body must be a JSON object."),
        ({"json": "\0"}, "Contains NUL"),
        ({"json": {}, "query_string": {"password": PASSWORD}}, "Send password in the body"),
        ({"json": {}, "headers": {"Host": "evil.example:99"}}, "This server is not called"),
    ],
)
@pytest.mark.parametrize("path", ["/api/register", "/api/token"])
def test_what_cannot_be_read_is_told_why(new_app, path, request_, reason):
    client = new_app("sqlite", BASE_URL="https://contacts.example").test_client()
    answer = client.post(path, base_url="https://contacts.example", **request_)
    told(answer, 400, "INVALID_REQUEST", f"Invalid request. {reason}")


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/xyz", "/api/data", "/api/v2/x", "/api//"])
@pytest.mark.parametrize("method", ["GET", "TRACE", "PROPFIND"])
def test_an_unknown_route_or_method_is_told_in_the_envelope(client, path, method):
    missing = path != "/api/data"
    code = "NOT_FOUND" if missing else "METHOD_NOT_ALLOWED"
    told(client.open(path, method=method), 404 if missing else 405, code)


def test_the_apis_own_routes_keep_their_problems(client):
    for path in ("/api/v1", "/api/v1/", "/api/v1/nothing"):
        assert client.get(path).mimetype == "application/problem+json"


# RL-1
def test_the_quota_of_requests_is_told_in_the_envelope_too(new_app):
    client = new_app("sqlite", ANONYMOUS_RATE_LIMITS="2 per hour").test_client()
    for _ in range(2):
        told(client.get("/api/xyz"), 404, "NOT_FOUND")
    for path in ("/api/xyz", "/api/data/k"):
        answer = client.get(path)
        told(answer, 429, "RATE_LIMITED")
        assert 1 <= int(answer.headers["Retry-After"]) <= 3600
