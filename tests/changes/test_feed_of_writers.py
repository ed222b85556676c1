"""What several processes write at once is told once, in commit order, while they do."""

import threading

import pytest

from contactapp.changes.service import ChangeLog
from tests.changes.test_change_log import log_of
from tests.conftest import FAST
from tests.support.cast import Person
from tests.support.feed import follow, page
from tests.support.waiting import Waiting
from tests.support.writer import Writer

PROCESSES, DEEDS = 3, 60


@pytest.fixture(scope="module")
def busy_app(engine, new_app):
    """With a place for one to wait in each process, and a limit that refuses at its commit."""
    return new_app(engine, CONTACT_LIMIT="70", THREADS="3")


@pytest.fixture(scope="module")
def writers(busy_app):
    """Other processes; which person they write as is told later."""
    config = busy_app.extensions["contactapp.settings"]
    given = {**FAST, "DATABASE_URL": config.database_url, "CONTACT_LIMIT": "70"}
    given["INSTANCE_PATH"] = str(config.instance_path)
    made = [Writer(given, "nobody") for _ in range(PROCESSES)]
    yield made
    for writer in made:
        writer.stop()


class Story(threading.Thread):
    """One process's deeds: `told` are those that were acknowledged, as (op, id, version)."""

    def __init__(self, writer, name):
        super().__init__()
        self._writer, self._name = writer, name
        self.told, self.refused = [], 0

    def run(self):
        for number in range(DEEDS // 3):
            status, made = self._writer.send("POST", "/contacts", {"nickname": self._name})
            if status == 403:  # the limit, counted in the transaction
                self.refused += 1
                continue
            self.told.append(("created", made["id"], made["version"]))
            path = f"/contacts/{made['id']}"
            status, _ = self._writer.send("PATCH", path, {"nickname": None})
            self.refused += status == 422  # nameless, as only shows in the transaction
            body = {"company": f"{self._name}{number}"}
            status, made = self._writer.send("PATCH", path, body)
            self.told.append(("updated", made["id"], made["version"]))
            if number % 4 == 0:
                self._writer.send("DELETE", path)
                self.told.append(("deleted", made["id"], made["version"] + 1))


class Failing(threading.Thread):
    """Somebody in this process whose every write fails after its change was written."""

    def __init__(self, person):
        super().__init__()
        self._person, self.statuses = person, set()

    def run(self):
        for _ in range(DEEDS // 3):
            answer = self._person.post("/contacts", json={"nickname": "never"})
            self.statuses.add(answer.status_code)


# DU-5
def test_a_reader_is_told_what_was_committed_and_nothing_else(busy_app, writers, monkeypatch):
    append = ChangeLog.append

    def append_and_fail(self, *args):
        append(self, *args)
        raise RuntimeError("after everything was written")

    monkeypatch.setattr(ChangeLog, "append", append_and_fail)
    alice = Person(busy_app, "alice")
    for writer in writers:
        writer.use(alice.access)
    stories = [Story(writer, f"w{number}") for number, writer in enumerate(writers)]
    failing = Failing(alice)
    for thread in (*stories, failing):
        thread.start()
    items, since, parts = [], None, 0
    while any(thread.is_alive() for thread in (*stories, failing)):
        more, since = follow(alice, since, limit=3)
        items, parts = items + more, parts + bool(more)
    items += follow(alice, since)[0]
    assert parts > 5  # it read while they wrote
    assert failing.statuses == {500}
    assert sum(story.refused for story in stories) > 5
    assert [item["seq"] for item in items] == list(range(1, len(items) + 1))
    keys = [(item["op"], item["id"], item["version"]) for item in items]
    assert sorted(keys) == sorted(entry for story in stories for entry in story.told)
    for story in stories:  # and each process's deeds in the order in which it did them
        assert [key for key in keys if key in set(story.told)] == story.told
    assert [item["data"] for item in items] == [row["after"] for row in log_of(alice)]


def test_a_reader_who_waits_is_answered_when_another_process_writes(busy_app, writers):
    alice = Person(busy_app, "alice")
    writers[0].use(alice.access)
    since = page(alice)["next_cursor"]
    waiting = Waiting(alice, f"/changes?wait=30&since={since}")
    status, made = writers[0].send("POST", "/contacts", {"nickname": "G"})
    assert status == 201
    [item] = waiting.answer().json["items"]
    assert (item["op"], item["id"]) == ("created", made["id"])
