"""Reading and writing: one lane, one write transaction.

Both go through `lane()`; writes in functions marked `@write_transaction`: BEGIN IMMEDIATE on
SQLite, READ COMMITTED on PostgreSQL. SQLAlchemy describes the tables and migrates them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from flask import Flask, current_app
from sqlalchemy import BigInteger, Engine, Integer, make_url

from . import engine as engines
from .engine import ConstraintViolated
from .extensions import db
from .held import Held
from .lane import Lane
from .postgres_writer import PostgresWriter
from .sql import Sql, insert_into
from .writer import SqliteWriter, Writer

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase as Model
else:
    Model = db.Model

P = ParamSpec("P")
R = TypeVar("R")

# What is to be done after the running write. A context variable, because on SQLite another thread
# may run the write, in a copy of its context.
_afterwards: ContextVar[list[Callable[[], object]]] = ContextVar("afterwards")
_held: ContextVar[Held | None] = ContextVar("held", default=None)

_ROWS = 32  # of an INSERT: more are hardly faster, and SQLite once took 999 parameters and no more

# SQLite gives AUTOINCREMENT only to a column declared INTEGER, which holds 64 bits there.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class Database(NamedTuple):
    """What belongs to one application's database besides SQLAlchemy's engine."""

    engine: Engine
    lane: Lane
    writer: Writer

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"


def init_database(app: Flask, url: str, busy_timeout: int) -> None:
    """Bind Flask-SQLAlchemy and the lane to the application's database."""
    # Parsed: the text of this one has no password in it.
    app.config["SQLALCHEMY_DATABASE_URI"] = make_url(url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engines.engine_options(make_url(url), busy_timeout)
    db.init_app(app)
    # It would end a session after every request, and nothing here begins one.
    app.teardown_appcontext_funcs.clear()
    with app.app_context():
        engine = db.engine
    engines.bind_events(engine, busy_timeout)
    lane = Lane(engine, busy_timeout)
    sqlite = engine.dialect.name == "sqlite"
    writer = SqliteWriter(lane, busy_timeout) if sqlite else PostgresWriter(lane)
    app.extensions["contactapp.database"] = Database(engine, lane, writer)


def database() -> Database:
    """The database of the current application."""
    return current_app.extensions["contactapp.database"]


def lane() -> Lane:
    """The lane of the current application."""
    return database().lane


def insert_all(table: str, rows: Sequence[Mapping[str, Any]], returning: str = "") -> list[Any]:
    """Insert rows with the same columns in the running write transaction, many by a statement; what
    each statement returns of them, in no certain order. Raises ConstraintViolated."""
    found, start = [], 0
    while start < len(rows):
        # A power of two, so that any number of rows needs few different statements.
        count = min(_ROWS, 1 << (len(rows) - start).bit_length() - 1)
        some = rows[start : start + count]
        sql = insert_into(table, tuple(some[0]), returning, count)
        found += lane().change(sql, [value for row in some for value in row.values()])
        start += count
    return found


def write_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run a service function as one transaction: commit when it returns, roll back when it raises.

    A deadlock or serialisation failure runs it again, so it must not change its arguments.
    What it returns is on the disk (see `writer`).
    Raises DatabaseBusy, DatabaseFull or DatabaseUnavailable where the database cannot do it.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        own, held = database(), _held.get()
        if own.lane.in_transaction and (held is None or held.inside):
            raise RuntimeError(f"{function.__name__} would commit inside another transaction")
        calls: list[Callable[[], object]] = []

        def call() -> R:
            calls.clear()  # of a run that a deadlock has undone
            return function(*args, **kwargs)

        before = _afterwards.set(calls)
        try:
            result = (held or own.writer).write(call)
        finally:
            _afterwards.reset(before)
        if held is not None:
            held.afterwards += calls
            return result
        for afterwards in calls:
            afterwards()
        return result

    return run


class Undone(Exception):
    """Ends a write transaction of which nothing is kept, and carries what it returns all the same:
    what a trial would have done."""

    def __init__(self, told: Any) -> None:
        self.told = told
        super().__init__()


def told_if_undone(transaction: Callable[P, R]) -> Callable[P, R]:
    """Around a write transaction: have what an Undone carries returned."""

    @wraps(transaction)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return transaction(*args, **kwargs)
        except Undone as undone:
            told: R = undone.told
            return told

    return run


@contextmanager
def held_open(first: Callable[[], object]) -> Iterator[Held]:
    """Within it the write transactions of this request are one, which begins with `first` at the
    first of them. What is not settled at the end is undone.

    Other writers may have to wait for all that is done in it after a write."""
    held = Held(database().writer, lane(), first)
    before = _held.set(held)
    try:
        yield held
    finally:
        _held.reset(before)
        held.drop()


def after_commit(call: Callable[[], object]) -> None:
    """Have something called when the running write transaction is on the disk, never if it is
    undone. The caller of the write waits for it, and it must not raise: the write is done."""
    calls = _afterwards.get(None)
    if calls is None:
        raise RuntimeError("only a write transaction has an end to wait for")
    calls.append(call)


__all__ = [
    "BigId",
    "ConstraintViolated",
    "Database",
    "Held",
    "Lane",
    "Model",
    "Sql",
    "after_commit",
    "database",
    "held_open",
    "init_database",
    "insert_all",
    "lane",
    "write_transaction",
]
