"""One write transaction: whole or not at all, once, and honest when it cannot be."""

import os
import threading
import time
from contextlib import suppress

import pytest
from sqlalchemy import select, text, update

from contactapp.changes.models import Stream
from contactapp.database import (
    ConstraintViolated,
    Lane,
    Sql,
    database,
    lane,
    write_transaction,
)
from contactapp.engine import DatabaseBusy, DatabaseUnavailable
from contactapp.engine import sqlite3 as driver
from tests.support.stored import tell_writer

# SQLite has one writer at a time: the others wait, and cannot get in each other's way.
on_postgresql = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
ROW = {"kind": "test", "seq": 0, "head": b"", "floor": 0}


@pytest.fixture(autouse=True)
def context(app):
    with app.app_context():
        yield


@pytest.fixture
def two():
    """The ids of two rows that nobody else uses."""
    return [add(), add()]


@write_transaction
def add():
    return lane().insert("stream", ROW)


def streams():
    """How many rows there are for others to see."""
    other = Lane(database().engine, 5)
    try:
        return other.one(Sql("SELECT count(*) FROM stream"))[0]
    finally:
        other.close()


def seqs(ids):
    with database().engine.connect() as connection:
        rows = connection.execute(select(Stream.id, Stream.seq).where(Stream.id.in_(ids))).all()
    return [dict(rows)[id_] for id_ in ids]


def advance(id_):
    lane().run(Sql("UPDATE stream SET seq = seq + 1 WHERE id = ?"), (id_,))


def test_nothing_is_there_before_the_function_returns_and_all_is_after():
    before, seen = streams(), []

    @write_transaction
    def write():
        lane().insert("stream", ROW)
        lane().insert("stream", ROW)
        seen.append(streams())

    write()
    assert seen == [before]
    assert streams() == before + 2


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(failure):
    before = streams()

    @write_transaction
    def fail():
        lane().insert("stream", ROW)
        raise failure("after the insert")

    with pytest.raises(failure):
        fail()
    assert streams() == before
    add()
    assert streams() == before + 1


def test_a_violated_constraint_leaves_nothing_and_reaches_the_caller():
    before = streams()

    @write_transaction
    def clash():
        id_ = lane().insert("stream", ROW)
        lane().insert("stream", {**ROW, "id": id_})

    with pytest.raises(ConstraintViolated, match="stream"):
        clash()
    assert streams() == before


def test_one_inside_another_is_refused():
    before = streams()

    @write_transaction
    def outer():
        lane().insert("stream", ROW)
        add()

    with pytest.raises(RuntimeError, match="add would commit inside another transaction"):
        outer()
    assert streams() == before


@pytest.mark.parametrize("change", [lambda: advance(1), lambda: lane().insert("stream", ROW)])
def test_nothing_is_changed_outside_one(change):
    with pytest.raises(RuntimeError, match="in a write transaction only"):
        change()
    with lane().snapshot(), pytest.raises(RuntimeError, match="in a write transaction only"):
        change()


def test_a_violated_constraint_that_is_passed_over_commits_all_the_rest_or_says_so(engine):
    """SQLite undoes the statement alone. PostgreSQL has given the transaction up by then, and
    answers its COMMIT with ROLLBACK, which no caller may take for success."""
    before = streams()

    @write_transaction
    def pass_over():
        id_ = lane().insert("stream", ROW)
        with suppress(ConstraintViolated):
            lane().insert("stream", {**ROW, "id": id_})

    if engine == "sqlite":
        pass_over()
        assert streams() == before + 1
    else:
        with pytest.raises(RuntimeError, match="nothing was committed"):
            pass_over()
        assert streams() == before
    add()


def test_a_child_opens_connections_of_its_own(two):
    """What came over a fork is the parent's: its locks on SQLite, its socket to PostgreSQL."""
    read, written = lane()._mine(), getattr(database().writer, "_connection", None)
    child = os.fork()
    if child == 0:
        done = 1
        with suppress(BaseException):
            add()
            own = getattr(database().writer, "_connection", None)
            done = int(lane()._mine() is read or (own is not None and own is written))
        os._exit(done)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lane()._mine() is read
    assert add() == two[1] + 2


@on_postgresql
def test_a_connection_lost_between_two_writes_is_opened_again():
    add()
    before = streams()
    cut_off()
    add()
    assert streams() == before + 1


@on_postgresql
def test_a_connection_lost_inside_one_leaves_nothing():
    before = streams()

    @write_transaction
    def write():
        lane().insert("stream", ROW)
        cut_off()
        lane().insert("stream", ROW)

    with pytest.raises(DatabaseUnavailable):
        write()
    assert streams() == before
    add()


