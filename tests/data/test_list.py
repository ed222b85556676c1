"""The list of a user's entries: order, prefixes, pages, sparse objects, tags."""

from urllib.parse import quote

import pytest

from contactapp import clock
from contactapp.data import reading
from tests.support.cast import refused

# In the order of their code points, which neither a locale's nor UTF-16's order is.
ORDERED = [
    *("\n", " ", "-a", "A", "A/1", "A/2", "A/2/x", "A0", "B", "Z", "_", "a", "a b", "ab", "z"),
    *("ä", "Ω", "日", "\ud7ff", "\uffee", "🜚", "🜚a", "\U0010fffe", "\U0010ffff"),
    "\U0010ffff\U0010ffff",
]


def keys(answer):
    assert answer.status_code == 200, answer.text
    return [item["key"] for item in answer.json["items"]]


def walk(person, query):
    """All keys, page by page, and the number of pages."""
    found, pages, following = [], 0, f"/data?{query}"
    while following:
        assert pages < 100, "it goes round in circles"
        answer = person.get(following)
        found += keys(answer)
        pages += 1
        cursor = answer.json["next_cursor"]
        following = cursor and f"/data?{query}&cursor={cursor}"
    return found, pages


@pytest.fixture
def filled(alice):
    for number, key in enumerate(reversed(ORDERED)):
        assert alice.post("/data", json={"key": key, "value": number}).status_code == 201
    return alice


def test_keys_come_in_the_order_of_their_code_points(filled):
    assert keys(filled.get("/data")) == ORDERED == sorted(ORDERED)
    found, pages = walk(filled, "limit=5")
    assert (found, pages) == (ORDERED, 5)


@pytest.mark.parametrize(
    "prefix", ["", "A", "A/", "A/2", "a", "\ud7ff", "🜚", "\U0010fffe", "\U0010ffff", "x"]
)
def test_a_prefix_finds_the_keys_that_begin_so(filled, prefix):
    wanted = [key for key in ORDERED if key.startswith(prefix)]
    answer = filled.get(f"/data?prefix={quote(prefix)}")
    assert (keys(answer), answer.json["total"]) == (wanted, len(wanted))
    if wanted:
        assert walk(filled, f"limit=1&prefix={quote(prefix)}") == (wanted, len(wanted))


def test_a_prefix_is_a_text_in_nfc_too(alice):
    alice.put(f"/data/{quote('é1')}", json={"value": 1})
    assert keys(alice.get("/data?prefix=e%CC%81")) == ["é1"]


def test_what_is_no_prefix_is_422(alice):
    for raw in ("%00", "x" * 256, "%F0%9F%9C%9A" * 256):
        refused(alice.get(f"/data?prefix={raw}"), 422, "invalid_fields", "?prefix")
    refused(alice.get("/data?prefix=%ff"), 400, "bad_request")


def test_the_longest_keys_fit_into_cursors_and_request_lines(alice):
    long = ["🜚" * 254 + "a", "🜚" * 254 + "b", "\x01" * 255]
    for key in long:
        alice.put(f"/data/{quote(key, safe='')}", json={"value": 1})
    answer = alice.get(f"/data?limit=1&prefix={quote('🜚' * 254)}")
    assert len(answer.headers["Link"]) < 4000
    assert walk(alice, "limit=1")[0] == sorted(long)


def test_a_cursor_belongs_to_its_prefix(filled):
    cursor = filled.get("/data?limit=1&prefix=A").json["next_cursor"]
    for query in ("", "prefix=B&", "prefix=A/&"):
        refused(filled.get(f"/data?{query}cursor={cursor}"), 400, "cursor_mismatch")


def test_a_cursor_goes_on_where_its_key_was_deleted(filled):
    cursor = filled.get("/data?limit=3&prefix=A").json["next_cursor"]
    for key in ("A/2", "A/2/x"):
        filled.delete(f"/data/{quote(key)}")
    assert keys(filled.get(f"/data?prefix=A&cursor={cursor}")) == ["A0"]


def test_only_the_asked_fields_are_shown(filled, monkeypatch):
    items = filled.get("/data?fields=version,key&limit=2").json["items"]
    assert [list(item) for item in items] == [["version", "key"]] * 2
    whole = filled.get("/data?limit=2").json["items"]
    assert filled.get("/data?fields=value&limit=2").json["items"] == [
        {"value": item["value"]} for item in whole
    ]
    refused(filled.get("/data?fields=key,sealed"), 400, "unknown_parameter")

    def closed(*_):
        raise AssertionError("a value was opened")

    monkeypatch.setattr(reading, "opened", closed)
    assert len(filled.get("/data?fields=key,version,size,expires_at").json["items"]) == len(ORDERED)


@pytest.mark.parametrize("fields", ["", "&fields=key"])
def test_a_page_ends_early_where_values_are_long(alice, monkeypatch, fields):
    monkeypatch.setattr(reading, "PAGE_BYTES", 100)
    names = [f"k{number}" for number in range(9)]
    for name in names:
        alice.put(f"/data/{name}", json={"value": "x" * 48})
    found, pages = walk(alice, f"limit=500{fields}")
    assert (found, pages) == (names, 1 if fields else 5)
    assert keys(alice.get(f"/data?limit=500&skip=4{fields}"))[0] == "k4"


def test_a_list_of_nothing_is_a_page(alice):
    assert alice.get("/data").json == {"items": [], "next_cursor": None, "total": 0}


def test_a_tag_changes_with_every_write_and_every_expiry(alice, monkeypatch):
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    alice.put("/data/a", json={"value": 1, "ttl": 60})
    alice.put("/data/b", json={"value": 1, "ttl": 120})
    seen = set()
    for step in (0, 61_000, 60_000):
        now += step
        answer = alice.get("/data")
        tag = answer.headers["ETag"]
        assert tag not in seen
        seen.add(tag)
        assert alice.get("/data", headers={"If-None-Match": tag}).status_code == 304
        assert answer.json["total"] == len(answer.json["items"]) == 3 - len(seen)
    alice.put("/data/c", json={"value": 1})
    assert alice.get("/data").headers["ETag"] not in seen


def test_a_list_shows_only_ones_own(alice, bob):
    alice.put("/data/a", json={"value": 1})
    bob.put("/data/b", json={"value": 1})
    assert keys(alice.get("/data")) == ["a"]
    answer = alice.get("/data")
    other = bob.get("/data", headers={"If-None-Match": answer.headers["ETag"]})
    assert keys(other) == ["b"]
