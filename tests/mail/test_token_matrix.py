"""A token of one purpose does nothing for another."""

import pytest

from tests.support.cast import PASSWORD, Person

NEW = "a quite different phrase"
PURPOSES = ("access", "refresh", "verify", "reset", "email")


@pytest.fixture
def tokens(app, post_office, visitor):
    """A fresh token of each purpose, all of one person."""
    person = Person(app, "ann")
    found = {"access": person.access, "refresh": person.refresh}
    found["verify"] = post_office.wait(person.email).token
    visitor.post("/auth/password/forgot", {"email": person.email})
    found["reset"] = post_office.wait(person.email, subject="new password").token
    person.post("/auth/email/change", json={"email": f"x{person.email}", "password": PASSWORD})
    found["email"] = post_office.wait(f"x{person.email}").token
    return found


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
