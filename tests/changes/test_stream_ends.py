"""When a stream ends, and what it takes of a process meanwhile."""

import socket
import struct
import threading
import time
from contextlib import closing

import pytest

from contactapp import clock, serving
from contactapp.books import service as books_service
from contactapp.changes import poller, stream
from contactapp.database import lane
from contactapp.engine import DatabaseUnavailable
from tests.support.cast import Cast, refused
from tests.support.deployment import until
from tests.support.engines import on_one_engine
from tests.support.events import PATIENCE, Parts
from tests.support.numbers import read
from tests.support.stored import set_user


def names(events):
    return [event.name for event in events]


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
def test_it_ends_with_what_it_was_opened_by(cast, opened, monkeypatch, caplog, end, then_written):
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
    assert caplog.records == []


def test_it_ends_with_the_process(alice, opened, monkeypatch):
    parts = opened(alice)
    parts.next()
    began = time.monotonic()
    monkeypatch.setattr(serving, "_told", lambda: True)
    assert parts.ended()
    assert time.monotonic() - began < stream.HEARTBEAT / 2


# ---- places and threads


@pytest.fixture(scope="module")
def one_place(engine, new_app):
    return new_app(engine, THREADS="3")


def test_who_finds_no_place_is_told_of_the_long_answer(one_place, opened):
    people = Cast(one_place)
    before = people.alice.get("/changes/stream")
    before.close()  # who hangs up before anything is sent
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
    assert cast.alice.get("/changes?wait=30").headers["Retry-After"] == "5"
    assert names(opened(cast.bob).next()) == ["ready"]


def test_it_outlives_a_database_that_was_away(alice, opened, monkeypatch, caplog):
    """What others wrote meanwhile is told when it is back."""
    parts, gone, back = opened(alice), threading.Event(), threading.Event()
    parts.next()
    own = alice.app.extensions["contactapp.poller"]  # another application's may still be at work
    look = own._look

    def away():
        if not back.is_set():
            gone.set()
            raise DatabaseUnavailable("away")
        look()

    monkeypatch.setattr(poller, "_AFTER_FAILURE", 0.01)
    monkeypatch.setattr(own, "_look", away)
    monkeypatch.setattr(own, "tell", lambda *_: None)  # as written by another process
    assert gone.wait(30)  # it may have been looking just then
    contact, began = alice.contact(), time.monotonic()
    back.set()
    [change] = parts.next()
    assert change.data["id"] == contact["id"]
    assert time.monotonic() - began < stream.HEARTBEAT / 2
    told = [record for record in caplog.records if "streams of changes" in record.message]
    assert [record.levelname for record in told] == ["WARNING"]


@on_one_engine
@pytest.mark.parametrize("why", ["it takes too long", "the process ends"])
def test_a_client_that_takes_nothing_is_hung_up_on(app, monkeypatch, why):
    """Else its thread would be there for as long as it likes."""
    if why == "it takes too long":
        monkeypatch.setattr(poller, "_SENDING", 0.0)
    with app.app_context():
        looking = poller.poller()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        listener = poller.Listener(frozenset({1}), ours)
        with looking.listening(listener):
            listener.sends_since = time.monotonic()
            if why == "the process ends":
                monkeypatch.setattr(serving, "_told", lambda: True)
            with pytest.raises(BrokenPipeError):
                ours.sendall(bytes(10**7))
    assert listener.gone


@on_one_engine
def test_where_no_thread_can_be_started_nothing_is_left_of_it(one_place, monkeypatch):
    """The next one starts it; else nobody would be told of other processes' changes any more."""
    alice = Cast(one_place).alice
    with one_place.app_context():
        looking = poller.poller()
    until(lambda: looking._thread is None)
    with monkeypatch.context() as patch:
        patch.setattr(poller.threading.Thread, "start", _no_thread)
        refused(alice.get("/changes/stream"), 500, "internal_error")
    assert (looking._all, looking._thread) == (frozenset(), None)
    with closing(Parts(alice.get("/changes/stream"))) as parts:
        assert names(parts.next()) == ["ready"]
        assert looking._thread.is_alive()


def _no_thread(_thread):
    raise RuntimeError("can't start new thread")


@on_one_engine
def test_a_client_that_answers_no_more_is_given_up_within_a_minute(app):
    """It has not hung up; what it was sent is sent again and again, until the system says so."""
    with (
        app.app_context(),
        socket.create_server(("127.0.0.1", 0)) as place,
        socket.create_connection(place.getsockname()) as theirs,
        place.accept()[0] as ours,
    ):
        listener = poller.Listener(frozenset({1}), ours)
        assert poller._SENDING < listener_patience(ours) < 60
        reset(theirs)
        with poller.poller().listening(listener):
            until(lambda: listener.gone)
        # The system's own word for it, an error, was heard: no log need have it.
        with pytest.raises(BrokenPipeError):
            ours.sendall(b":")


def listener_patience(connection):
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1000


def reset(connection):
    """End it with an error for the other side, as its system would."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_it_holds_no_connection_and_all_share_one_thread(app, cast, opened):
    with app.app_context():
        own, looking = lane(), poller.poller()
    threads = set()
    for person in (cast.alice, cast.bob, cast.carol):
        opened(person).next()
        assert own._local.opened is None
        threads.add(looking._thread)
    [thread] = threads
    for parts in reversed(opened.found):
        parts.close()
    thread.join(PATIENCE)
    assert (thread.is_alive(), looking._thread, looking._of) == (False, None, {})
