"""A client of user management with key-value data, which knows nothing but its contract."""

from __future__ import annotations

import uuid

PASSWORD = "Secure_password123"


def new_user(**fields):
    """The body of a registration that would do."""
    name = f"user-{uuid.uuid4().hex[:12]}"
    body = {
        "username": name,
        "email": f"{name}@example.com",
        "password": PASSWORD,
        "full_name": "John Doe",
        "age": 30,
        "gender": "male",
    }
    return {key: value for key, value in {**body, **fields}.items() if value is not ...}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def token_of(client, body):
    """Register through the test client and return an access token."""
    answer = client.post("/api/register", json=body)
    assert answer.status_code == 201, answer.text
    return signed_in(client, body)


def signed_in(client, body):
    answer = client.post("/api/token", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json["data"]["access_token"]


def told(answer, status, code, message=None):
    """Assert that an answer is this error in the system's envelope; return its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json() if callable(answer.json) else answer.json
    assert body.keys() == {"status", "code", "message"}
    assert (body["status"], body["code"]) == ("error", code)
    assert body["message"]
    assert body["message"].startswith(message or "")
    return body["message"]
