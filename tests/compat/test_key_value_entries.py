"""User management with key-value data: the data."""

import unicodedata
from urllib.parse import quote

import pytest

from contactapp.compat.key_value_errors import CODES
from tests.data.test_keys import KEYS
from tests.support.cast import Cast
from tests.support.key_values import bearer, told

URL = "/api/data"
VERBS = [("POST", ""), ("GET", "/k"), ("PUT", "/k"), ("DELETE", "/k")]
VALUES = [True, False, 0, -1, 2**53 - 1, 1.5, "", "text", "Zoë 🜚", [], {}, [1, [None]], {"a": {}}]


def at(key):
    return f"{URL}/{quote(key, safe='')}"


def ask(person, method, path, headers=None, **kwargs):
    given = {**bearer(person.access), **(headers or {})}
    return person.app.test_client().open(path, method=method, headers=given, **kwargs)


def store(person, key, value):
    return ask(person, "POST", URL, json={"key": key, "value": value})


def exactly(answer, code):
    """The system's own message and nothing after it."""
    assert told(answer, CODES[code].status, code) == CODES[code].message


def test_an_entry_is_stored_shown_updated_and_deleted(alice):
    answer = ask(alice, "POST", f"{URL}/", json={"key": "colour", "value": "red"})
    stored = {"status": "success", "message": "Data stored successfully."}
    assert (answer.status_code, answer.json) == (201, stored)
    for value in ("red", "blue"):
        answer = ask(alice, "GET", f"{URL}/colour")
        shown = {"status": "success", "data": {"key": "colour", "value": value}}
        assert (answer.status_code, answer.json) == (200, shown)
        answer = ask(alice, "PUT", f"{URL}/colour", json={"value": "blue"})
        updated = {"status": "success", "message": "Data updated successfully."}
        assert (answer.status_code, answer.json) == (200, updated)
    answer = ask(alice, "DELETE", f"{URL}/colour")
    deleted = {"status": "success", "message": "Data deleted successfully."}
    assert (answer.status_code, answer.json) == (200, deleted)
    exactly(ask(alice, "GET", f"{URL}/colour"), "KEY_NOT_FOUND")


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_any_json_but_null(alice, value):
    assert store(alice, "k", value).status_code == 201
    for method in ("POST", "PUT"):
        shown = ask(alice, "GET", at("k")).json["data"]["value"]
        assert (shown, type(shown)) == (value, type(value))
        if method == "POST":
            assert ask(alice, "PUT", at("k"), json={"value": [value]}).status_code == 200
            assert ask(alice, "PUT", at("k"), json={"value": value}).status_code == 200


def test_it_is_the_apis_own_entry(alice):
    store(alice, "k", {"a": 1})
    native = alice.get("/data/k")
    assert native.json["value"] == {"a": 1}
    alice.put("/data/k", json={"value": None})
    assert ask(alice, "GET", at("k")).json["data"] == {"key": "k", "value": None}
    alice.delete("/data/k")
    exactly(ask(alice, "GET", at("k")), "KEY_NOT_FOUND")


def test_a_key_that_is_there_stays(alice):
    store(alice, "k", 1)
    exactly(store(alice, "k", 2), "KEY_EXISTS")
    assert alice.get("/data/k").json["value"] == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_absent_key_is_not_found_and_an_update_makes_none(alice, method):
    body = {"value": 1} if method == "PUT" else None
    exactly(ask(alice, method, at("k"), json=body), "KEY_NOT_FOUND")
    assert alice.get("/data/k").status_code == 404


# AZ-2
def test_two_users_own_the_same_key(cast):
    for person in (cast.alice, cast.bob):
        assert store(person, "k", person.name).status_code == 201
    ask(cast.bob, "PUT", at("k"), json={"value": "another"})
    assert ask(cast.alice, "GET", at("k")).json["data"]["value"] == cast.alice.name
    ask(cast.bob, "DELETE", at("k"))
    exactly(ask(cast.bob, "GET", at("k")), "KEY_NOT_FOUND")
    assert ask(cast.alice, "GET", at("k")).status_code == 200


# AZ-2
def test_a_strangers_key_is_as_one_that_is_not_there(cast):
    store(cast.alice, "secret-marker", "value-marker")
    same = {"X-Request-ID": "the-same"}
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        body = {"value": 1} if method == "PUT" else None
        found = [
            ask(cast.bob, method, at(key), json=body, headers=same)
            for key in ("secret-marker", "absent")
        ]
        assert [answer.status_code for answer in found] == [404, 404]
        assert found[0].data == found[1].data
    assert ask(cast.alice, "GET", at("secret-marker")).json["data"]["value"] == "value-marker"


# IV-9
def test_a_key_is_what_it_is_by_every_verb(alice):
    for key in KEYS:
        normal = unicodedata.normalize("NFC", key)
        assert store(alice, key, 1).status_code == 201, key
        exactly(store(alice, key, 1), "KEY_EXISTS")
        assert ask(alice, "PUT", at(key), json={"value": 2}).status_code == 200, key
        answer = ask(alice, "GET", at(key))
        assert answer.json["data"] == {"key": normal, "value": 2}
        assert ask(alice, "HEAD", at(key)).headers["Content-Length"] == str(len(answer.data))
        assert ask(alice, "DELETE", at(key)).status_code == 200, key
        exactly(ask(alice, "GET", at(key)), "KEY_NOT_FOUND")


