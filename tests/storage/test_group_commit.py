"""On SQLite, writes that queue in a process share a commit, and nothing else."""

import threading
import time

import pytest
from flask import g

from contactapp.database import Lane, Sql, database, lane, write_transaction
from contactapp.engine import DatabaseBusy, DatabaseFull, DatabaseUnavailable
from contactapp.errors import PreconditionFailed

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
PATIENCE = 20


@pytest.fixture
def queue(new_app, engine):
    """An application whose writes queue behind one that waits to be let go."""
    made = Queue(new_app(engine))
    yield made
    made.let_go()
    made.join()


class Queue:
    def __init__(self, app):
        self.app = app
        self.outcomes = {}
        self.statements = []
        self._go, self._threads = threading.Event(), []
        with app.app_context():
            write_transaction(lambda: None)()
            connection = database().writer._connection
        connection.connection.set_trace_callback(self.statements.append)

    def write(self, name, then=lambda: None):
        """Begin a write in a thread of its own, and return when it is inside or queues."""
        inside = threading.Event()

        @write_transaction
        def body():
            inside.set()
            if name == "first":
                assert self._go.wait(PATIENCE)
            lane().insert("stream", {"kind": name, "seq": 0, "head": b"", "floor": 0})
            return then()

        def run():
            with self.app.app_context():
                g.name = name
                try:
                    self.outcomes[name] = body()
                except BaseException as error:
                    self.outcomes[name] = error
                lane().close()

        waiting = len(self._waiting())
        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()
        until = time.monotonic() + PATIENCE
        while not (inside.is_set() or name in self.outcomes or len(self._waiting()) > waiting):
            assert time.monotonic() < until

    def _waiting(self):
        return self.app.extensions["contactapp.database"].writer._queue

    def let_go(self):
        self._go.set()

    def join(self):
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def commits(self):
        return self.statements.count("COMMIT")

    def kinds(self):
        """What was written, as another connection sees it."""
        with self.app.app_context():
            other = Lane(database().engine, 5)
        rows = other.all(Sql("SELECT kind FROM stream WHERE kind NOT IN ('book', 'data')"))
        other.close()
        return sorted(row[0] for row in rows)


def orphan():
    """Add a row without its parent, which SQLite is told to look for at the commit."""
    lane().all(Sql("PRAGMA defer_foreign_keys = ON"))
    row = {"book_id": 10**9, "user_id": 10**9, "role": "viewer", "created_at": 0}
    lane().insert("book_member", row, returning="")


def test_writes_that_queue_share_one_commit(queue):
    for name in ("first", "second", "third", "fourth"):
        queue.write(name)
    queue.let_go()
    queue.join()
    assert queue.outcomes == dict.fromkeys(("first", "second", "third", "fourth"))
    assert queue.kinds() == ["first", "fourth", "second", "third"]
    assert queue.commits() == 1


def test_who_is_told_to_lead_before_waiting_for_it_is_woken_once(new_app, engine, monkeypatch):
    app = new_app(engine)
    with app.app_context():
        writer = database().writer
    committing, queued, handed_over = (threading.Event() for _ in range(3))
    commit, mutex, outcomes = writer._lane.commit, writer._mutex, {}

    def commit_when_another_queues():
        committing.set()
        assert queued.wait(PATIENCE)
        commit()

    class Mutex:
        """Who comes late loses the processor just after it has queued."""

        def __enter__(self):
            mutex.acquire()

        def __exit__(self, *_):
            mutex.release()
            if threading.current_thread().name == "late" and not queued.is_set():
                queued.set()
                assert handed_over.wait(PATIENCE)

    monkeypatch.setattr(writer._lane, "commit", commit_when_another_queues)
    monkeypatch.setattr(writer, "_mutex", Mutex())

    def write():
        name = threading.current_thread().name
        with app.app_context():
            try:
                outcomes[name] = write_transaction(lambda: name)()
            except BaseException as error:
                outcomes[name] = error
            lane().close()

    threads = {name: threading.Thread(target=write, name=name) for name in ("first", "late")}
    threads["first"].start()
    assert committing.wait(PATIENCE)
    threads["late"].start()
    threads["first"].join(PATIENCE)
    handed_over.set()
    threads["late"].join(PATIENCE)
    assert outcomes == {"first": "first", "late": "late"}


def test_each_write_is_run_as_its_own_request(queue):
    """Whichever thread runs it."""
    ran = []
    for name in ("first", "second", "third"):
        queue.write(name, then=lambda: ran.append(threading.get_ident()) or g.name)
    queue.let_go()
    queue.join()
    assert queue.outcomes == {name: name for name in ("first", "second", "third")}
    assert len(ran) == 3
    assert len(set(ran)) == 1


