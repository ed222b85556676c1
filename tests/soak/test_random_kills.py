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
from contactapp.books.service import book_at
from contactapp.database import Sql, lane
from contactapp.keyring import keyring
from contactapp.notes.stored import COLUMNS, Stored
from tests.support.chaos import Crowd, Stubborn, compare
from tests.support.command import CONTACTAPP, start
from tests.support.deployment import until, web_workers
from tests.support.tables import show
from tests.support.traffic import read_books

SECONDS, HANDS = 60, 6
JOBS = Sql("SELECT kind, status, count(*) FROM job WHERE period IS NULL GROUP BY kind, status")
COUNTS = Sql("SELECT (SELECT count(*) FROM change), (SELECT count(*) FROM users)")
BOOKS = Sql("SELECT id FROM book")
NOTES = Sql(f"SELECT {COLUMNS} FROM note n WHERE n.book_id = ? AND n.deleted_at IS NULL")
NOTE_ROWS = Sql("SELECT op, count(*) FROM change WHERE entity = 'note' GROUP BY op")
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
    found |= check_notes(app, hands)
    kills = house.kills.total()
    row = {
        "engine": engine,
        "seconds": SECONDS,
        "kills": kills,
        "of all at once": house.kills["everything"],
        "unanswered": sum(hand.broken for hand in hands),
        "acknowledged": sum(
            len(hand.done) + len(hand.registered) + len(hand.noted) for hand in hands
        ),
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
    counted = {(kind, status): count for kind, status, count in jobs}
    counted.pop(("audit.chain", "done"), None)  # one goes on where another left off
    assert set(counted) == {("mail.verify", "done"), ("note.process", "done")}, jobs
    assert counted["mail.verify", "done"] == accounts
    mails = Counter(re.findall("^To: (.+)$", letters(server), re.MULTILINE))
    known = {f"{person.name}@example.com" for person in people}
    known |= {address for hand in hands for address in hand.registered}
    unsure = {address for hand in hands for address in hand.unsure_accounts}
    assert known <= set(mails) <= known | unsure
    assert len(mails) == accounts
    return {
        "change rows": changes,
        "jobs": sum(counted.values()),
        "mails": mails.total(),
        "duplicates": mails.total() - len(mails),
    }


def check_notes(app, hands):
    """Every note that was acknowledged is there and was read, and none was read twice."""
    told = Counter()
    with app.app_context():
        for book in (book_at(id_) for (id_,) in lane().all(BOOKS)):
            cipher = keyring().cipher(book.key_id)
            for row in lane().all(NOTES, (book.id,)):
                note = Stored.of(row, cipher)
                assert note.meta.status == "processed", note.meta
                assert note.shown()["extracted"]["mentions"] == [note.body[1:]]
                told[note.body] += 1
        rows = dict(lane().all(NOTE_ROWS))
    assert set(told.values()) <= {1}
    known = {text for hand in hands for text in hand.noted}
    unsure = {text for hand in hands for text in hand.unsure_notes}
    assert known <= set(told) <= known | unsure
    assert rows == {"create": len(told), "process": len(told)}
    return {"notes": len(told), "notes read": rows["process"]}


def letters(server):
    return "".join(path.read_text() for path in server.instance.glob("outbox/*.eml"))