@on_postgresql
def test_a_session_that_the_server_ended_for_idling_in_a_transaction_is_told_as_unavailable():
    """As a worker that was frozen for a minute finds it."""

    @write_transaction
    def write():
        lane().insert("stream", ROW)
        lane().run(Sql("SET LOCAL idle_in_transaction_session_timeout = 20"), ())
        with database().engine.connect() as other:  # until it is gone
            other.execute(text("SELECT pg_sleep(0.3)"))
        lane().insert("stream", ROW)

    before = streams()
    with pytest.raises(DatabaseUnavailable):
        write()
    assert streams() == before
    add()


def cut_off():
    """End this thread's connection at the server's side."""
    [pid] = lane().one(Sql("SELECT pg_backend_pid()"))
    with database().engine.connect() as other:
        assert other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar()


@on_postgresql
def test_two_threads_that_deadlock_both_get_through(app, two):
    """The loser of the deadlock is run again."""
    tries, both_hold_one = [], threading.Barrier(2, timeout=20)

    @write_transaction
    def write(first, second):
        tries.append(first)
        lane().run(Sql("SET LOCAL deadlock_timeout = '20ms'"), ())
        advance(first)
        if tries.count(first) == 1:
            both_hold_one.wait()
        advance(second)

    run_in_threads(app, [lambda: write(*two), lambda: write(*reversed(two))])
    assert seqs(two) == [2, 2]
    assert len(tries) >= 3  # more where the pauses were too short for a busy machine


def run_in_threads(app, calls):
    raised = []

    def run(call):
        try:
            with app.app_context():
                call()
                lane().close()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []


def collide(id_):
    """Make the running transaction fail with a serialisation error: another one changes its row."""
    lane().run(Sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"), ())
    lane().one(Sql("SELECT seq FROM stream WHERE id = ?"), (id_,))
    with database().engine.begin() as other:
        other.execute(update(Stream).where(Stream.id == id_).values(seq=Stream.seq + 10))
    advance(id_)


@on_postgresql
def test_a_serialisation_failure_is_run_again(two):
    tries = []

    @write_transaction
    def write():
        tries.append(1)
        if len(tries) == 1:
            collide(two[0])
        advance(two[0])

    write()
    assert len(tries) == 2
    assert seqs(two) == [11, 0]


@on_postgresql
def test_what_fails_three_times_is_given_up_as_busy(two):
    tries = []

    @write_transaction
    def write():
        tries.append(1)
        collide(two[0])

    with pytest.raises(DatabaseBusy):
        write()
    assert len(tries) == 3
    assert seqs(two) == [30, 0]


@on_postgresql
def test_a_lock_that_does_not_come_is_told_as_busy(two):
    @write_transaction
    def write():
        lane().run(Sql("SET LOCAL lock_timeout = '50ms'"), ())
        advance(two[0])

    with database().engine.begin() as other:
        other.execute(update(Stream).where(Stream.id == two[0]).values(seq=7))
        with pytest.raises(DatabaseBusy):
            write()
    assert seqs(two) == [7, 0]


@on_sqlite
def test_a_full_disk_is_told_apart_and_reading_goes_on(alice):
    """`max_page_count` makes SQLite fail as a full volume does."""
    contact = alice.contact(first_name="Grace")
    [pages] = lane().one(Sql("PRAGMA page_count"))
    tell_writer(alice.app, f"max_page_count={pages}")
    answers = [alice.post("/contacts", json={"nickname": "n" * 100}) for _ in range(60)]
    full = next(answer for answer in answers if answer.status_code != 201)
    assert (full.status_code, full.json["code"]) == (507, "storage_full")
    assert full.headers["Retry-After"]
    assert alice.get(f"/contacts/{contact['id']}").json == contact
    tell_writer(alice.app, "max_page_count=1000000")
    assert alice.contact(first_name="Ada")


# CC-4
@on_sqlite
def test_a_lock_held_by_another_process_is_503_with_retry_after(new_server):
    """This process holds SQLite's write lock for longer than the server waits (5 s)."""
    server = new_server("sqlite", WORKERS="1")
    person = server.person()
    holder = driver.connect(server.database.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    answer = person.post("/contacts", json={"first_name": "Grace"})
    assert 4.5 < time.monotonic() - began < 12
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert person.get("/contacts").json()["total"] == 0
    holder.execute("ROLLBACK")
    holder.close()
    assert person.post("/contacts", json={"first_name": "Grace"}).status_code == 201
    assert "Traceback" not in server.log.read_text()
    server.kill()


@on_sqlite
def test_a_writer_that_cannot_open_the_file_says_so(app, monkeypatch, tmp_path):
    """As where the process has too many files open, while those who read have theirs."""
    before, own = streams(), database()
    with monkeypatch.context() as away:
        away.setattr(own.writer, "_connection", None)
        away.setattr(own.lane, "_connect", lambda: driver.connect(f"{tmp_path}/absent/x.db"))
        with pytest.raises(DatabaseUnavailable):
            add()
    add()
    assert streams() == before + 1
