"""The stream of changes over a real server, with clients that come and go."""

import json
import os
import threading
import time

import pytest

from contactapp.changes.poller import Listener, poller
from contactapp.database import Sql, lane
from tests.support.books import book_of
from tests.support.deployment import until
from tests.support.events import Listening
from tests.support.feed import told
from tests.support.wire import at_once


def add(visitor, **fields):
    answer = visitor.post("/contacts", json=fields or {"first_name": "Grace"})
    assert answer.status_code == 201, answer.text
    return answer.json()


def opened(visitor, *arguments, **options):
    """A stream, where there is a place."""
    listening = Listening(visitor, *arguments, **options)
    return listening if listening.answer.status_code == 200 else None


def feed_of(visitor, since=None):
    query = {"limit": 500, **({"since": since} if since else {})}
    return visitor.get("/changes", params=query).json()


def test_two_clients_see_each_others_edits_whichever_process_each_has(live_server):
    alice = live_server.person()
    clients = [Listening(alice) for _ in range(4)]
    for client in clients:
        client.until("ready")
    contacts = [add(alice, nickname=f"n{number}") for number in range(6)]
    for client in clients:
        found = client.changes(6)
        assert told(found) == [("contact.created", contact["id"], 1) for contact in contacts]
        assert found == feed_of(alice)["items"]
        client.close()


def test_who_was_cut_off_goes_on_after_the_last_event(live_server):
    """Eight write at once in both processes, while a client is cut off after every other event."""
    alice = live_server.person()
    client = Listening(alice)
    client.until("ready")
    writing = threading.Thread(target=lambda: at_once([lambda: add(alice)] * 8))
    writing.start()
    found = []
    while len(found) < 8:
        found += client.changes(2)
        client.close()
        client = until(lambda last=client.last: opened(alice, since=last))
    writing.join()
    assert client.next().name == "ready"
    client.close()
    assert found == feed_of(alice)["items"]


@pytest.fixture
def small(engine, new_server):
    """A server with one process in which one may wait, which logs its requests."""
    return new_server(engine, WORKERS="1", THREADS="3", REQUEST_LOG="true", CONTACT_LIMIT="0")


def test_it_ends_with_the_server_and_makes_room_when_its_client_hangs_up(small):
    alice = small.person()
    client = Listening(alice)
    client.until("ready")
    assert Listening(alice).answer.status_code == 503
    client.close()
    # Long before anything would be sent to a client that is not there.
    until(lambda: opened(alice), 10).close()
    ticket = until(lambda: opened_by_ticket(alice), 10)
    alice.http.close()
    began = time.monotonic()
    small.end()
    assert ticket.next().name == "ready"
    assert ticket.ended()
    assert small.process.wait(20) == 0
    assert time.monotonic() - began < 15
    lines = [json.loads(line) for line in small.log.read_text().splitlines() if "/stream" in line]
    assert [line["status"] for line in lines].count(200) == 3
    assert {line["route"] for line in lines} == {"/api/v1/changes/stream"}
    assert "ct_" not in small.log.read_text()
    assert "Traceback" not in small.log.read_text()


def opened_by_ticket(visitor):
    ticket = visitor.post("/changes/tickets").json()["ticket"]
    return opened(visitor, f"/changes/stream?ticket={ticket}")


# CC-6
def test_a_child_begins_with_a_poller_of_its_own(app, alice):
    """As where a process that has streams open is forked; no connection comes over."""
    with app.app_context():
        book, mine = book_of(alice), poller()
        listener = Listener(frozenset({book.stream_id}), None)
        with mine.listening(listener), mine.turn():
            lane().one(Sql("SELECT 1"))
            pid = os.fork()
            if pid == 0:
                os._exit(_child(alice, book, mine))
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            assert lane().one(Sql("SELECT 1")) == (1,)


def _child(alice, book, mine):
    try:
        assert (mine._all, mine._thread, mine._connection) == (frozenset(), None, None)
        listener = Listener(frozenset({book.stream_id}), None)
        listener.told = {book.stream_id: book.seq - 1}
        with mine.listening(listener):
            listener.wait(20)
            return 0 if listener._woken.is_set() else 1
    except BaseException:
        return 2
