"""User management with key-value data, as a client that knows only its contract finds it.

Nothing here is of contactapp: URLs, bodies, statuses, codes and sentences are the system's own.
"""

import uuid
from urllib.parse import quote

import pytest
import requests

PASSWORD = "Secure_password123"
REGISTERED = "User successfully registered!"
TOKEN = "Access token generated successfully."
REFUSED = {
    "INVALID_REQUEST": (
        400,
        "Invalid request. Please provide all required fields: username, email, password, "
        "full_name.",
    ),
    "USERNAME_EXISTS": (
        409,
        "The provided username is already taken. Please choose a different username.",
    ),
    "EMAIL_EXISTS": (
        409,
        "The provided email is already registered. Please use a different email address.",
    ),
    "INVALID_PASSWORD": (
        400,
        "The provided password does not meet the requirements. Password must be at least 8 "
        "characters long and contain a mix of uppercase and lowercase letters, numbers, and "
        "special characters.",
    ),
    "INVALID_AGE": (400, "Invalid age value. Age must be a positive integer."),
    "GENDER_REQUIRED": (
        400,
        "Gender field is required. Please specify the gender (e.g., male, female, non-binary).",
    ),
    "MISSING_FIELDS": (400, "Missing fields. Please provide both username and password."),
    "INVALID_CREDENTIALS": (
        401,
        "Invalid credentials. The provided username or password is incorrect.",
    ),
    "INVALID_TOKEN": (401, "Invalid access token provided."),
    "INVALID_KEY": (400, "The provided key is not valid or missing."),
    "INVALID_VALUE": (400, "The provided value is not valid or missing."),
    "KEY_EXISTS": (
        409,
        "The provided key already exists in the database. To update an existing key, use the "
        "update API.",
    ),
    "KEY_NOT_FOUND": (404, "The provided key does not exist in the database."),
}


class User:
    """Somebody with a name of their own; `call` asks with their token once there is one."""

    def __init__(self, url):
        name = f"user_{uuid.uuid4().hex[:12]}"
        self.url, self.token = url, None
        self.fields = {
            "username": name,
            "email": f"{name}@example.com",
            "password": PASSWORD,
            "full_name": "John Doe",
            "age": 30,
            "gender": "male",
        }

    def call(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return requests.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers=headers,
            timeout=60,
            allow_redirects=False,
        )

    def registered(self):
        answer = self.call("POST", "/api/register", self.fields)
        body = succeeded(answer, 201, REGISTERED)
        assert isinstance(body["data"].pop("user_id"), int)
        shown = {name: text for name, text in self.fields.items() if name != "password"}
        assert body["data"] == shown
        return self

    def signed_in(self):
        sent = {name: self.fields[name] for name in ("username", "password")}
        data = succeeded(self.call("POST", "/api/token", sent), 200, TOKEN)["data"]
        assert data.keys() == {"access_token", "expires_in"}
        assert data["expires_in"] > 0
        self.token = data["access_token"]
        return self


def succeeded(answer, status, message):
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    body = answer.json()
    assert (body["status"], body.get("message")) == ("success", message)
    return body


def refused(answer, code):
    status, message = REFUSED[code]
    found = (answer.status_code, answer.headers["Content-Type"], answer.json())
    body = {"status": "error", "code": code, "message": message}
    assert found == (status, "application/json", body)


@pytest.fixture(scope="module")
def url(live_server):
    return live_server.url


@pytest.fixture
def user(url):
    return User(url).registered().signed_in()


