"""A token of one purpose does nothing for another."""

import pytest

from tests.support.cast import PASSWORD, Person
from tests.support.stored import issue_link, newest_link

NEW = "a quite different phrase"
PURPOSES = ("access", "refresh", "verify", "reset", "email")


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
    return {
        "access": person.access,
        "refresh": person.refresh,
        "verify": newest_link(app, person.id, "verify"),
        "reset": issue_link(app, person.id, "reset"),
        "email": newest_link(app, person.id, "email"),
    }


def used(visitor, purpose, token):
    """The status of using a token for a purpose."""
    if purpose == "access":
        bearer = {"Authorization": f"Bearer {token}"}
        return visitor.client.get("/api/v1/users/me", headers=bearer).status_code
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
    refused = 401 if purpose in {"access", "refresh"} else {400, 422}
    status = used(visitor, purpose, tokens[kind])
    if kind == purpose:
        assert status == 200
    else:
        assert status in (refused if isinstance(refused, set) else {refused})
        assert used(visitor, kind, tokens[kind]) == 200  # and it spent nothing
