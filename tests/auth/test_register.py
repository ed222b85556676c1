"""POST /auth/register."""

import uuid

import pytest

from tests.support.cast import PASSWORD, refused
from tests.support.engines import on_one_engine

URL = "/api/v1/auth/register"


def unique(name="ada"):
    return f"{name}-{uuid.uuid4().hex[:12]}"


def email_of(name="ada"):
    return f"{unique(name)}@example.com"


def register(client, **fields):
    return client.post(URL, json={"email": email_of(), "password": PASSWORD, **fields})


def signed_in(client, **login):
    return client.post("/api/v1/auth/token", json={"password": PASSWORD, **login})


def test_it_makes_an_account_with_the_whole_profile(client):
    profile = {
        "username": unique("Ada"),
        "full_name": "Ada King, Countess of Lovelace",
        "age": 36,
        "gender": "female",
        "timezone": "Europe/London",
    }
    email = email_of()
    answer = register(client, email=email, **profile)
    assert answer.status_code == 201
    made = answer.json
    assert made.pop("message")
    assert made["user_id"] == made["id"] > 0
    assert made.items() >= {**profile, "email": email, "role": "user"}.items()
    assert (made["email_verified"], made["contact_count"], made["version"]) == (False, 0, 1)
    token = signed_in(client, email=email).json["access_token"]
    shown = client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
    assert shown.json == made


def test_it_asks_for_no_more_than_an_address_and_a_password(client):
    made = register(client).json
    names = ("username", "full_name", "age", "gender", "timezone")
    assert [made[name] for name in names] == [None] * 5


def test_it_takes_the_body_of_the_earlier_notes_system(client):
    name = unique("testuser")
    body = {"username": name, "email": f"{name}@example.com", "password": "securepassword123"}
    answer = client.post(URL, json=body)
    assert answer.status_code == 201
    assert (answer.json["username"], answer.json["email"]) == (name, body["email"])
    form = {"username": name, "password": "securepassword123"}
    assert client.post("/api/v1/auth/token", data=form).status_code == 200


def test_the_password_is_in_no_answer(client):
    answer = register(client)
    assert PASSWORD not in answer.text
    assert not {"password", "password_hash"} & answer.json.keys()


# AU-3
def test_it_says_clearly_that_an_address_is_taken(client):
    email = email_of()
    assert register(client, email=email).status_code == 201
    refused(register(client, email=email), 409, "email_taken")


# AU-3
def test_it_says_clearly_that_a_user_name_is_taken(client):
    name = unique("Ada")
    assert register(client, username=name).status_code == 201
    for spelling in (name, name.upper(), f" {name} ", name.replace("A", "Ａ")):
        refused(register(client, username=spelling), 409, "username_taken")


def test_a_refused_account_leaves_its_address_free(client):
    email, name = email_of(), unique()
    assert register(client, username=name).status_code == 201
    refused(register(client, email=email, username=name), 409, "username_taken")
    assert register(client, email=email).status_code == 201


def test_it_names_every_wrong_field_at_once(client):
    body = {
        "email": "nobody",
        "username": "a@b",
        "full_name": "x" * 201,
        "age": 151,
        "gender": "y" * 51,
        "timezone": "Mars/Olympus_Mons",
        "shoe_size": 44,
    }
    problem = refused(client.post(URL, json=body), 422, "invalid_fields")
    found = {error["pointer"] for error in problem["errors"]}
    assert found == {f"/{name}" for name in (*body, "password")}


WRONG = {
    "email": [None, 7, "", "a b@example.com", "a@", "@example.com", "a@b@example.com", "a@host"],
    "username": ["", " ", "x" * 65, "a@b", "a＠b", "a\u200bb", "a\u202eb", "a\nb", 7],
    "full_name": [7, "x" * 201, "nul\0", "\ud800"],
    "age": [-1, 151, 36.5, "36", True, 2**53],
    "gender": [7, "x" * 51],
    "timezone": ["", "Nowhere", "../etc/passwd", 7],
    "password": [None, 7, ""],
}


@on_one_engine
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_it_refuses_a_wrong_value(client, name, value):
    refused(register(client, **{name: value}), 422, "invalid_fields", f"/{name}")


# AZ-4
@pytest.mark.parametrize(
    "name", ["id", "role", "is_admin", "active", "email_verified", "contact_limit", "PASSWORD"]
)
def test_it_refuses_a_name_it_does_not_know(client, name):
    problem = refused(register(client, **{name: True}), 422, "invalid_fields", f"/{name}")
    assert [error["code"] for error in problem["errors"]] == ["unknown_field"]


@pytest.mark.parametrize("name", ["x", "x" * 64, "Ada Lovelace", "Ада", "愛", "O'Brien-42"])
def test_a_user_name_is_almost_any_text_without_an_at_sign(client, name):
    answer = register(client, username=name)
    # Short ones cannot be made unique, and both engines and repeated runs share no database.
    assert answer.status_code in {201, 409}
    if answer.status_code == 201:
        assert answer.json["username"] == name
        assert signed_in(client, username=name.upper()).status_code == 200


def test_it_takes_json_and_nothing_else(client):
    form = client.post(URL, data={"email": email_of(), "password": PASSWORD})
    refused(form, 415, "unsupported_media_type")
    refused(client.post(URL, json=["email"]), 400, "malformed_body")


# AU-3
def test_an_address_may_register_only_so_often(engine, new_app):
    client = new_app(engine, REGISTER_RATE_LIMITS="3 per hour").test_client()
    taken = email_of()
    statuses = [register(client, email=taken).status_code for _ in range(3)]
    assert statuses == [201, 409, 409]
    answer = register(client)
    refused(answer, 429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert signed_in(client, email=taken).status_code == 200
