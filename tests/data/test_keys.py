"""What a key may be, and how an address says it."""

import unicodedata
from urllib.parse import quote

import pytest

from tests.support.cast import Person, refused
from tests.support.engines import on_one_engine

# IV-9
KEYS = [
    *("a", " ", "  two  words ", ".", "..", "../etc/passwd", "a/../b", "./a", "a/.", "a/.."),
    *("/", "//", "/a", "a/", "a//b", "a/b/c/", "%2F", "%00", "%", "100%", "a%2Fb", "+", "a+b"),
    *("?", "a?b=c", "#", "a#b", "a;b", "a&b=c", "{key}", "<key>", "\\", "'", '"', "' OR 1=1 --"),
    *("\n", "a\nb", "\r\n", "\t", "\x01", "\x7f", "increment", "a/increment", "/increment"),
    *("é", "日本語", "🜚", "\u200d", "\ufeff", "\ufffd", "a\u0301", "ﬁ", "\U0010ffff", "\ud7ff"),
    *("x" * 255, "é" * 255, "🜚" * 255, "e\u0301" * 255),
]


def at(key, end=""):
    return f"/data/{quote(key, safe='')}{end}"


@pytest.fixture(scope="module")
def owner(app):
    """Somebody for all keys: each is deleted again."""
    return Person(app, "olga")


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key)[:30])
def test_a_key_is_what_it_is_by_every_verb(owner, key):
    normal = unicodedata.normalize("NFC", key)
    made = owner.post("/data", json={"key": key, "value": 1})
    assert (made.status_code, made.json["key"]) == (201, normal)
    assert made.headers["Location"].isascii()
    followed = owner.get(made.headers["Location"].removeprefix("/api/v1"))
    assert followed.json == made.json
    first = made.json["version"]
    assert owner.put(at(key), json={"value": 2}).json["version"] == first + 1
    assert owner.patch(at(key), json={"value": 3}).json["version"] == first + 2
    assert owner.post(at(key, "/increment"), json={}).json["value"] == 4
    refused(owner.post("/data", json={"key": key, "value": 1}), 409, "key_exists")
    assert owner.request("HEAD", at(key)).status_code == 200
    assert owner.delete(at(key)).status_code == 204
    refused(owner.get(at(key)), 404, "key_not_found")


# IV-9
@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a/b", "a%2Fb"),
        ("a.b", "a.b"),
        ("é", "%C3%A9"),
        ("?", "%3F"),
    ],
)
def test_the_place_of_an_entry_means_it_to_any_client(alice, key, said):
    """Which would take `..` for the path above, and may take slashes together."""
    answer = alice.post("/data", json={"key": key, "value": 1})
    assert answer.headers["Location"] == f"/api/v1/data/{said}"


# IV-9
def test_keys_that_look_alike_are_different(alice):
    """But for the two ways to write one text, NFC and NFD."""
    keys = ["a", "A", " a", "a ", "/a", "a/", "//a", "./a", "a\n", "ａ", "a/.", "%61"]
    for number, key in enumerate(keys):
        assert alice.put(at(key), json={"value": number}).status_code == 201
    for number, key in enumerate(keys):
        assert alice.get(at(key)).json["value"] == number
    assert alice.put(at("é"), json={"value": 1}).status_code == 201
    assert alice.put(at("e\u0301"), json={"value": 2}).status_code == 200


# IV-9
def test_a_slash_may_come_as_it_is(alice):
    alice.put(at("a//b/"), json={"value": 1})
    assert alice.get("/data/a//b/").json["key"] == "a//b/"
    assert alice.get("/data/a%2F/b/").json["key"] == "a//b/"
    refused(alice.get("/data/a//b"), 404, "key_not_found")


# IV-1
@on_one_engine
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        *(("%00", "invalid_text"), ("a%00b", "invalid_text")),
        *(("x" * 256, "too_long"), ("%F0%9F%9C%9A" * 256, "too_long")),
        # one character that NFC makes three of, and 255 that it makes more of
        ("%EF%AC%AC" * 100, "too_long"),
    ],
)
def test_what_is_no_key_in_a_path_is_422(alice, raw, code):
    for method, end in (("GET", ""), ("PUT", ""), ("PATCH", ""), ("DELETE", "")):
        answer = alice.request(method, f"/data/{raw}{end}", json={"value": 1})
        assert refused(answer, 422, "invalid_fields", "/key")["errors"][0]["code"] == code
    answer = alice.post(f"/data/{raw}/increment", json={})
    refused(answer, 422, "invalid_fields", "/key")


# IV-1
@pytest.mark.parametrize("raw", ["\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xef\xbf\xbd\xff"])
def test_a_path_that_is_not_utf_8_is_422(alice, raw):
    """As a server hands it over; the test client would make text of it."""
    for method, end in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/increment")):
        environ = {"PATH_INFO": f"/api/v1/data/{raw}{end}"}
        body = {} if end else {"value": 1}
        answer = alice.request(method, "/data/k", json=body, environ_overrides=environ)
        refused(answer, 422, "invalid_fields", "/key")


# IV-1
@on_one_engine
@pytest.mark.parametrize(
    "key",
    ["", "a\0b", "x" * 256, "\ufb2c" * 100, "e\u0301" * 256, "\u0301" * 100_000, 5, None, [], {}],
    ids=lambda key: ascii(key)[:20],
)
def test_what_is_no_key_in_a_body_is_422(alice, key):
    answer = alice.post("/data", json={"key": key, "value": 1})
    refused(answer, 422, "invalid_fields", "/key")


# IV-1
def test_a_surrogate_in_a_key_is_422(alice):
    sent = {"data": b'{"key":"\\ud800","value":1}', "content_type": "application/json"}
    refused(alice.post("/data", **sent), 422, "invalid_fields", "/key")


def test_the_address_without_a_key_is_the_list(alice):
    assert alice.post("/data/", json={"key": "a", "value": 1}).status_code == 201
    for method in ("PUT", "PATCH", "DELETE"):
        refused(alice.request(method, "/data/", json={"value": 1}), 405, "method_not_allowed")
