"""User management with key-value data: bodies that are no JSON, no text, or too much of it."""

import pytest
import requests

from tests.http.test_sizes import FITTING, FORM, JSON, MIB, chunks, quoted, with_list, with_members
from tests.http.test_strict_json import MALFORMED, NO_OBJECTS
from tests.http.test_unicode import BROKEN, ENCODED
from tests.support.key_values import bearer, new_user, signed_in, told

BODIES = [
    *(("POST", "/api/register"), ("POST", "/api/token")),
    *(("POST", "/api/data"), ("PUT", "/api/data/k")),
]


@pytest.fixture(scope="module")
def send(app):
    """Ask as somebody who is signed in and has an entry."""
    client, user = app.test_client(), new_user()
    assert client.post("/api/register", json=user).status_code == 201
    headers = bearer(signed_in(client, user))

    def ask(method, path, body, kind="application/json"):
        return client.open(path, method=method, data=body, content_type=kind, headers=headers)

    ask("POST", "/api/data", b'{"key": "k", "value": 1}')
    return ask


# IV-3
@pytest.mark.parametrize(("method", "path"), BODIES)
def test_what_is_no_object_of_strict_json_is_an_invalid_request(send, method, path):
    for raw in (*MALFORMED.values(), *NO_OBJECTS):
        told(send(method, path, raw), 400, "INVALID_REQUEST", "Invalid request. ")


# IV-1
@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_no_field_takes_broken_text(send, text):
    code = {
        ("register", "password"): "INVALID_PASSWORD",
        ("register", "gender"): "GENDER_REQUIRED",
        ("token", "username"): "MISSING_FIELDS",
        ("token", "password"): "MISSING_FIELDS",
        ("data", "key"): "INVALID_KEY",
        ("data", "value"): "INVALID_VALUE",
    }
    for name, fields in {
        "register": (*new_user(), "unknown"),
        "token": ("username", "password", "unknown"),
        "data": ("key", "value", "unknown"),
    }.items():
        for field in fields:
            body = f'{{"{field}": "{text}"}}'
            expected = code.get((name, field), "INVALID_AGE" if field == "age" else None)
            told(send("POST", f"/api/{name}", body), 400, expected or "INVALID_REQUEST")
        told(send("POST", f"/api/{name}", f'{{"{text}": 1}}'), 400, "INVALID_REQUEST")


# IV-1
@pytest.mark.parametrize("text", ENCODED.values(), ids=ENCODED)
def test_no_form_takes_broken_text(send, text):
    code = "MISSING_FIELDS" if "%00" in text else "INVALID_REQUEST"
    for body in (f"username={text}&password=a", f"username=a&password={text}"):
        told(send("POST", "/api/token", body, FORM["Content-Type"]), 400, code)
    told(send("POST", "/api/token", f"{text}=a", FORM["Content-Type"]), 400, "INVALID_REQUEST")


# IV-3
@pytest.mark.parametrize("body", [b"username=a&username=b&password=c", b"\xff=\xfe"])
def test_a_form_that_cannot_be_read_is_refused(send, body):
    answer = send("POST", "/api/token", body, FORM["Content-Type"])
    told(answer, 400, "INVALID_REQUEST", "Invalid request. ")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", ""])
def test_another_content_type_is_told(send, kind):
    for method, path in BODIES:
        told(send(method, path, b"{}", kind), 415, "UNSUPPORTED_MEDIA_TYPE")
    told(send("POST", "/api/data", b"key=k", FORM["Content-Type"]), 415, "UNSUPPORTED_MEDIA_TYPE")


# IV-2
@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "9" * 5000, str(2**63), "007", "٣"])
def test_numbers_that_one_engine_would_read_otherwise_are_refused(send, number):
    for path, name in (("/api/register", "age"), ("/api/data", "value")):
        answer = send("POST", path, f'{{"key": "n", "{name}": {number}}}'.encode())
        assert answer.status_code == 400
        assert answer.json["code"] in {"INVALID_REQUEST", "INVALID_AGE", "INVALID_VALUE"}


CASES = {
    "a body over the limit": (413, "/register", JSON, lambda: b" " * (MIB + 1)),
    "a chunked body over the limit": (413, "/data", JSON, lambda: chunks(2 * MIB)),
    "a form over the limit": (413, "/token", FORM, lambda: b"username=" + b"a" * MIB),
    "1 001 form fields": (413, "/token", FORM, lambda: b"&".join([b"a=1"] * 1001)),
    "a list of 100 k items": (400, "/data", JSON, lambda: with_list("key", 100_000)),
    "70 k unknown members": (400, "/register", JSON, lambda: with_members(70_000)),
    "a user name of 1 MB": (400, "/register", JSON, lambda: quoted("username", FITTING)),
    "a login of 1 MB": (400, "/token", JSON, lambda: quoted("username", FITTING)),
    "a key of 1 MB": (400, "/data", JSON, lambda: quoted("key", FITTING)),
    "a name of 0.5 MB with NUL": (400, "/data", JSON, lambda: quoted("x" * 500_000 + "\\u0000", 1)),
}


@pytest.fixture(scope="module")
def token(live_server):
    user = new_user()
    url = f"{live_server.url}/api"
    assert requests.post(f"{url}/register", json=user, timeout=30).status_code == 201
    return requests.post(f"{url}/token", json=user, timeout=30).json()["data"]["access_token"]


# IV-4
@pytest.mark.parametrize("name", CASES)
def test_too_much_of_anything_is_told_shortly(live_server, token, name):
    status, path, headers, body = CASES[name]
    answer = requests.post(
        f"{live_server.url}/api{path}", data=body(), headers=headers | bearer(token), timeout=30
    )
    told(answer, status, answer.json()["code"])
    assert answer.elapsed.total_seconds() < 5  # others use this machine too
    assert len(answer.content) < 1000
