"""One mailbox, one account: every spelling of an address means the same person."""

import unicodedata
import uuid

import pytest

from tests.support.cast import PASSWORD, refused


def register(client, **fields):
    body = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, **fields}
    return client.post("/api/v1/auth/register", json=body)


def signed_in(client, **login):
    return client.post("/api/v1/auth/token", json={"password": PASSWORD, **login})


# IV-6
SAME_PERSON = {
    "upper case": ("{}mike@example.com", "{}MIKE@EXAMPLE.com"),
    "fullwidth": ("{}mike@example.com", "{}ｍｉｋｅ@example.com"),
    "fullwidth domain": ("{}mike@example.com", "{}mike@ｅxample.com"),
    "Kelvin sign": ("{}kelvin@example.com", "{}\u212aelvin@example.com"),
    "decomposed": ("{}josé@example.com", unicodedata.normalize("NFD", "{}josé@example.com")),
    "upper case of the decomposed": (
        "{}josé@example.com",
        unicodedata.normalize("NFD", "{}JOSÉ@example.com"),
    ),
    "IDN": ("{}mike@bücher.example.com", "{}mike@xn--bcher-kva.example.com"),
    "IDN, upper case": ("{}mike@bücher.example.com", "{}mike@BÜCHER.example.com"),
    "IDN, decomposed": ("{}mike@bücher.example.com", "{}mike@bu\u0308cher.example.com"),
    "spaces around": ("{}mike@example.com", "  {}mike@example.com "),
}


# IV-6
@pytest.mark.parametrize(("one", "other"), SAME_PERSON.values(), ids=SAME_PERSON)
def test_one_mailbox_has_one_account_however_it_is_spelt(client, one, other):
    prefix = uuid.uuid4().hex
    made = register(client, email=one.format(prefix))
    assert made.status_code == 201
    refused(register(client, email=other.format(prefix)), 409, "email_taken")
    assert signed_in(client, email=other.format(prefix)).status_code == 200
    assert made.json["email"] == one.format(prefix)


# IV-6
@pytest.mark.parametrize("other", ["m\u0131ke", "mık\u0435", "mike.", "mi.ke", "mike+1"])
def test_a_look_alike_is_somebody_else(client, other):
    prefix = uuid.uuid4().hex
    victim = register(client, email=f"{prefix}mike@example.com")
    assert victim.status_code == 201
    answer = register(client, email=f"{prefix}{other}@example.com", password="another pass phrase")
    assert answer.status_code in {201, 422}
    assert answer.json.get("id") != victim.json["id"]
    refused(signed_in(client, email=f"{prefix}{other}@example.com"), 401, "invalid_credentials")
    assert signed_in(client, email=f"{prefix}mike@example.com").status_code == 200
