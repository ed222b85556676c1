"""POST /changes/tickets: what opens one stream, once."""

import hashlib
from contextlib import closing

import pytest

from contactapp import clock
from contactapp.auth import tickets
from contactapp.database import Sql, lane, write_transaction
from contactapp.errors import Unauthenticated
from tests.auth.test_api_tokens import Program, made
from tests.support.cast import refused
from tests.support.engines import on_one_engine
from tests.support.events import Listening, Parts
from tests.support.feed import page
from tests.support.stored import set_user
from tests.support.wire import at_once

STREAM = "/api/v1/changes/stream"
_ROWS = Sql("SELECT * FROM ticket WHERE user_id = ?")


def ticket_of(person, query=""):
    answer = person.post(f"/changes/tickets{query}")
    assert (answer.status_code, answer.json["expires_in"]) == (201, 30)
    return answer.json["ticket"]


def tried(person, ticket, query=""):
    """The status of a stream's opening."""
    client = person.app.test_client()
    with closing(client.get(f"{STREAM}?ticket={ticket}{query}")) as answer:
        if answer.status_code != 200:
            refused(answer, 401, "invalid_token")
        return answer.status_code


def rows(person):
    with person.app.app_context():
        return lane().all(_ROWS, (person.id,))


def test_it_opens_a_stream_once(alice):
    start = page(alice)["next_cursor"]
    alice.contact(first_name="Ada")
    alice.put("/data/colour", json={"value": "red"})
    ticket, client = ticket_of(alice), alice.app.test_client()
    with closing(Parts(client.get(f"{STREAM}?ticket={ticket}&since={start}"))) as parts:
        assert [event.data for event in parts.next()[:-1]] == page(alice, start)["items"]
        assert tried(alice, ticket) == 401
    assert rows(alice) == []


def test_it_is_good_for_half_a_minute(alice, monkeypatch):
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    early, late, odd = (ticket_of(alice) for _ in range(3))
    monkeypatch.setattr(clock, "now_ms", lambda: now + 29_999)
    assert tried(alice, early) == 200
    monkeypatch.setattr(clock, "now_ms", lambda: now + 30_000)
    assert tried(alice, late) == 401
    monkeypatch.setattr(clock, "now_ms", lambda: now - 1)  # made by a clock that was ahead
    assert tried(alice, odd) == 401
    monkeypatch.setattr(clock, "now_ms", lambda: now + 30_001)
    with alice.app.app_context():
        write_transaction(tickets.purge)()
    assert rows(alice) == []


def test_it_is_for_one_book(cast):
    alice, eve = cast.alice, cast.eve
    shared = f"&book={alice.book_id}"
    assert tried(eve, ticket_of(eve), shared) == 401
    assert tried(eve, ticket_of(eve, f"?{shared}")) == 401
    assert tried(eve, ticket_of(eve, f"?{shared}"), f"&book={eve.book_id}") == 401
    assert tried(eve, ticket_of(eve, f"?{shared}"), shared) == 200
    refused(cast.bob.post(f"/changes/tickets?{shared}"), 404, "not_found")


# AZ-6
def test_it_ends_with_what_made_it(alice, monkeypatch):
    ticket = ticket_of(alice)
    alice.post("/auth/logout")
    assert tried(alice, ticket) == 401
    alice.sign_in()
    ticket = ticket_of(alice)
    set_user(alice.app, alice.id, active=False)
    assert tried(alice, ticket) == 401
    set_user(alice.app, alice.id, active=True)
    monkeypatch.setattr(clock, "now_ms", lambda now=clock.now_ms: now() + 880_000)
    ticket = ticket_of(alice)
    monkeypatch.setattr(clock, "now_ms", lambda now=clock.now_ms: now() + 21_000)
    assert tried(alice, ticket) == 401  # though it is younger than half a minute


# AZ-1
def test_it_may_what_the_api_token_may_that_made_it(alice):
    start = page(alice)["next_cursor"]
    alice.contact()
    alice.put("/data/colour", json={"value": "red"})
    token = made(alice, "contacts:read")
    program, client = Program(alice.app, token), alice.app.test_client()
    tickets_ = [program.ask("POST", "/changes/tickets").json["ticket"] for _ in range(2)]
    with closing(Parts(client.get(f"{STREAM}?ticket={tickets_[0]}&since={start}"))) as parts:
        [change, _] = parts.next()
        assert change.data["type"] == "contact"
    alice.delete(f"/auth/api-tokens/{token['id']}")
    assert tried(alice, tickets_[1]) == 401
    others = Program(alice.app, made(alice, "data:read", "contacts:write"))
    answer = others.ask("POST", "/changes/tickets")
    assert refused(answer, 403, "insufficient_scope")["scope"] == "contacts:read"


# PR-3
def test_the_database_holds_its_hash_alone(alice):
    ticket = ticket_of(alice)
    [row] = rows(alice)
    held = [bytes(value) if isinstance(value, bytes | memoryview) else value for value in row]
    assert hashlib.sha256(ticket.encode()).digest() in held
    assert ticket not in map(str, held)


@on_one_engine
def test_two_ways_in_are_one(alice):
    """A bearer token goes before, and leaves the ticket good; of two tickets none is taken."""
    one, two = ticket_of(alice), ticket_of(alice)
    with closing(alice.get(f"/changes/stream?ticket={one}")) as answer:
        assert answer.status_code == 200
    client = alice.app.test_client()
    refused(client.get(f"{STREAM}?ticket={one}&ticket={two}"), 401, "not_authenticated")
    assert [tried(alice, one), tried(alice, two)] == [200, 200]


def test_of_two_that_found_it_one_spends_it(alice):
    ticket = ticket_of(alice)
    with alice.app.app_context():
        found = [tickets.find(ticket, None) for _ in range(2)]
        tickets.spend(found[0])
        with pytest.raises(Unauthenticated):
            tickets.spend(found[1])


def test_one_of_many_at_once_gets_in_at_whichever_process(live_server):
    alice = live_server.person()
    path = f"/changes/stream?ticket={ticket_of_visitor(alice)}"
    found = at_once([lambda: Listening(alice, path)] * 8)
    statuses = sorted(listening.answer.status_code for listening in found)
    assert statuses == [200] + [401] * 7
    for listening in found:
        listening.close()


def ticket_of_visitor(visitor):
    return visitor.post("/changes/tickets").json()["ticket"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_is_spent_by_whoever_asks(alice, method):
    ticket = ticket_of(alice)
    with closing(alice.app.test_client().open(f"{STREAM}?ticket={ticket}", method=method)) as got:
        assert got.status_code == 200
    assert tried(alice, ticket) == 401
