"""A write transaction that stays open until it is settled."""

import threading

import pytest

from contactapp.database import (
    Lane,
    Sql,
    after_commit,
    database,
    held_open,
    lane,
    write_transaction,
)

PATIENCE = 20


@pytest.fixture
def inside(app):
    """The application's context, and an empty table to write to."""
    with app.app_context():
        write_transaction(lambda: lane().run(Sql("DELETE FROM place WHERE name <> ''"), ()))()
        yield app


@pytest.fixture(scope="module", autouse=True)
def table(app):
    with app.app_context():
        write_transaction(lambda: lane().run(Sql("CREATE TABLE place (name TEXT)"), ()))()
        yield
        write_transaction(lambda: lane().run(Sql("DROP TABLE place"), ()))()


@write_transaction
def add(name, then=lambda: None):
    lane().insert("place", {"name": name}, returning="")
    return then()


def first():
    lane().insert("place", {"name": "first"}, returning="")


def names():
    """What is committed, as another connection sees it."""
    own = database()
    other = Lane(own.engine, 5)
    rows = other.all(Sql("SELECT name FROM place ORDER BY name"))
    other.close()
    return [row[0] for row in rows]


def fail():
    raise LookupError


def test_all_writes_are_one_commit_after_what_comes_first(inside):
    with held_open(first) as held:
        assert not held.is_open
        add("one")
        assert held.is_open
        add("two")
        assert names() == []
        held.settle()
        assert names() == ["first", "one", "two"]


def broken_off():
    with held_open(first):
        add("one")
        fail()


def test_what_is_not_settled_is_undone(inside):
    with held_open(first):
        add("one")
    with pytest.raises(LookupError):
        broken_off()
    assert names() == []
    add("two")
    assert names() == ["two"]


def test_a_write_that_fails_is_undone_alone(inside):
    with held_open(first) as held:
        add("one")
        with pytest.raises(LookupError):
            add("two", then=fail)
        add("three")
        held.settle()
    assert names() == ["first", "one", "three"]


def test_where_the_first_write_fails_the_next_begins_anew(inside):
    with held_open(first) as held:
        with pytest.raises(LookupError):
            add("one", then=fail)
        assert not held.is_open
        add("two")
        held.settle()
    assert names() == ["first", "two"]


def test_a_write_inside_a_write_is_refused_here_too(inside):
    with held_open(first), pytest.raises(RuntimeError):
        add("one", then=lambda: add("two"))
    with held_open(first):
        add("one")
        with pytest.raises(RuntimeError):
            add("two", then=lambda: add("three"))
    assert names() == []


def test_what_is_to_be_done_after_the_commit_waits_for_it(inside):
    told = []
    with held_open(first) as held:
        add("one", then=lambda: after_commit(lambda: told.append(names())))
        assert told == []
        held.settle()
    assert told == [["first", "one"]]
    with held_open(first):
        add("two", then=lambda: after_commit(lambda: told.append("never")))
    assert len(told) == 1


def beside(app, call, outcomes):
    """Run a call in a thread of its own, which queues for the turn by the time this returns."""

    def run():
        with app.app_context():
            outcomes.append(call())
            lane().close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_what_queues_meanwhile_shares_the_commit(inside):
    writer, outcomes, statements = database().writer, [], []
    add("warm")
    writer._connection.connection.set_trace_callback(statements.append)
    with held_open(first) as held:
        add("one")
        threads = [beside(inside, lambda: add("two"), outcomes) for _ in range(2)]
        while len(writer._queue) < 2:
            assert threads[0].is_alive()
        held.settle()
    for thread in threads:
        thread.join(PATIENCE)
    writer._connection.connection.set_trace_callback(None)
    assert names() == ["first", "one", "two", "two", "warm"]
    assert statements.count("COMMIT") == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("settled", [True, False])
def test_one_that_queues_to_be_held_is_run_by_its_own_thread_alone(inside, settled):
    writer, outcomes = database().writer, []

    def hold():
        with held_open(first) as held:
            ran = add("two", then=threading.get_ident)
            held.settle()
            return ran == threading.get_ident()

    with held_open(first) as held:
        add("one")
        threads = [beside(inside, hold, outcomes)]
        while len(writer._queue) < 1:
            assert threads[0].is_alive()
        threads.append(beside(inside, lambda: add("three"), outcomes))
        while len(writer._queue) < 2:
            assert threads[1].is_alive()
        if settled:
            held.settle()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert sorted(map(bool, outcomes)) == [False, True]
    assert names() == sorted(["first", "two", "three", *(["first", "one"] if settled else [])])


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_commit_that_fails_is_told_and_leaves_the_turn_free(inside, monkeypatch):
    with monkeypatch.context() as broken, held_open(first) as held:
        add("one")
        broken.setattr(database().lane, "commit", fail)
        with pytest.raises(Exception, match="undone"):
            held.settle()
    add("two")
    assert names() == ["two"]
