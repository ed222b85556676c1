"""Another address for an account."""

import uuid

import pytest

from tests.mail.conftest import assert_refused
from tests.support.cast import PASSWORD, Person

CHANGE, CONFIRM = "/auth/email/change", "/auth/email/confirm"


@pytest.fixture
def address():
    return f"new-{uuid.uuid4().hex[:12]}@example.com"


@pytest.fixture
def asked(ann, address, post_office):
    """The letter to the new address."""
    answer = ann.post(CHANGE, json={"email": address, "password": PASSWORD})
    assert answer.status_code == 202
    return post_office.wait(address)


# AU-6
def test_the_address_changes_only_when_the_new_one_confirms(ann, address, asked, visitor):
    assert ann.get("/users/me").json["email"] == ann.email
    assert visitor.post(CONFIRM, {"token": asked.token}).status_code == 200
    me = ann.get("/users/me").json
    assert (me["email"], me["email_verified"]) == (address, True)
    old = {"email": ann.email, "password": PASSWORD}
    new = {"email": address, "password": PASSWORD}
    assert visitor.post("/auth/token", old).status_code == 401
    assert visitor.post("/auth/token", new).status_code == 200
    assert_refused(visitor.post(CONFIRM, {"token": asked.token}), "invalid_link")


# AU-6
def test_the_old_address_is_told(ann, asked, visitor, post_office):
    visitor.post(CONFIRM, {"token": asked.token})
    letter = post_office.wait(ann.email, subject="Your e-mail address was changed")
    assert "another e-mail address now" in letter.text


def test_the_page_does_the_same(ann, address, asked, visitor):
    assert "Confirm your new e-mail address" in visitor.client.get(asked.path).text
    page = visitor.client.post("/account/email", data={"token": asked.token})
    assert "Your e-mail address was changed." in page.text
    assert ann.get("/users/me").json["email"] == address


# AU-6
def test_it_takes_the_password(ann, address, post_office):
    answer = ann.post(CHANGE, json={"email": address, "password": "not this one"})
    assert_refused(answer, "wrong_password", 403)
    assert_refused(ann.post(CHANGE, json={"email": address}), "invalid_fields", 422)
    assert post_office.to(address) == []


def test_a_taken_address_is_refused_when_asked_and_when_confirmed(
    app, ann, address, asked, visitor
):
    other = Person(app, "other")
    answer = ann.post(CHANGE, json={"email": other.email.upper(), "password": PASSWORD})
    assert_refused(answer, "email_taken", 409)
    fields = {"email": address, "password": PASSWORD}
    assert visitor.post("/auth/register", fields).status_code == 201
    assert_refused(visitor.post(CONFIRM, {"token": asked.token}), "email_taken", 409)
    assert ann.get("/users/me").json["email"] == ann.email


def test_mail_to_the_old_address_is_worth_nothing_afterwards(ann, asked, visitor, post_office):
    verify = post_office.wait(ann.email).token
    visitor.post("/auth/password/forgot", {"email": ann.email})
    reset = post_office.wait(ann.email, subject="new password").token
    assert visitor.post(CONFIRM, {"token": asked.token}).status_code == 200
    assert_refused(visitor.post("/auth/verify-email", {"token": verify}), "invalid_link")
    body = {"token": reset, "new_password": "a quite different phrase"}
    assert_refused(visitor.post("/auth/password/reset", body), "invalid_link")
