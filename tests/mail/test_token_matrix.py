"""A token of one purpose does nothing for another."""

import re

import pytest

from tests.support.cast import PASSWORD, Person
from tests.support.stored import issue_link, newest_link

NEW = "a quite different phrase"
PROGRAM = {"name": "Backup", "scopes": ["feeds:read"]}
PURPOSES = ("access", "refresh", "verify", "reset", "email", "feed", "api")
REFUSED = {
    "access": {401, 403},
    "refresh": {401},
    "api": {401},
    "feed": {404},
}  # the others: 400 or 422


@pytest.fixture(scope="module")
def app(engine, new_app):
    """No worker beside it: what is mailed is not the question here."""
    return new_app(engine)


@pytest.fixture
def token(app, kind):
    """A fresh token of a purpose."""
    person = Person(app, "ann")
    if kind == "email":
        change = {"email": f"x{person.email}", "password": PASSWORD}
        assert person.post("/auth/email/change", json=change).status_code == 202
    if kind in {"verify", "email"}:
        return newest_link(app, person.id, kind)
    if kind == "reset":
        return issue_link(app, person.id, "reset")
    if kind == "api":
        return person.post("/auth/api-tokens", json=PROGRAM).json["token"]
    if kind == "feed":
        feed = person.post("/feeds", json={"kind": "birthdays"}).json
        return re.fullmatch(r".*/feeds/(.*)\.ics", feed["url"])[1]
    return {"access": person.access, "refresh": person.refresh}[kind]


def used(visitor, purpose, token):
    """The status of using a token for a purpose."""
    bearer = {"Authorization": f"Bearer {token}"}
    if purpose == "access":
        return visitor.client.get("/api/v1/users/me", headers=bearer).status_code
    if purpose == "api":
        return visitor.client.get("/api/v1/feeds", headers=bearer).status_code
    if purpose == "feed":
        return visitor.client.get(f"/api/v1/feeds/{token}.ics").status_code
    path, body = {
        "refresh": ("/auth/refresh", {"refresh_token": token}),
        "verify": ("/auth/verify-email", {"token": token, "password": PASSWORD}),
        "reset": ("/auth/password/reset", {"token": token, "new_password": NEW}),
        "email": ("/auth/email/confirm", {"token": token}),
    }[purpose]
    return visitor.post(path, body).status_code


# TK-2
@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("kind", PURPOSES)
def test_only_the_diagonal_passes(token, visitor, kind, purpose):
    status = used(visitor, purpose, token)
    if kind == purpose or (kind, purpose) == ("access", "api"):  # a session is for everything
        assert status == 200
    else:
        assert status in REFUSED.get(purpose, {400, 422})
        assert used(visitor, kind, token) == 200  # and it spent nothing
