"""What is done to data is told: one row of the log each, in the feed, the history and the chain."""

import itertools
import re
import time

import pytest

from contactapp import clock
from contactapp.changes import feed
from contactapp.changes.service import next_head
from contactapp.database import Sql, lane
from contactapp.keyring import keyring
from contactapp.paging import CursorSeal
from tests.support.cast import refused
from tests.support.chains import Story
from tests.support.feed import follow, page

COLUMNS = (
    *("stream_id", "seq", "at", "actor_id", "token_id", "request_id", "operation_id", "entity"),
    *("entity_id", "op", "version", "changed_fields", "sealed_hash"),
)
_ROWS = Sql(
    f"SELECT {', '.join(f'k.{name}' for name in COLUMNS)}, k.head FROM change k "
    "JOIN users u ON u.stream_id = k.stream_id WHERE u.id = ? ORDER BY k.seq"
)
DEEDS = {
    ("POST", "/data"): {"key": "new", "value": "Zaphod"},
    ("PUT", "/data/k"): {"value": "Zaphod"},
    ("PUT", "/data/new"): {"value": "Zaphod"},
    ("PATCH", "/data/k"): {"value": "Zaphod"},
    ("DELETE", "/data/k"): None,
    ("POST", "/data/n/increment"): {},
    ("POST", "/data/new/increment"): {},
}


def log_of(person):
    """The rows of a person's data, checked against the chain."""
    with person.app.app_context():
        chain, head, found = keyring().purpose("chain"), b"\0" * 32, []
        for *values, head_here in lane().all(_ROWS, (person.id,)):
            row = dict(zip(COLUMNS, values, strict=True))
            assert row["seq"] == len(found) + 1
            head = next_head(chain, head, row)
            assert head == bytes(head_here)
            found.append(row)
    return found


