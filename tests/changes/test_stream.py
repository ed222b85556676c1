"""The stream of changes, as an application in this process answers it."""

from contextlib import closing

import pytest

from contactapp.changes import stream
from tests.auth.test_api_tokens import Program, made
from tests.changes.test_feed import purge
from tests.support.cast import refused
from tests.support.engines import on_one_engine
from tests.support.events import Parts
from tests.support.feed import follow, page, told

BEGINNING = "/changes/stream?since="


@pytest.fixture
def story(alice):
    """A cursor from before some deeds, of which two streams tell."""
    start = page(alice)["next_cursor"]
    ada = alice.contact(first_name="Ada")
    alice.put("/data/colour", json={"value": "red"})
    alice.patch(f"/contacts/{ada['id']}", json={"nickname": "A"})
    alice.put("/data/colour", json={"value": "blue"})
    alice.delete(f"/contacts/{ada['id']}")
    return start


def names(events):
    return [event.name for event in events]


def test_it_replays_what_came_after_a_cursor_and_says_that_it_is_ready(alice, story, opened):
    *changes, ready = opened(alice, f"{BEGINNING}{story}").next()
    assert names(changes) == ["change"] * 5
    assert [event.data for event in changes] == page(alice, story)["items"]
    assert (ready.name, ready.data) == ("ready", {})


@pytest.mark.parametrize("types", ["", "&types=contact.updated", "&types=data,contact.deleted"])
def test_the_id_of_every_event_continues_after_it(alice, story, opened, types):
    events = opened(alice, f"{BEGINNING}{story}{types}").next()
    changes = [event.data for event in events[:-1]]
    query = {"types": types.rpartition("=")[2]} if types else {}
    for number, event in enumerate(events[:-1], 1):
        assert follow(alice, event.id, **query)[0] == changes[number:]
    # Also what was left out need not be looked through again.
    assert page(alice, events[-1].id) == {
        "items": [],
        "next_cursor": events[-1].id,
        "has_more": False,
    }


def test_it_begins_with_what_happens_from_now_on(alice, story, opened):
    parts = opened(alice)
    [ready] = parts.next()
    assert ready.name == "ready"
    contact = alice.contact(first_name="Grace")
    [change] = parts.next()
    assert told([change.data]) == [("contact.created", contact["id"], 1)]
    assert page(alice, ready.id)["items"] == [change.data]


def test_the_header_that_browsers_send_goes_before_the_address(alice, story, opened):
    later = page(alice, story, limit=4)["next_cursor"]
    events = opened(alice, f"{BEGINNING}{story}", Last_Event_ID=later).next()
    assert [event.data for event in events[:-1]] == page(alice, later)["items"]


def test_long_replays_come_in_parts(alice, opened, monkeypatch):
    monkeypatch.setattr(stream, "_AT_ONCE", 2)
    start = page(alice)["next_cursor"]
    for number in range(5):
        alice.contact(nickname=f"n{number}")
    parts = opened(alice, f"{BEGINNING}{start}")
    assert [names(parts.next()) for _ in range(3)] == [
        ["change", "change"],
        ["change", "change"],
        ["change", "ready"],
    ]


def test_its_answer_has_our_headers_and_a_head(alice):
    with closing(alice.get("/changes/stream")) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "X-RateLimit-Remaining" in answer.headers
        assert next(answer.response).startswith(b"retry: ")
    head = alice.request("HEAD", "/changes/stream")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Type"] == answer.headers["Content-Type"]
    assert "Content-Length" not in head.headers
    refused_head = alice.request("HEAD", "/changes/stream?since=x")
    assert refused_head.status_code == 400


# AZ-7
@on_one_engine
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("since=x", 400, "invalid_cursor"),
        ("since=", 400, "invalid_cursor"),
        ("types=label", 400, "unknown_parameter"),
        ("limit=1", 400, "unknown_parameter"),
        ("wait=1", 400, "unknown_parameter"),
        ("since=x&since=x", 400, "repeated_parameter"),
        ("book=0", 422, "invalid_fields"),
        (f"book={2**52}", 404, "not_found"),
    ],
)
def test_a_wrong_question_is_a_problem_and_no_stream(alice, query, status, code):
    refused(alice.get(f"/changes/stream?{query}"), status, code)


# AZ-7
def test_a_cursor_is_its_readers_own(cast, story):
    for person, book in ((cast.carol, f"&book={cast.alice.book_id}"), (cast.bob, "")):
        refused(person.get(f"{BEGINNING}{story}{book}"), 400, "invalid_cursor")
        answer = person.get(f"/changes/stream?{book[1:]}", headers={"Last-Event-ID": story})
        refused(answer, 400, "invalid_cursor")


def test_a_cursor_that_is_gone_is_told_and_the_stream_goes_on(alice, story, opened):
    purge(alice, 3)
    parts = opened(alice, f"{BEGINNING}{story}")
    resync, ready = parts.next()
    assert (resync.name, resync.data["code"], ready.name) == ("resync", "cursor_expired", "ready")
    assert page(alice, resync.id)["items"] == []
    alice.contact()
    [change] = parts.next()
    assert page(alice, resync.id)["items"] == [change.data]


def test_a_sign_of_life_says_how_far_it_has_come(alice, opened, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT", 0.01)
    parts = opened(alice, "/changes/stream?types=contact.deleted")
    [ready] = parts.next()
    assert parts.text() == ":\n\n"
    alice.contact()
    comment, id_, *_ = parts.text().split("\n")
    assert (comment, id_[:4]) == (":", "id: ")
    assert page(alice, id_[4:])["items"] == []
    assert len(page(alice, ready.id)["items"]) == 1
    assert parts.text() == ":\n\n"


# AZ-1
def test_data_are_told_of_to_who_may_read_data(alice, story):
    for scopes, types in ((["contacts:read"], {"contact"}), (["contacts:read", "data:read"], None)):
        program = Program(alice.app, made(alice, *scopes))
        with closing(Parts(program.ask("GET", f"{BEGINNING}{story}"))) as parts:
            found = {event.data["type"] for event in parts.next() if event.data}
            assert found == (types or {"contact", "data"})


# AZ-2
def test_a_member_is_told_of_the_book_and_of_nobodys_data(cast, opened):
    parts = opened(cast.eve, f"/changes/stream?book={cast.alice.book_id}")
    parts.next()
    for person in (cast.alice, cast.eve):
        person.put("/data/colour", json={"value": "red"})
    contact = cast.alice.contact()
    [change] = parts.next()
    assert told([change.data]) == [("contact.created", contact["id"], 1)]
