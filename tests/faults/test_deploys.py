"""A server that loads the program once and forks it is reloaded and ended under load."""

import os
import signal
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from contactapp.database import database
from tests.jobs.conftest import add
from tests.support.chaos import Crowd, Stubborn, compare
from tests.support.deployment import connections, until, web_workers
from tests.support.traffic import Hand, read_books

WORKERS, HANDS, ANSWERS = 4, 8, 150


class Writer(Stubborn):
    """Makes no accounts: those wait for other locks than contacts do."""

    deeds = Hand.deeds


@pytest.fixture
def preloaded(engine, new_server, new_app, monkeypatch):
    """A server whose workers are forks of a process that has loaded everything, and an application
    on the same database."""
    monkeypatch.setenv("GUNICORN_CMD_ARGS", f"--preload --workers {WORKERS}")
    # What waits for a lock here waits for the test.
    server = new_server(engine, THREADS=str(HANDS), CONTACT_LIMIT="0", BUSY_TIMEOUT_SECONDS="60")
    instance = str(server.instance)
    return server, new_app(engine, database=server.database, INSTANCE_PATH=instance)


@contextmanager
def nobody_writes(app):
    """Hold what every write of a contact needs."""
    with app.app_context(), database().engine.begin() as connection:
        if not database().is_sqlite:
            connection.execute(text("SELECT id FROM stream FOR UPDATE"))
        yield
    with app.app_context():
        database().engine.dispose()  # of which the connections are counted


# CC-6, DU-6
def test_a_forked_server_loses_nothing_when_it_is_reloaded_and_ended(preloaded):
    server, app = preloaded
    assert not any(connections(server, app).values())  # so none can come over a fork
    people = [server.person("ada"), server.person("bob")]
    for person in people:
        person.http.close()  # gunicorn keeps idle connections for two seconds when it ends
    hands = [Writer(people[number % 2], number) for number in range(HANDS)]
    with Crowd(hands) as crowd:
        crowd.wait_for(ANSWERS)
        reload(server)
        crowd.wait_for(ANSWERS)
        assert not any(hand.broken for hand in hands)
        in_flight, held = end(server, app, hands)
    assert sum(held.values()) >= WORKERS
    assert held.get(server.process.pid, 0) == 0  # the master uses none itself
    for hand, asked in zip(hands, in_flight, strict=True):
        assert set(hand.statuses) <= {200, 201, 204}, hand.statuses
        assert asked in hand.done
    nothing_is_left(server, app, people, hands)


def reload(server):
    """Other processes answer from now on."""
    before = web_workers(server)
    assert len(before) == WORKERS
    os.kill(server.process.pid, signal.SIGHUP)
    until(lambda: len(web_workers(server)) == WORKERS and not web_workers(server) & before)


def end(server, app, hands):
    """SIGTERM while each hand waits for an answer; what they have asked for, and the server's
    connections meanwhile."""
    with nobody_writes(app):
        until(lambda: all(hand.asked for hand in hands))
        in_flight, held = [hand.asked for hand in hands], connections(server, app)
        server.end()
        until(lambda: "Handling signal: term" in server.log.read_text())
    assert server.process.wait(60) == 0
    return in_flight, held


def nothing_is_left(server, app, people, hands):
    """No write that nobody was told of, no lock, no connection, no process."""
    stored = read_books(app, people)
    assert not [
        doubt for hand in hands for doubt in hand.unsure if stored.get(doubt[0]) != doubt[1]
    ]
    assert compare(hands, stored) == []
    until(lambda: not any(connections(server, app).values()))
    with app.app_context():
        add()
    assert "Traceback" not in server.log.read_text()
