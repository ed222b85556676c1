"""Eight writers, many of whose writes are undone, and one reader of the book's changes."""

import random
import threading
import time
from collections import Counter
from contextvars import ContextVar
from itertools import pairwise

import pytest
import requests

from tests.support.processes import context
from tests.support.tables import show

SECONDS, PROCESSES, THREADS = 30, 4, 2
PAGE = 50
# Carried along to whichever thread runs the write.
undone = ContextVar("undone", default=False)


class Writer:
    """Works on contacts of its own in a book that is full most of the time."""

    def __init__(self, app, token, seed):
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {token}"}
        self.random = random.Random(seed)
        self.mine = {}
        self.committed = []  # (contact id, version)
        self.rolled_back = Counter()

    def step(self):
        deeds = [self.add, self.change, self.trash, self.lag, self.fail]
        [deed] = self.random.choices(deeds, [5, 4, 3, 2, 3] if self.mine else [1, 0, 0, 0, 0])
        deed()

    def add(self):
        answer = self._ask("POST", "", json={"nickname": self._word()})
        if answer.status_code == 201:
            self._commit(answer.json["id"], 1)
        else:
            self._undo(answer, {403: "contact_limit_reached"})

    def change(self):
        id_ = self._any()
        answer = self._ask("PATCH", f"/{id_}", json={"nickname": self._word()})
        assert answer.json["version"] == self.mine[id_] + 1, answer.text
        self._commit(id_, answer.json["version"])

    def trash(self):
        id_ = self._any()
        assert self._ask("DELETE", f"/{id_}").status_code == 204
        self._commit(id_, self.mine[id_] + 1)
        del self.mine[id_]

    def lag(self):
        """A change of what is not that version any more."""
        id_ = self._any()
        stale = {"If-Match": f'"{self.mine[id_] + 1}-x"'}
        self._undo(self._ask("PATCH", f"/{id_}", stale, json={"nickname": "x"}), {412: "stale"})

    def fail(self):
        """A change that is undone when all of it is written."""
        mark = undone.set(True)
        try:
            answer = self._ask("PATCH", f"/{self._any()}", json={"nickname": self._word()})
        finally:
            undone.reset(mark)
        self._undo(answer, {409: "undone"})

    def _ask(self, method, path, headers=(), **kwargs):
        given = {**self.headers, **dict(headers)}
        return self.client.open(f"/api/v1/contacts{path}", method=method, headers=given, **kwargs)

    def _commit(self, id_, version):
        self.mine[id_] = version
        self.committed.append((id_, version))

    def _undo(self, answer, known):
        self.rolled_back[known[answer.status_code]] += 1

    def _any(self):
        return self.random.choice(list(self.mine))

    def _word(self):
        return f"n{self.random.getrandbits(48):x}"


def write(settings, token, number, results):
    """A process with two writers, for so long; what they did."""
    from contactapp import create_app
    from contactapp.changes.service import ChangeLog
    from contactapp.config import load
    from contactapp.errors import Conflict

    append = ChangeLog.append

    def and_fail(log, *args, **kwargs):
        append(log, *args, **kwargs)
        if undone.get():
            raise Conflict("conflict")

    ChangeLog.append = and_fail
    app = create_app(load(settings, environ={}))
    writers = [Writer(app, token, THREADS * number + n) for n in range(THREADS)]
    failures, ends = [], time.monotonic() + SECONDS

    def work(writer):
        try:
            while time.monotonic() < ends:
                writer.step()
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=work, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((failures, [(w.committed, w.rolled_back) for w in writers]))


class Reader:
    """Follows the changes of a person's book. `told`: [(seq, contact id, version)]."""

    def __init__(self, person):
        self.url = f"{person.url}/changes"
        self.http = requests.Session()
        self.http.headers.update(person.http.headers)
        self.cursor = None
        self.told = []

    def read(self):
        """Read on; whether there was anything."""
        since = {"since": self.cursor} if self.cursor else {}
        answer = self.http.get(self.url, params={"limit": PAGE, **since}, timeout=60)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        self.told += [(item["seq"], item["id"], item["version"]) for item in page["items"]]
        self.cursor = page["next_cursor"]
        return bool(page["items"]) or page["has_more"]


# CC-4
@pytest.mark.soak
@pytest.mark.timeout(300)
def test_what_is_committed_is_delivered_once_and_in_order(engine, new_server, capsys):
    server = new_server(engine, CONTACT_LIMIT="24")
    person = server.person()
    reader = Reader(person)
    results, given = context.Queue(), (server.settings, person.tokens["access_token"])
    processes = [
        context.Process(target=write, args=(*given, number, results)) for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes) and results.qsize() < PROCESSES:
        reader.read()
    done = [results.get(timeout=60) for _ in processes]
    while reader.read():
        pass
    for process in processes:
        process.join()
    assert [failure for failures, _ in done for failure in failures] == []
    writers = [writer for _, writers in done for writer in writers]
    judge(engine, capsys, writers, reader)


def judge(engine, capsys, writers, reader):
    """Delivered is committed, each once, in an order without gaps."""
    committed = [change for changes, _ in writers for change in changes]
    rolled_back = sum((counts for _, counts in writers), Counter())
    seqs = [seq for seq, _, _ in reader.told]
    row = {
        "engine": engine,
        "writers": len(writers),
        "seconds": SECONDS,
        "committed": len(committed),
        **dict(sorted(rolled_back.items())),
        "delivered": len(seqs),
        "gaps": sum(after != before + 1 for before, after in pairwise(seqs)),
        "missing": len(set(committed) - {told[1:] for told in reader.told}),
    }
    show(capsys, "committed and delivered", [row])
    assert seqs == list(range(1, len(committed) + 1))
    assert sorted(tuple(told[1:]) for told in reader.told) == sorted(committed)
    assert set(rolled_back) == {"contact_limit_reached", "stale", "undone"}
    assert len(writers) == PROCESSES * THREADS
    latest = {}
    for _, id_, version in reader.told:
        assert version == latest.get(id_, 0) + 1
        latest[id_] = version
