"""Half a minute of load on forked workers that are reloaded, and stopped in the middle."""

import os
import random
import signal
import time
from collections import Counter

import pytest

from tests.faults.test_deploys import reload
from tests.support.chaos import Crowd, Stubborn, compare
from tests.support.deployment import connections, until, web_workers
from tests.support.tables import show
from tests.support.traffic import read_books

SECONDS, WORKERS, HANDS = 30, 4, 8


def hang(server, chance):
    """One worker stops in the middle of whatever it does, with whatever it holds. gunicorn ends it
    after its time-out, and starts another."""
    stopped = chance.choice(sorted(web_workers(server)))
    os.kill(stopped, signal.SIGSTOP)
    until(lambda: stopped not in web_workers(server) and len(web_workers(server)) == WORKERS)


# CC-6, DU-6
@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("preload", ["", "--preload"])
def test_reloads_and_hanging_workers_lose_nothing(
    engine, new_server, new_app, monkeypatch, capsys, preload
):
    monkeypatch.setenv("GUNICORN_CMD_ARGS", f"{preload} --workers {WORKERS} --timeout 2")
    server = new_server(engine, CONTACT_LIMIT="0")
    app = new_app(engine, database=server.database, INSTANCE_PATH=str(server.instance))
    assert not any(connections(server, app).values())
    people = [server.person("ada"), server.person("bob")]
    hands = [Stubborn(people[number % 2], number) for number in range(HANDS)]
    chance, deeds = random.Random(engine), Counter()
    with Crowd(hands) as crowd:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            crowd.wait_for(50)
            broken = sum(hand.broken for hand in hands)
            if deeds.total() % 2 == 0:
                reload(server)
                crowd.wait_for(50)
                assert sum(hand.broken for hand in hands) == broken
                deeds["reloads"] += 1
            else:
                hang(server, chance)
                deeds["hung"] += 1
    held = connections(server, app)
    assert held.get(server.process.pid, 0) == 0
    statuses = sum((hand.statuses for hand in hands), Counter())
    row = {
        "engine": engine,
        "preload": bool(preload),
        **dict(sorted(deeds.items())),
        "answers": statuses.total(),
        "503": statuses[503],
        "unanswered": sum(hand.broken for hand in hands),
        "acknowledged": sum(len(hand.done) for hand in hands),
        "lost": len(compare(hands, read_books(app, people))),
    }
    show(capsys, "reloaded, and hung, under load", [row])
    assert set(statuses) <= {200, 201, 204, 503}, statuses
    assert row["lost"] == 0
    server.kill()