def test_every_mutating_route_of_data_is_swept(app):
    rules = {
        (method, rule.rule.removeprefix("/api/v1").rstrip("/"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods & {"POST", "PUT", "PATCH", "DELETE"}
        if rule.rule.startswith("/api/v1/data")
    }
    swept = {(method, re.sub("^/data/[^/]+", "/data/<key:key>", path)) for method, path in DEEDS}
    assert rules == swept


@pytest.fixture
def stored(alice):
    alice.put("/data/k", json={"value": "before"})
    alice.put("/data/n", json={"value": 1})
    return alice


@pytest.mark.parametrize("deed", DEEDS, ids=" ".join)
def test_a_write_leaves_one_row_that_tells_it_and_not_the_value(stored, deed):
    made = deed[1] in {"/data", "/data/new", "/data/new/increment"}
    headers = {"X-Request-ID": "the-deed"}
    answer = stored.request(*deed, json=DEEDS[deed], headers=headers)
    assert answer.status_code == (204 if deed[0] == "DELETE" else 201 if made else 200)
    *before, row = log_of(stored)
    assert len(before) == 2
    assert (row["actor_id"], row["request_id"], row["entity"]) == (stored.id, "the-deed", "data")
    assert row["version"] == row["seq"] == 3
    assert row["op"] == ("create" if made else "delete" if deed[0] == "DELETE" else "update")
    whole = "key value" if made or deed[0] == "DELETE" else "value"
    assert row["changed_fields"] == whole
    if answer.data:
        assert answer.json["version"] == 3


@pytest.mark.parametrize("deed", DEEDS, ids=" ".join)
def test_a_write_that_is_refused_leaves_none(stored, deed):
    body = None if DEEDS[deed] is None else {**DEEDS[deed], "unknown": 1}
    sent = {"headers": {"If-Match": '"v9-00"'}} if body is None else {"json": body}
    assert stored.request(*deed, **sent).status_code in {412, 422}
    assert len(log_of(stored)) == 2


def test_the_feed_tells_of_contacts_and_data_in_their_order(alice, monkeypatch):
    """By a clock that moves on: of two writes in a millisecond the book's is told first."""
    times = itertools.count(clock.now_ms())
    monkeypatch.setattr(clock, "now_ms", lambda: next(times))
    made = [alice.contact()["id"]]
    alice.put("/data/a", json={"value": {"n": 1}, "ttl": 60})
    made.append(alice.contact()["id"])
    alice.put("/data/a", json={"value": 2})
    alice.delete("/data/a")
    items, end = follow(alice)
    assert [(item["type"], item["op"], item["seq"]) for item in items] == [
        *(("contact", "created", 1), ("data", "created", 1), ("contact", "created", 2)),
        *(("data", "updated", 2), ("data", "deleted", 3)),
    ]
    told = [item for item in items if item["type"] == "data"]
    assert [item["key"] for item in told] == ["a", "a", "a"]
    assert {item["id"] for item in told} == {told[0]["id"]}
    assert (told[0]["data"]["value"], told[1]["data"]["value"]) == ({"n": 1}, 2)
    assert told[1]["changed_fields"] == ["expires_at", "value"]
    assert told[2]["data"] is None
    assert "key" not in items[0]
    assert follow(alice, end) == ([], end)


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_from_any_cursor_nothing_is_skipped_or_told_twice(alice, limit, monkeypatch):
    """Also where the clock jumps: each of the two keeps its own order."""
    now = clock.now_ms()
    for number, step in enumerate((0, 5, -9, 3, 0, 0, -20, 40)):
        monkeypatch.setattr(clock, "now_ms", lambda at=now + 1000 * step: at)
        alice.contact()
        alice.put("/data/a", json={"value": number})
        alice.put("/data/b", json={"value": [number]})
    items, end = follow(alice, limit=limit)
    for kind, count in (("contact", 8), ("data", 16)):
        seqs = [item["seq"] for item in items if item["type"] == kind]
        assert seqs == list(range(1, count + 1))
    assert follow(alice, end, limit=limit) == ([], end)
    first = page(alice, limit=limit)
    rest, _ = follow(alice, first["next_cursor"])
    assert sorted(map(str, first["items"] + rest)) == sorted(map(str, items))


def test_types_pick_data_or_leave_them_out(alice):
    alice.contact()
    alice.put("/data/a", json={"value": 1})
    alice.delete("/data/a")
    for types, wanted in (
        ("data", ["created", "deleted"]),
        ("data.deleted", ["deleted"]),
        ("data.updated", []),
    ):
        items, end = follow(alice, types=types, limit=1)
        assert [item["op"] for item in items] == wanted
        assert {item["type"] for item in items} <= {"data"}
        assert follow(alice, end) == ([], end)
    items, end = follow(alice, types="contact,note", limit=1)
    assert [item["type"] for item in items] == ["contact"]
    assert follow(alice, end) == ([], end)


def test_of_anothers_book_no_data_are_told(cast):
    alice, carol = cast.alice, cast.carol
    alice.put("/data/a", json={"value": "hers"})
    carol.put("/data/c", json={"value": "own"})
    alice.contact()
    items, _ = follow(carol, book=alice.book_id)
    assert [item["type"] for item in items] == ["contact"]
    assert [item.get("key") for item in follow(carol)[0]] == ["c"]
    mine, _ = follow(alice, book=alice.book_id)
    assert {item["type"] for item in mine} == {"contact", "data"}


def test_a_cursor_from_before_there_were_data_goes_on(alice):
    alice.contact()
    _, end = follow(alice)
    alice.put("/data/a", json={"value": 1})
    with alice.app.app_context():
        seal = CursorSeal(alice.id, alice.book_id)
        old = seal.seal(seal.open(end, "changes")[:2], "changes")
    assert [item["type"] for item in follow(alice, old)[0]] == ["data"]


def test_a_state_of_the_data_that_never_was_is_410(alice):
    alice.put("/data/a", json={"value": 1})
    _, end = follow(alice)
    with alice.app.app_context():
        seal = CursorSeal(alice.id, alice.book_id)
        values = seal.open(end, "changes")
        other = seal.seal([*values[:3], "00" * 32], "changes")
        ahead = seal.seal([*values[:2], 9, values[3]], "changes")
    for cursor in (other, ahead):
        refused(alice.get(f"/changes?since={cursor}"), 410, "cursor_expired")


def test_who_waits_is_answered_by_a_change_of_data(alice, monkeypatch):
    _, end = follow(alice)

    class Clock:
        """One that nobody waits for: a pause is a write."""

        monotonic = staticmethod(time.monotonic)

        def sleep(self, _seconds):
            alice.put("/data/a", json={"value": 1})

    monkeypatch.setattr(feed, "time", Clock())
    found = page(alice, end, wait=20)
    assert [(item["type"], item["key"]) for item in found["items"]] == [("data", "a")]


def test_a_history_shows_the_versions_of_an_entry(alice):
    alice.put("/data/k", json={"value": "of an earlier entry"})
    alice.delete("/data/k")
    alice.put("/data/k", json={"value": 1})
    alice.put("/data/other", json={"value": 1})
    alice.put("/data/k", json={"value": {"a": None}, "ttl": 60})
    answer = alice.get("/data-history/k").json
    assert [(item["op"], item["version"]) for item in answer["items"]] == [
        ("updated", 5),
        ("created", 3),
    ]
    changes = answer["items"][0]["changes"]
    assert changes["value"] == {"before": 1, "after": {"a": None}}
    assert set(changes) == {"value", "expires_at"}
    assert answer["items"][1]["changes"]["key"] == {"before": None, "after": "k"}
    assert answer["total"] == 2


def test_a_history_of_nothing_is_404(alice, bob):
    alice.put("/data/k", json={"value": 1})
    refused(bob.get("/data-history/k"), 404, "key_not_found")
    alice.delete("/data/k")
    refused(alice.get("/data-history/k"), 404, "key_not_found")
    refused(alice.get("/data-history/%00"), 422, "invalid_fields", "/key")


def test_the_history_of_any_key_has_links_that_lead_on(alice):
    for key in ("a b/é", "x/history"):
        path = f"/data-history/{key.replace('é', '%C3%A9').replace(' ', '%20')}"
        for number in range(3):
            alice.put(path.replace("-history", ""), json={"value": number})
        first = alice.get(f"{path}?limit=2")
        link = first.headers["Link"].partition(">")[0].removeprefix("</api/v1")
        assert link.isascii()
        assert [item["op"] for item in alice.get(link).json["items"]] == ["created"]


# OB-2
def test_the_chain_of_data_is_followed_and_marked(engine, new_app):
    story = Story(new_app(engine))
    for number in range(3):
        story.ann.put("/data/k", json={"value": number})
    story.mark()
    assert story.broken() == {}
    stream = "(SELECT stream_id FROM users WHERE id = :ann)".replace(":ann", str(story.ann.id))
    with story.ann.app.app_context():
        [stream_id] = lane().one(Sql(f"SELECT {stream}"))
    assert story.checkpoints(stream_id) == [(3, 0)]
    story.tamper(f"UPDATE change SET version = 9 WHERE stream_id = {stream_id} AND seq = 2")
    assert list(story.broken()) == [f"data of user {story.ann.id}"]
