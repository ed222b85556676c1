"""The stream of changes, as an application in this process answers it."""

from contextlib import closing

import pytest

from contactapp import clock, serving
from contactapp.books import service as books_service
from contactapp.changes import poller, stream
from contactapp.database import lane
from tests.auth.test_api_tokens import Program, made
from tests.changes.test_feed import purge
from tests.support.cast import Cast, refused
from tests.support.engines import on_one_engine
from tests.support.events import PATIENCE, Parts
from tests.support.feed import follow, page, told
from tests.support.numbers import read
from tests.support.stored import set_user

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


@pytest.fixture
def opened():
    """Open a stream of a person that is closed when the test ends."""
    found = []

    def open_(person, path="/changes/stream", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        found.append(Parts(person.get(path, headers=headers)))
        return found[-1]

    open_.found = found
    yield open_
    for parts in found:
        parts.close()


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


# AZ-1
def test_data_are_told_of_to_who_may_read_data(alice, story):
    for scopes, types in ((["contacts:read"], {"contact"}), (["contacts:read", "data:read"], None)):
        program = Program(alice.app, made(alice, *scopes))
        with closing(Parts(program.ask("GET", f"{BEGINNING}{story}"))) as parts:
            found = {event.data["type"] for event in parts.next() if event.data}
            assert found == (types or {"contact", "data"})


# AZ-2
def test_a_member_is_told_of_the_book_and_not_of_its_owners_data(cast, opened):
    parts = opened(cast.eve, f"/changes/stream?book={cast.alice.book_id}")
    parts.next()
    cast.alice.put("/data/colour", json={"value": "red"})
    contact = cast.alice.contact()
    [change] = parts.next()
    assert told([change.data]) == [("contact.created", contact["id"], 1)]


# ---- when it ends


def leave_book(alice, eve):
    with alice.app.app_context():
        books_service.unshare_book(alice.id, eve.id)


def later(monkeypatch):
    """After the life of an access token."""
    now = clock.now_ms() + 901_000
    monkeypatch.setattr(clock, "now_ms", lambda: now)


ENDS = {
    "signed out": lambda alice, eve, _: eve.post("/auth/logout"),
    "disabled": lambda alice, eve, _: set_user(eve.app, eve.id, active=False),
    "no member any more": lambda alice, eve, _: leave_book(alice, eve),
    "expired": lambda alice, eve, patch: later(patch),
}


# AZ-6
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("then_written", [True, False])
def test_it_ends_with_what_it_was_opened_by(cast, opened, monkeypatch, end, then_written):
    assert stream.HEARTBEAT <= 15  # what a stream does not learn before, it does then
    if not then_written:
        monkeypatch.setattr(stream, "HEARTBEAT", 0.01)
    alice, eve = cast.alice, cast.eve
    parts = opened(eve, f"/changes/stream?book={alice.book_id}")
    assert names(parts.next()) == ["ready"]
    if not then_written:
        assert parts.next() == []  # a comment
    ENDS[end](alice, eve, monkeypatch)
    if then_written:
        alice.sign_in()
        alice.contact(first_name="Zaphod-marker")
    assert parts.ended()


def test_it_ends_with_the_process(alice, opened, monkeypatch):
    parts = opened(alice)
    parts.next()
    monkeypatch.setattr(serving, "_told", lambda: True)
    assert parts.ended()


# ---- places and threads


@pytest.fixture(scope="module")
def one_place(engine, new_app):
    return new_app(engine, THREADS="3")


def test_who_finds_no_place_is_told_of_the_long_answer(one_place, opened):
    people = Cast(one_place)
    parts = opened(people.alice)
    parts.next()
    answer = people.bob.get("/changes/stream")
    problem = refused(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert "/api/v1/changes?wait=20" in problem["detail"]
    numbers = read(one_place)
    assert (numbers("streams"), numbers("streams_refused_total") > 0) == (1, True)
    parts.close()
    assert names(opened(people.bob).next()) == ["ready"]


def test_nobody_gets_all_places(cast, opened):
    for _ in range(4):  # of eighteen
        opened(cast.alice).next()
    refused(cast.alice.get("/changes/stream"), 503, "unavailable")
    assert names(opened(cast.bob).next()) == ["ready"]


def test_it_holds_no_connection_and_all_share_one_thread(app, cast, opened):
    with app.app_context():
        own, looking = lane(), poller.poller()
    threads = set()
    for person in (cast.alice, cast.bob, cast.carol):
        opened(person).next()
        assert getattr(own._local, "opened", None) is None
        threads.add(looking._thread)
    [thread] = threads
    for parts in reversed(opened.found):
        parts.close()
    thread.join(PATIENCE)
    assert (thread.is_alive(), looking._thread, looking._of) == (False, None, {})
