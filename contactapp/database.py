"""Reading and writing: one read lane, one write transaction.

Reads go through `lane()` (see `read_lane`). Writes go through functions marked
`@write_transaction`, with `db.session`: BEGIN IMMEDIATE on SQLite, READ COMMITTED on PostgreSQL.
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
from sqlalchemy.exc import DBAPIError, IntegrityError

from . import engine as engines
from .engine import DatabaseBusy, DatabaseUnavailable, RetryTransaction
from .extensions import db
from .read_lane import ReadLane, Sql

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase as Model
else:
    Model = db.Model

P = ParamSpec("P")
R = TypeVar("R")

# SQLite gives AUTOINCREMENT only to a column declared INTEGER, which holds 64 bits there.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class Database(NamedTuple):
    """What belongs to one application's database besides SQLAlchemy's engine."""

    engine: Engine
    lane: ReadLane
    writer: threading.Lock
    busy_timeout: int

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"


def init_database(app: Flask, url: str, busy_timeout: int) -> None:
    """Bind Flask-SQLAlchemy and the read lane to the application's database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engines.engine_options(make_url(url), busy_timeout)
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    engines.bind_events(engine, busy_timeout)
    app.extensions["contactapp.database"] = Database(
        engine, ReadLane(engine, busy_timeout), threading.Lock(), busy_timeout
    )


def database() -> Database:
    """The database of the current application."""
    return current_app.extensions["contactapp.database"]


def lane() -> ReadLane:
    """The read lane of the current application."""
    return database().lane


def write_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run a service function as one transaction: commit when it returns, roll back when it raises.

    A deadlock or serialisation failure runs it once more, so it must not change its arguments.
    Raises DatabaseBusy, DatabaseFull or DatabaseUnavailable where the database cannot do it.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if db.session.registry.has() and db.session().in_transaction():
            raise RuntimeError(f"{function.__name__} would commit inside another transaction")
        with _writers_turn():
            try:
                return _attempt(function, *args, **kwargs)
            except RetryTransaction:
                pass
            try:
                return _attempt(function, *args, **kwargs)
            except RetryTransaction:
                raise DatabaseBusy("two writers keep getting in each other's way") from None

    return run


def _attempt(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        result = function(*args, **kwargs)
        db.session.commit()
        return result
    except DBAPIError as error:
        db.session.rollback()
        failure = None if isinstance(error, IntegrityError) else engines.failure_of(error.orig)
        if failure is None and error.connection_invalidated:
            failure = DatabaseUnavailable("the connection was lost")
        if failure is None:
            raise
        raise failure from error
    except BaseException:
        db.session.rollback()
        raise
    finally:
        db.session.remove()


@contextmanager
def _writers_turn() -> Iterator[None]:
    """On SQLite, queue this process's writers here: a lock wakes the next one at once, while
    SQLite's own waiting sleeps and may starve a thread under load."""
    own = database()
    if not own.is_sqlite:
        yield
        return
    engines.patience.until = time.monotonic() + own.busy_timeout
    if not own.writer.acquire(timeout=own.busy_timeout):
        raise DatabaseBusy("the writers of this process queue for longer than we wait")
    try:
        yield
    finally:
        own.writer.release()
        engines.patience.until = 0.0


def constraint_of(error: IntegrityError) -> str:
    """The name of the violated constraint or, on SQLite, its `table.column` list."""
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        return diagnostics.constraint_name or ""
    return str(error.orig).rpartition(": ")[2]


__all__ = [
    "BigId",
    "Database",
    "Model",
    "ReadLane",
    "Sql",
    "constraint_of",
    "database",
    "db",
    "init_database",
    "lane",
    "write_transaction",
]
