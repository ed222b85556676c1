"""What is to happen after a write happens when it is on the disk, once, and never without it."""

import threading
from contextlib import suppress

import pytest

from contactapp.database import Lane, Sql, after_commit, database, lane, write_transaction
from contactapp.engine import RetryTransaction

ROW = {"kind": "after", "seq": 0, "head": b"", "floor": 0}


@pytest.fixture(autouse=True)
def context(app):
    with app.app_context():
        yield


def streams():
    """How many rows there are for others to see."""
    other = Lane(database().engine, 5)
    try:
        return other.one(Sql("SELECT count(*) FROM stream"))[0]
    finally:
        other.close()


def test_it_sees_what_was_written_and_no_transaction():
    before, seen = streams(), []

    @write_transaction
    def write():
        after_commit(lambda: seen.append((streams(), lane().in_transaction)))
        lane().insert("stream", ROW)
        assert seen == []

    write()
    assert seen == [(before + 1, False)]


# EM-3
@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_it_does_not_happen_where_the_write_is_undone(failure):
    seen = []

    @write_transaction
    def write():
        after_commit(lambda: seen.append(1))
        raise failure

    with pytest.raises(failure):
        write()
    write_transaction(lambda: None)()
    assert seen == []


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_it_happens_once_where_a_deadlock_made_the_write_run_twice(engine):
    tries, seen = [], []

    @write_transaction
    def write():
        tries.append(1)
        after_commit(lambda: seen.append(len(tries)))
        if len(tries) == 1:
            raise RetryTransaction("the other one won")

    write()
    assert seen == [2]


def test_each_of_many_writes_at_once_brings_about_its_own(app):
    """On SQLite they share commits, and another thread may have run them."""
    seen, refused = [], []
    together = threading.Barrier(9)  # a thread that has ended leaves its number to the next one

    @write_transaction
    def write(number):
        lane().insert("stream", ROW)
        after_commit(lambda: seen.append((number, threading.get_ident())))
        if number % 3 == 0:
            raise LookupError

    def run(number):
        together.wait(60)
        with app.app_context():
            for _ in range(20):
                with suppress(LookupError):
                    write(number)
                    assert seen.count((number, threading.get_ident())) > 0
                    continue
                refused.append(number)
            lane().close()
        together.wait(60)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    done = [number for number, _ in seen]
    assert sorted(done) == sorted(20 * [number for number in range(9) if number % 3])
    assert len(refused) == 60
    assert len({ident for _, ident in seen}) == 6, "each is called by who wrote"


def test_outside_a_write_there_is_nothing_to_wait_for():
    with pytest.raises(RuntimeError):
        after_commit(lambda: None)
    with lane().snapshot(), pytest.raises(RuntimeError):
        after_commit(lambda: None)
