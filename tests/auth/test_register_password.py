"""POST /auth/register: which passwords may be chosen, and that they work afterwards."""

import uuid

import pytest

from tests.support.cast import PASSWORD, refused


def register(client, **fields):
    body = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, **fields}
    return client.post("/api/v1/auth/register", json=body)


def signed_in(client, **login):
    return client.post("/api/v1/auth/token", json={"password": PASSWORD, **login})


# AU-4
ANY_LENGTH = {
    "72 bytes": "a7" * 36,
    "73 bytes": "a7" * 36 + "b",
    "200 bytes": "a7" * 100,
    "24 euros": "€" * 24,
    "25 euros": "€" * 25,
    "64 emoji": "🦔" * 64,
    "the maximum": "🦔" * 256,
}


# AU-4
@pytest.mark.parametrize("password", ANY_LENGTH.values(), ids=ANY_LENGTH)
def test_a_password_of_any_byte_length_registers_and_signs_in(client, password):
    email = f"{uuid.uuid4().hex}@example.com"
    assert register(client, email=email, password=password).status_code == 201
    assert signed_in(client, email=email, password=password).status_code == 200
    for other in (password[:-1], password + "x"):
        refused(signed_in(client, email=email, password=other), 401, "invalid_credentials")


# AU-4
def test_an_over_long_password_is_refused_and_never_right(client):
    email = f"{uuid.uuid4().hex}@example.com"
    assert register(client, email=email, password="a7" * 128).status_code == 201
    for password in ("a7" * 128 + "b", "a7" * 100_000):
        refused(register(client, password=password), 422, "invalid_fields", "/password")
        refused(signed_in(client, email=email, password=password), 401, "invalid_credentials")


# AU-4
def test_a_nul_in_a_password_is_refused(client):
    refused(register(client, password="correct\0horse"), 422, "invalid_fields", "/password")


# AU-5
WEAK = {
    "seven characters": ("x7!kQ2#", "password_too_short"),
    "one of the commonest": ("password1", "password_too_common"),
    "breached": ("iloveyou1", "password_too_common"),
    "the product": ("Contactapp2024!", "password_too_personal"),
}


# AU-5
@pytest.mark.parametrize(("password", "code"), WEAK.values(), ids=WEAK)
def test_it_refuses_a_weak_password(client, password, code):
    problem = refused(register(client, password=password), 422, "invalid_fields", "/password")
    assert code in [error["code"] for error in problem["errors"]]


# AU-5
def test_it_refuses_the_own_name_as_password(client):
    name = uuid.uuid4().hex
    for fields in ({"username": name}, {"email": f"{name}@example.com"}):
        problem = refused(register(client, password=name, **fields), 422, "invalid_fields")
        assert [error["code"] for error in problem["errors"]] == ["password_too_personal"]


# AU-5
@pytest.mark.parametrize("password", ["a b" * 40, "        x", "ÄÖÜ äöü ß", "aaaaaaab", "0x7f0x7f"])
def test_any_composition_is_welcome(client, password):
    email = f"{uuid.uuid4().hex}@example.com"
    assert register(client, email=email, password=password).status_code == 201
    assert signed_in(client, email=email, password=password).status_code == 200
