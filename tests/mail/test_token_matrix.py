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
def tokens(app):
    """A fresh token of each purpose, all of one person."""
    person = Person(app, "ann")
    change = {"email": f"x{person.email}", "password": PASSWORD}
    assert person.post("/auth/email/change", json=change).status_code == 202
    feed = person.post("/feeds", json={"kind": "birthdays"}).json
    return {
        "access": person.access,
        "refresh": person.refresh,
        "verify": newest_link(app, person.id, "verify"),
        "reset": issue_link(app, person.id, "reset"),
        "email": newest_link(app, person.id, "email"),
        "api": person.post("/auth/api-tokens", json=PROGRAM).json["token"],
        "feed": re.fullmatch(r".*/feeds/(.*)\.ics", feed["url"])[1],
    }


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
def test_only_the_diagonal_passes(tokens, visitor, kind, purpose):
    status = used(visitor, purpose, tokens[kind])
    if kind == purpose or (kind, purpose) == ("access", "api"):  # a session is for everything
        assert status == 200
    else:
        assert status in REFUSED.get(purpose, {400, 422})
        assert used(visitor, kind, tokens[kind]) == 200  # and it spent nothing