@pytest.mark.parametrize(
    "body", [{}, {"key": ""}, {"key": None}, {"key": 5}, {"key": []}, {"key": {}}]
)
def test_a_key_must_be_given(alice, body):
    exactly(ask(alice, "POST", URL, json={**body, "value": 1}), "INVALID_KEY")


# IV-1
@pytest.mark.parametrize("key", ["a\0b", "x" * 256, "e\u0301" * 256, "\u0301" * 100_000])
def test_what_is_no_key_is_told_with_the_reason(alice, key):
    message = told(store(alice, key, 1), 400, "INVALID_KEY", CODES["INVALID_KEY"].message)
    assert len(message) > len(CODES["INVALID_KEY"].message)
    if len(key) <= 256:
        for method in ("GET", "PUT", "DELETE"):
            told(ask(alice, method, at(key), json={"value": 1}), 400, "INVALID_KEY")


# IV-1
@pytest.mark.parametrize("raw", ["\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf"])
def test_a_path_that_is_not_utf_8_is_no_key(alice, raw):
    for method in ("GET", "PUT", "DELETE"):
        environ = {"PATH_INFO": f"{URL}/{raw}"}
        answer = ask(alice, method, at("k"), json={"value": 1}, environ_overrides=environ)
        told(answer, 400, "INVALID_KEY")


@pytest.mark.parametrize("body", [{}, {"value": None}])
def test_a_value_must_be_given(alice, body):
    exactly(ask(alice, "POST", URL, json={**body, "key": "k"}), "INVALID_VALUE")
    store(alice, "k", 1)
    exactly(ask(alice, "PUT", at("k"), json=body), "INVALID_VALUE")
    assert alice.get("/data/k").json["value"] == 1


# IV-1, IV-2, IV-4
@pytest.mark.parametrize(
    "value", ["a\0b", ["\ud800"], {"\0": 1}, 2**53, [2**63], "x" * 65_535, ["é" * 40_000]]
)
def test_a_value_that_cannot_be_kept_is_told_with_the_reason(alice, value):
    message = told(store(alice, "k", value), 400, "INVALID_VALUE", CODES["INVALID_VALUE"].message)
    assert len(message) > len(CODES["INVALID_VALUE"].message)
    store(alice, "k", 1)
    told(ask(alice, "PUT", at("k"), json={"value": value}), 400, "INVALID_VALUE")
    assert alice.get("/data/k").json["value"] == 1


def test_the_key_is_told_before_the_value(alice):
    exactly(ask(alice, "POST", URL, json={}), "INVALID_KEY")


# AZ-4
def test_other_names_in_a_body_are_ignored(alice, bob):
    body = {"key": "k", "value": 1, "user_id": bob.id, "ttl": "soon", "version": 7}
    assert ask(alice, "POST", URL, json=body).status_code == 201
    assert ask(alice, "PUT", at("k"), json={**body, "key": "other"}).status_code == 200
    shown = alice.get("/data/k").json
    assert (shown["version"], shown["expires_at"]) == (1, None)
    exactly(ask(bob, "GET", at("k")), "KEY_NOT_FOUND")


# CC-3
def test_who_sends_if_match_overwrites_nothing(alice):
    store(alice, "k", 1)
    tag = {"If-Match": ask(alice, "GET", at("k")).headers["ETag"]}
    assert ask(alice, "PUT", at("k"), json={"value": 2}, headers=tag).status_code == 200
    for method in ("PUT", "DELETE"):
        answer = ask(alice, method, at("k"), json={"value": 3}, headers=tag)
        told(answer, 412, "VERSION_MISMATCH")
    exactly(ask(alice, "PUT", at("absent"), json={"value": 3}, headers=tag), "KEY_NOT_FOUND")
    assert alice.get("/data/k").json["value"] == 2


def test_what_was_read_before_is_not_sent_again(alice):
    store(alice, "k", 1)
    tag = ask(alice, "GET", at("k")).headers["ETag"]
    answer = ask(alice, "GET", at("k"), headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")


def test_the_quota_is_the_apis(new_app):
    alice = Cast(new_app("sqlite", DATA_MAX_ENTRIES="2")).alice
    alice.put("/data/a", json={"value": 1})
    assert store(alice, "b", 1).headers["X-Data-Entries-Remaining"] == "0"
    told(store(alice, "c", 1), 403, "QUOTA_EXCEEDED", "2 of 2 entries")
    assert ask(alice, "PUT", at("b"), json={"value": 2}).status_code == 200
    assert ask(alice, "DELETE", at("b")).status_code == 200
    assert store(alice, "c", 1).status_code == 201


# TK-2
def test_every_kind_of_missing_or_bad_token_is_one_code(cast):
    gone = Cast(cast.app).bob
    gone.post("/auth/logout?scope=all")
    for header in (
        *(None, "", "Bearer", "Bearer ", "Bearer nonsense", f"Token {cast.alice.access}"),
        *(f"Bearer {cast.alice.refresh}", f"Bearer {gone.access}", f"Bearer {'x' * 3000}"),
        cast.alice.access,
    ):
        headers = {} if header is None else {"Authorization": header}
        for method, path in (
            ("POST", URL),
            ("GET", at("k")),
            ("PUT", at("k")),
            ("DELETE", at("k")),
        ):
            answer = cast.app.test_client().open(path, method=method, headers=headers, json={})
            exactly(answer, "INVALID_TOKEN")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
