"""Reading and writing: one lane, one write transaction.

Both go through `lane()`; writes in functions marked `@write_transaction`: BEGIN IMMEDIATE on
SQLite, READ COMMITTED on PostgreSQL. SQLAlchemy describes the tables and migrates them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from flask import Flask, current_app
from sqlalchemy import BigInteger, Engine, Integer, make_url

from . import engine as engines
from .engine import ConstraintViolated, DatabaseBusy, RetryTransaction
from .extensions import db
from .lane import Lane, Sql

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase as Model
else:
    Model = db.Model

P = ParamSpec("P")
R = TypeVar("R")

_TRIES = 2

# SQLite gives AUTOINCREMENT only to a column declared INTEGER, which holds 64 bits there.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class Database(NamedTuple):
    """What belongs to one application's database besides SQLAlchemy's engine."""

    engine: Engine
    lane: Lane
    writer: threading.Lock
    busy_timeout: int

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"


def init_database(app: Flask, url: str, busy_timeout: int) -> None:
    """Bind Flask-SQLAlchemy and the lane to the application's database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engines.engine_options(make_url(url), busy_timeout)
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    engines.bind_events(engine, busy_timeout)
    app.extensions["contactapp.database"] = Database(
        engine, Lane(engine, busy_timeout), threading.Lock(), busy_timeout
    )


def database() -> Database:
    """The database of the current application."""
    return current_app.extensions["contactapp.database"]


def lane() -> Lane:
    """The lane of the current application."""
    return database().lane


def write_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run a service function as one transaction: commit when it returns, roll back when it raises.

    A deadlock or serialisation failure runs it once more, so it must not change its arguments.
    Raises DatabaseBusy, DatabaseFull or DatabaseUnavailable where the database cannot do it.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        own = database()
        if own.lane.in_transaction:
            raise RuntimeError(f"{function.__name__} would commit inside another transaction")
        with _writers_turn(own) as patience:
            for _ in range(_TRIES):
                own.lane.begin(patience)
                try:
                    result = function(*args, **kwargs)
                    own.lane.commit()
                    return result
                except RetryTransaction:
                    own.lane.rollback()
                except BaseException:
                    own.lane.rollback()
                    raise
        raise DatabaseBusy("two writers keep getting in each other's way")

    return run


@contextmanager
def _writers_turn(own: Database) -> Iterator[float]:
    """On SQLite, queue this process's writers here: a lock wakes the next one at once, while
    SQLite's own waiting sleeps and may starve a thread under load. Gives the seconds that are left
    to wait for other processes."""
    if not own.is_sqlite or own.writer.acquire(blocking=False):
        started = None
    else:
        started = time.monotonic()
        if not own.writer.acquire(timeout=own.busy_timeout):
            raise DatabaseBusy("the writers of this process queue for longer than we wait")
    try:
        yield own.busy_timeout - (time.monotonic() - started if started else 0)
    finally:
        if own.is_sqlite:
            own.writer.release()


__all__ = [
    "BigId",
    "ConstraintViolated",
    "Database",
    "Lane",
    "Model",
    "Sql",
    "database",
    "init_database",
    "lane",
    "write_transaction",
]
