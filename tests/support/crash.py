"""kill -9 of a real server under write load, and what must be true afterwards."""

from __future__ import annotations

import threading
import time

import requests

from contactapp import create_app
from contactapp.config import load
from contactapp.database import Sql, database, lane
from tests.conftest import FAST
from tests.support.traffic import Hand, read_books

HANDS = 6
PATIENCE = 30
_OTHERS = Sql(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def kill_rounds(server, rounds):
    """Kill and restart the server so many times, on one database; the number of writes checked."""
    person = server.person()
    hands = [Hand(person, number) for number in range(HANDS)]
    checked = 0
    for number in range(rounds):
        target = 20 + 7 * (number % 9)  # a kill at another moment in every round
        _write_until_killed(server, hands, target)
        _check(server, person, hands)
        checked += target
        server.start()
    return checked


def _write_until_killed(server, hands, target):
    """Kill when `target` answers have come; every hand stops at its first broken connection."""
    enough = threading.Semaphore(0)
    threads = [threading.Thread(target=_work, args=(hand, enough)) for hand in hands]
    for thread in threads:
        thread.start()
    for _ in range(target):
        assert enough.acquire(timeout=PATIENCE), server.log.read_text()
    server.kill()
    for thread in threads:
        thread.join()


def _work(hand, enough):
    try:
        while True:
            hand.step()
            enough.release()
    except requests.RequestException:
        hand.http.close()


def _check(server, person, hands):
    """Everything acknowledged is there; what was asked for without an answer may be."""
    stored = _stored(server, person)
    surplus = set(stored)
    for hand in hands:
        assert set(hand.statuses) <= {200, 201, 204}, hand.statuses
        _settle(hand, stored)
        for id_, nickname in hand.acknowledged.items():
            assert stored.get(id_) == nickname, (id_, nickname, stored.get(id_))
            surplus.discard(id_)
    assert not surplus, surplus


def _settle(hand, stored):
    """Learn from the database whether the unanswered write was done."""
    if hand.asked is None:
        return
    id_, nickname = hand.asked
    hand.asked = None
    if id_ is None:
        id_ = next((key for key, value in stored.items() if value == nickname), None)
    if id_ is not None and stored.get(id_) == nickname:
        hand.acknowledged[id_] = nickname


def _wait_for_the_last_commit():
    """PostgreSQL finishes the statement it is at before it notices that its client is gone."""
    ends = time.monotonic() + PATIENCE
    while not database().is_sqlite and lane().one(_OTHERS)[0]:
        assert time.monotonic() < ends
        time.sleep(0.02)


def _stored(server, person):
    """What the first opener after the crash finds. It keeps no connection, so that the next
    server recovers on its own too."""
    settings = {**FAST, "DATABASE_URL": server.database, "INSTANCE_PATH": str(server.instance)}
    app = create_app(load(settings, environ={}))
    try:
        with app.app_context():
            _wait_for_the_last_commit()
        return read_books(app, [person])
    finally:
        with app.app_context():
            database().engine.dispose()
            database().lane.close_all()
        app.extensions["contactapp.quota"].store.close()