def test_the_way_of_a_client_through_all_routes(url):
    user, other = (User(url).registered().signed_in() for _ in range(2))
    for person, value in ((user, "value1"), (other, {"of": ["the", "other"]})):
        entry = {"key": "unique_key", "value": value}
        answer = person.call("POST", "/api/data", entry)
        assert succeeded(answer, 201, "Data stored successfully.").keys() == {"status", "message"}
        refused(person.call("POST", "/api/data", entry), "KEY_EXISTS")
        answer = person.call("GET", "/api/data/unique_key")
        assert succeeded(answer, 200, None) == {"status": "success", "data": entry}
    answer = user.call("PUT", "/api/data/unique_key", {"value": "value2"})
    assert succeeded(answer, 200, "Data updated successfully.").keys() == {"status", "message"}
    assert user.call("GET", "/api/data/unique_key").json()["data"]["value"] == "value2"
    answer = user.call("DELETE", "/api/data/unique_key")
    assert succeeded(answer, 200, "Data deleted successfully.").keys() == {"status", "message"}
    for method, body in (("GET", None), ("PUT", {"value": 1}), ("DELETE", None)):
        refused(user.call(method, "/api/data/unique_key", body), "KEY_NOT_FOUND")
    answer = other.call("GET", "/api/data/unique_key")
    assert answer.json()["data"]["value"] == {"of": ["the", "other"]}


def test_every_refusal_of_a_registration(url):
    known = User(url).registered()
    changes = {
        "INVALID_REQUEST": {"full_name": ""},
        "USERNAME_EXISTS": {"username": known.fields["username"]},
        "EMAIL_EXISTS": {"email": known.fields["email"]},
        "INVALID_PASSWORD": {"password": "secure_password123"},
        "INVALID_AGE": {"age": -5},
        "GENDER_REQUIRED": {"gender": ""},
    }
    for code, wrong in changes.items():
        refused(known.call("POST", "/api/register", {**User(url).fields, **wrong}), code)
    together = {name: text for wrong in changes.values() for name, text in wrong.items()}
    body = {**User(url).fields, **together}
    for code, wrong in changes.items():
        refused(known.call("POST", "/api/register", body), code)
        body |= {name: User(url).fields[name] for name in wrong}
    assert known.call("POST", "/api/register", body).status_code == 201


def test_every_refusal_of_a_sign_in(url):
    user = User(url).registered()
    for missing in ({}, {"username": "a"}, {"password": "b"}):
        refused(user.call("POST", "/api/token", missing), "MISSING_FIELDS")
    for name in (user.fields["username"], "nobody_at_all"):
        body = {"username": name, "password": "Wrong_password123"}
        refused(user.call("POST", "/api/token", body), "INVALID_CREDENTIALS")


def test_every_refusal_of_data(user):
    for body in ({}, {"value": 1}, {"key": "", "value": 1}, {"key": None, "value": 1}):
        refused(user.call("POST", "/api/data", body), "INVALID_KEY")
    refused(user.call("POST", "/api/data", {"key": "k"}), "INVALID_VALUE")
    assert user.call("POST", "/api/data", {"key": "k", "value": 1}).status_code == 201
    refused(user.call("PUT", "/api/data/k", {}), "INVALID_VALUE")
    user.token = user.token[:-2]
    for token in (user.token, None, "nonsense"):
        user.token = token
        for method, path in (("POST", ""), ("GET", "/k"), ("PUT", "/k"), ("DELETE", "/k")):
            refused(
                user.call(method, f"/api/data{path}", {"key": "k", "value": 1}), "INVALID_TOKEN"
            )


def test_no_route_redirects_with_a_slash_or_without(url):
    user = User(url)
    assert user.call("POST", "/api/register/", user.fields).status_code == 201
    user.signed_in()
    assert user.call("POST", "/api/token/", user.fields).status_code == 200
    assert user.call("POST", "/api/data/", {"key": "a/b/", "value": 1}).status_code == 201
    for path in ("a/b/", "a%2Fb%2F"):
        assert user.call("GET", f"/api/data/{path}").json()["data"]["key"] == "a/b/"
    refused(user.call("GET", "/api/data/a/b"), "KEY_NOT_FOUND")


@pytest.mark.parametrize("key", ["two words", "a//b", "100%", "Zoë 日本 🜚", "?a=b#c", "%2F"])
def test_a_key_is_any_text(user, key):
    assert user.call("POST", "/api/data", {"key": key, "value": 1}).status_code == 201
    path = f"/api/data/{quote(key, safe='')}"
    assert user.call("GET", path).json()["data"] == {"key": key, "value": 1}
    assert user.call("PUT", path, {"value": 2}).status_code == 200
    assert user.call("DELETE", path).status_code == 200
