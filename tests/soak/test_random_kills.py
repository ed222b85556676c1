"""A minute of writing, in which processes are killed at moments that nobody chose."""

import os
import random
import re
import signal
import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest

from contactapp.audit import verification
from contactapp.database import Sql, lane
from tests.support.chaos import Crowd, Stubborn, compare
from tests.support.command import CONTACTAPP, start
from tests.support.deployment import until, web_workers
from tests.support.tables import show
from tests.support.traffic import read_books

SECONDS, HANDS = 60, 6
JOBS = Sql("SELECT kind, status, count(*) FROM job WHERE period IS NULL GROUP BY kind, status")
COUNTS = Sql("SELECT (SELECT count(*) FROM change), (SELECT count(*) FROM users)")
WAITING = Sql("SELECT count(*) FROM job WHERE period IS NULL AND status = 'pending'")


class House:
    """A server with its job worker, and another job worker; all may be killed."""

    def __init__(self, server, folder, seed):
        self.server, self.folder = server, folder
        self.random = random.Random(seed)
        self.kills = Counter()
        self._hire()

    def kill(self):
        """kill -9 something, and have it come back; gunicorn itself brings its workers back."""
        victims = [self.everything, self.web_worker, self.worker_beside, self.worker]
        victim = self.random.choices(victims, [2, 3, 2, 3])[0]
        if victim():
            self.kills[victim.__name__] += 1

    def everything(self):
        self.server.kill()
        self.server.start()
        return True

    def web_worker(self):
        return self._shoot(sorted(web_workers(self.server)))

    def worker_beside(self):
        children = psutil.Process(self.server.process.pid).children()
        return self._shoot([child.pid for child in children if "worker" in child.cmdline()])

    def worker(self):
        self._shoot([self.process.pid])
        self.process.communicate()
        self._hire()
        return True

    def close(self):
        """End all in good order."""
        self.process.terminate()
        self.process.communicate(timeout=40)
        self.server.stop()

    def _hire(self):
        command = (*CONTACTAPP, "worker", "--threads=2")
        self.process = start(command, self.folder, self.server.settings)

    def _shoot(self, pids):
        with suppress(ProcessLookupError):
            if pids:
                os.kill(self.random.choice(pids), signal.SIGKILL)
                return True
        return False


# DU-1, DU-3
@pytest.mark.soak
@pytest.mark.timeout(600)
def test_nothing_is_lost_whatever_is_killed_and_when(engine, new_server, new_app, tmp_path, capsys):
    server = new_server(engine, CONTACT_LIMIT="0", JOB_WORKER="true")
    house = House(server, tmp_path, seed=engine)
    people = [server.person(f"person{number}") for number in range(3)]
    hands = [Stubborn(people[number % 3], number) for number in range(HANDS)]
    with Crowd(hands) as crowd:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends and not crowd.failures:
            time.sleep(house.random.uniform(0.1, 1.5))
            house.kill()
    app = new_app(engine, database=server.database, INSTANCE_PATH=str(server.instance))
    with app.app_context():
        # A job of a killed worker comes back when its lease has ended, a minute later.
        until(lambda: lane().one(WAITING) == (0,), seconds=150)
    house.close()
    lost = compare(hands, read_books(app, people))
    found = check_accounts(app, server, hands, people)
    kills = house.kills.total()
    row = {
        "engine": engine,
        "seconds": SECONDS,
        "kills": kills,
        "of all at once": house.kills["everything"],
        "unanswered": sum(hand.broken for hand in hands),
        "acknowledged": sum(len(hand.done) + len(hand.registered) for hand in hands),
        **found,
        "lost": len(lost),
    }
    show(capsys, "killed at random moments", [row])
    assert lost == []
    assert kills > SECONDS / 10
    assert found["duplicates"] <= kills
    statuses = set().union(*(hand.statuses for hand in hands))
    assert statuses <= {200, 201, 204, 503}, statuses


def check_accounts(app, server, hands, people):
    """Every account that was acknowledged is there, each with one job that is done and its mail."""
    with app.app_context():
        jobs = lane().all(JOBS)
        changes, accounts = lane().one(COUNTS)
        assert [chain.of for chain in verification.follow_all() if chain.broken] == []
    assert {(kind, status) for kind, status, _ in jobs} == {("mail.verify", "done")}, jobs
    assert jobs[0][2] == accounts
    mails = Counter(re.findall("^To: (.+)$", letters(server), re.MULTILINE))
    known = {f"{person.name}@example.com" for person in people}
    known |= {address for hand in hands for address in hand.registered}
    unsure = {address for hand in hands for address in hand.unsure_accounts}
    assert known <= set(mails) <= known | unsure
    assert len(mails) == accounts
    return {
        "change rows": changes,
        "jobs": accounts,
        "mails": mails.total(),
        "duplicates": mails.total() - len(mails),
    }


def letters(server):
    return "".join(path.read_text() for path in server.instance.glob("outbox/*.eml"))
