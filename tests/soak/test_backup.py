"""A backup of a large installation while people write to it."""

import re
import time

import pytest
import requests

from tests.support.backups import SECRETS, Place
from tests.support.chaos import Crowd
from tests.support.command import CONTACTAPP, start
from tests.support.tables import show
from tests.support.traffic import Hand

_WAITED = re.compile(r'contactapp_write_wait_seconds_bucket\{lock="\w+",le="(0\.25|\+Inf)"\} (\S+)')


class Timed(Hand):
    """Writes only, and keeps how long the slowest took."""

    deeds = {"add": 1, "change": 4}
    slowest = 0.0

    def step(self):
        began = time.monotonic()
        super().step()
        self.slowest = max(self.slowest, time.monotonic() - began)


def waited(server):
    """How many writes waited for more than 250 ms for their turn or their book, and how many there
    were."""
    totals = {"0.25": 0.0, "+Inf": 0.0}
    for bound, number in _WAITED.findall(requests.get(f"{server.url}/metrics", timeout=10).text):
        totals[bound] += float(number)
    return totals["+Inf"] - totals["0.25"], totals["+Inf"]


def seed(visitor, contacts):
    for first in range(0, contacts, 1000):
        cards = [
            {
                "first_name": f"First{n}",
                "last_name": f"Last{n}",
                "email": f"p{n}@example.com",
                "phone": f"+49 30 {n:08}",
                "company": "Company with a name",
            }
            for n in range(first, min(first + 1000, contacts))
        ]
        body = {"operations": [{"op": "create", "contact": card} for card in cards]}
        answer = visitor.post("/contacts/bulk", json=body)
        assert answer.status_code == 200, answer.text


# BR-1
@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("contacts", [10_000, 100_000])
def test_it_takes_a_minute_and_keeps_no_writer_waiting(
    engine, contacts, new_server, new_database, tmp_path, capsys
):
    server = new_server(
        engine, WORKERS="2", THREADS="4", CONTACT_LIMIT="0", MAX_BODY_BYTES="10000000", **SECRETS
    )
    seed(server.person("large"), contacts)
    hands = [Timed(server.person(f"writer{n}"), n) for n in range(4)]
    archive = tmp_path / "x.backup"
    command = (*CONTACTAPP, "backup", "create", "--output", str(archive))
    with Crowd(hands) as crowd:
        crowd.wait_for(100)
        slow, writes = waited(server)
        quiet = max(hand.slowest for hand in hands)
        for hand in hands:
            hand.slowest = 0.0
        began = time.monotonic()
        process = start(command, tmp_path, server.settings)
        _, err = process.communicate(timeout=300)
        seconds = time.monotonic() - began
        now_slow, now_writes = waited(server)
    assert process.returncode == 0, err
    server.stop()
    place = Place(new_database("sqlite"), tmp_path / "instance")
    began = time.monotonic()
    report = place.restore(archive)
    row = {
        "engine": engine,
        "contacts": contacts,
        "MiB": round(archive.stat().st_size / 2**20),
        "seconds": round(seconds, 1),
        "writes meanwhile": round(now_writes - writes),
        "waited > 250 ms": round(now_slow - slow),
        "slowest ms": round(1000 * max(hand.slowest for hand in hands)),
        "slowest before": round(1000 * quiet),
        "restored in": round(time.monotonic() - began, 1),
    }
    show(capsys, "backup under load", [row])
    assert report.rows["contact"] >= contacts
    assert seconds <= 60
    assert now_slow == slow