def test_a_write_that_is_alone_commits_at_once(queue):
    queue.let_go()
    for name in ("first", "second"):
        queue.write(name)
        queue.join()
    assert queue.commits() == 2


def test_nobody_is_answered_before_the_commit(queue):
    """The first write is done, the second waits in its body: nothing is on the disk yet."""
    inside, go = threading.Event(), threading.Event()

    def wait():
        inside.set()
        assert go.wait(PATIENCE)

    queue.write("first")
    queue.write("second", then=wait)
    queue.let_go()
    assert inside.wait(PATIENCE)
    assert (queue.outcomes, queue.kinds()) == ({}, [])
    go.set()
    queue.join()
    assert queue.outcomes == {"first": None, "second": None}
    assert queue.kinds() == ["first", "second"]


@pytest.mark.parametrize("failing", ["first", "second", "third"])
def test_a_write_that_fails_is_undone_alone(queue, failing):
    def fail():
        raise LookupError(failing)

    names = ("first", "second", "third")
    for name in names:
        queue.write(name, then=fail if name == failing else lambda: None)
    queue.let_go()
    queue.join()
    assert isinstance(queue.outcomes.pop(failing), LookupError)
    assert queue.outcomes == dict.fromkeys(set(names) - {failing})
    assert queue.kinds() == sorted(set(names) - {failing})


# DU-4
def test_where_sqlite_undoes_the_whole_transaction_all_who_shared_it_are_told(queue):
    """As a full disk makes it do. Who comes after finds a new transaction."""

    def undo():
        database().writer._connection.cursor.execute("ROLLBACK")
        raise DatabaseFull("the database cannot be written")

    for name in ("first", "second", "third", "fourth"):
        queue.write(name, then=undo if name == "third" else lambda: None)
    queue.let_go()
    queue.join()
    kinds = {name: type(outcome) for name, outcome in queue.outcomes.items()}
    assert kinds.pop("fourth") is type(None)
    assert kinds == dict.fromkeys(("first", "second", "third"), DatabaseFull)
    assert queue.kinds() == ["fourth"]


def test_a_commit_that_fails_is_told_to_all_who_shared_it(queue):
    queue.write("first")
    queue.write("second", then=orphan)
    queue.let_go()
    queue.join()
    assert isinstance(queue.outcomes["first"], DatabaseUnavailable)
    assert isinstance(queue.outcomes["second"], DatabaseUnavailable)
    assert queue.kinds() == []
    queue.write("third")  # the turn is free
    queue.join()
    assert queue.kinds() == ["third"]


def test_a_refusal_waits_for_what_it_was_refused_for(queue):
    """Or somebody would be told of a version that never came to be."""

    def refuse():
        raise PreconditionFailed(current_version=2)

    queue.write("first")
    queue.write("second", then=refuse)
    queue.write("third", then=orphan)
    queue.let_go()
    queue.join()
    assert isinstance(queue.outcomes["second"], DatabaseUnavailable)
    assert queue.kinds() == []


def test_who_waits_too_long_for_the_turn_is_told_so_and_the_others_go_on(queue, monkeypatch):
    queue.write("first")
    monkeypatch.setattr(queue.app.extensions["contactapp.database"].writer, "_patience", 0.05)
    queue.write("second")
    until = time.monotonic() + PATIENCE
    while "second" not in queue.outcomes:
        assert time.monotonic() < until
    assert isinstance(queue.outcomes["second"], DatabaseBusy)
    queue.let_go()
    queue.join()
    assert queue.kinds() == ["first"]


def test_a_file_that_cannot_be_opened_leaves_the_turn_free(queue, monkeypatch):
    own = queue.app.extensions["contactapp.database"]
    queue.let_go()
    with queue.app.app_context():
        own.lane.close_all()

    def refuse():
        raise own.engine.dialect.loaded_dbapi.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(own.lane, "_connect", refuse)
        queue.write("first")
        queue.join()
    assert isinstance(queue.outcomes["first"], Exception)
    queue.write("second")
    queue.join()
    assert queue.outcomes["second"] is None


def test_no_group_grows_for_ever(queue, monkeypatch):
    """Other processes wait for the whole of it."""
    monkeypatch.setattr("contactapp.writer._LARGEST", 2)
    for name in ("first", "second", "third", "fourth", "fifth"):
        queue.write(name)
    queue.let_go()
    queue.join()
    assert len(queue.kinds()) == 5
    assert queue.commits() == 3
