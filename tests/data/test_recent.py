"""A process remembers what it read last, and shows nothing that is not so any more."""

import pytest

from contactapp import clock
from contactapp.actor import Book
from contactapp.data import reading
from contactapp.data.entry import Entry, Meta
from contactapp.data.recent import LARGEST, RecentEntries
from tests.support.cast import Person, refused


@pytest.fixture
def opens(monkeypatch):
    """The keys that were opened."""
    found, real = [], reading.opened

    def opened(cipher, store, row):
        found.append(row[1])
        return real(cipher, store, row)

    monkeypatch.setattr(reading, "opened", opened)
    return found


def test_an_entry_is_opened_once(alice, opens):
    alice.put("/data/k", json={"value": 1})
    first = alice.get("/data/k")
    for _ in range(3):
        assert alice.get("/data/k").json == first.json
    assert opens == ["k"]


def test_a_long_value_is_opened_each_time(alice, opens):
    alice.put("/data/k", json={"value": "x" * LARGEST})
    for _ in range(3):
        alice.get("/data/k")
    assert opens == ["k"] * 3


def test_a_write_of_another_process_shows_at_once(engine, app, new_app, cast):
    alice = cast.alice
    other = new_app(engine, app.extensions["contactapp.settings"].database_url)
    there = Person.__new__(Person)
    there.__dict__ = {**alice.__dict__, "app": other}
    alice.put("/data/k", json={"value": 1})
    for number in range(2, 5):
        assert alice.get("/data/k").json["value"] == number - 1
        assert there.put("/data/k", json={"value": number}).status_code == 200
        assert alice.get("/data/k").json["value"] == number
    there.delete("/data/k")
    refused(alice.get("/data/k"), 404, "key_not_found")
    there.put("/data/k", json={"value": 9})
    assert alice.get("/data/k").json["value"] == 9


def test_a_remembered_entry_expires(alice, monkeypatch):
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    alice.put("/data/k", json={"value": 1, "ttl": 5})
    assert alice.get("/data/k").status_code == 200
    now += 5000
    refused(alice.get("/data/k"), 404, "key_not_found")


def test_nobody_is_shown_what_another_reads(alice, bob):
    for person, value in ((alice, "hers"), (bob, "his")):
        person.put("/data/k", json={"value": value})
    for _ in range(2):
        assert alice.get("/data/k").json["value"] == "hers"
        assert bob.get("/data/k").json["value"] == "his"


def test_the_least_recently_used_goes_first():
    kept = RecentEntries(capacity=3 * 1200)
    store = Book(0, 1, 1, 7, 1, b"head", "owner")

    def entry(key):
        return Entry(Meta(1, key, 1, 10, None, 0, 0), b"x" * 10)

    for key in "abc":
        kept.keep(store, b"head", entry(key))
    assert kept.get(store, "a") is not None
    for _ in range(3):
        kept.keep(store, b"head", entry("d"))
    assert [key for key in "abcd" if kept.get(store, key)] == ["a", "c", "d"]
    assert kept.size <= 3 * 1200
    assert kept.get(store._replace(head=b"other"), "a") is None
    assert kept.get(store._replace(stream_id=8), "a") is None
