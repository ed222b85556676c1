"""Reading and writing: one read lane, one write transaction.

Reads go through `lane()`: autocommit driver connections, one per thread and process, without
SQLAlchemy in between (its connection costs 80 µs a request). Writes go through functions marked
`@write_transaction`, with `db.session`: BEGIN IMMEDIATE on SQLite, READ COMMITTED on PostgreSQL.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from flask import Flask, current_app
from sqlalchemy import BigInteger, Engine, Integer, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from . import engine as engines
from .engine import DatabaseBusy, DatabaseUnavailable, RetryTransaction
from .extensions import db

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase as Model
else:
    Model = db.Model

P = ParamSpec("P")
R = TypeVar("R")

# SQLite gives AUTOINCREMENT only to a column declared INTEGER, which holds 64 bits there.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class Sql:
    """A statement written with `?` for parameters, ready for either driver's style."""

    __slots__ = ("format", "qmark")

    def __init__(self, text: str) -> None:
        self.qmark = text
        self.format = text.replace("?", "%s")


class Database(NamedTuple):
    """What belongs to one application's database besides SQLAlchemy's engine."""

    engine: Engine
    lane: ReadLane
    writer: threading.Lock
    busy_timeout: int

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"


class _Opened:
    """A thread's connection and its cursor; closed with the thread."""

    def __init__(self, connection: Any, cursor: Any) -> None:
        self.connection = connection
        self.cursor = cursor
        self.pid = os.getpid()
        self.in_snapshot = False

    def close(self) -> None:
        # A connection that came over a fork belongs to the parent, whose socket it would close.
        if self.pid == os.getpid():
            self.connection.close()

    __del__ = close


class ReadLane:
    """Autocommit connections for reading, one per thread and process, reopened once on failure.

    A connection is never used in another process than the one that opened it, so a server may
    fork after the application was made.
    """

    def __init__(self, engine: Engine, busy_timeout: int) -> None:
        self._engine = engine
        self._busy_timeout = busy_timeout
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._local = threading.local()
        self._all: weakref.WeakSet[_Opened] = weakref.WeakSet()

    def one(self, sql: Sql, parameters: Sequence[Any] = ()) -> Any:
        """The first row as a tuple, or None."""
        # fetchall also for one row: a statement left unfinished would pin SQLite's read snapshot.
        rows = self._run(sql, parameters).fetchall()
        return rows[0] if rows else None

    def all(self, sql: Sql, parameters: Sequence[Any] = ()) -> list[Any]:
        """Every row as a tuple."""
        return self._run(sql, parameters).fetchall()  # type: ignore[no-any-return]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Within it, every read of this thread sees one state of the database."""
        self._run(_BEGIN_SNAPSHOT_SQLITE if self._is_sqlite else _BEGIN_SNAPSHOT_POSTGRESQL, ())
        opened = self._local.opened
        opened.in_snapshot = True
        try:
            yield
            self._run(_COMMIT, ())
            opened.in_snapshot = False
        finally:
            if opened.in_snapshot:  # something failed: the transaction ends with its connection
                self.close()

    def close(self) -> None:
        """Close this thread's connection; the next read opens another."""
        opened = getattr(self._local, "opened", None)
        self._local.opened = None
        if opened is not None:
            opened.close()

    def close_all(self) -> None:
        """Close the connections of every thread, when none of them reads any more."""
        for opened in list(self._all):
            opened.close()

    def _run(self, sql: Sql, parameters: Sequence[Any], again: bool = True) -> Any:
        text = sql.qmark if self._is_sqlite else sql.format
        in_snapshot = False
        try:
            opened = self._mine()
            in_snapshot = opened.in_snapshot
            opened.cursor.execute(text, parameters)
            return opened.cursor
        except self._engine.dialect.loaded_dbapi.Error as error:
            failure = engines.failure_of(error)
            if failure is None:
                raise
            self.close()
            # Once more on a fresh connection: cheaper than asking before every read.
            if isinstance(failure, DatabaseUnavailable) and again and not in_snapshot:
                return self._run(sql, parameters, again=False)
            raise failure from error

    def _mine(self) -> _Opened:
        opened: _Opened | None = getattr(self._local, "opened", None)
        if opened is None or opened.pid != os.getpid():
            connection = self._open()
            # psycopg: a binary cursor brings bytea over unescaped.
            options = {} if self._is_sqlite else {"binary": True}
            opened = _Opened(connection, connection.cursor(**options))
            self._local.opened = opened
            self._all.add(opened)
        return opened

    def _open(self) -> Any:
        dialect = self._engine.dialect
        positional, keywords = dialect.create_connect_args(self._engine.url)
        options = engines.engine_options(self._engine.url, self._busy_timeout)["connect_args"]
        if self._is_sqlite:
            options |= {"check_same_thread": False}  # close_all comes from another thread
        else:
            options |= {"autocommit": True, "prepare_threshold": 0}
        connection = dialect.loaded_dbapi.connect(*positional, **{**keywords, **options})
        if self._is_sqlite:
            engines.configure_sqlite(connection, self._busy_timeout)
        return connection


_BEGIN_SNAPSHOT_SQLITE = Sql("BEGIN")
_BEGIN_SNAPSHOT_POSTGRESQL = Sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
_COMMIT = Sql("COMMIT")


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
    return current_app.extensions["contactapp.database"]  # type: ignore[no-any-return]


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
        if db.session.registry.has() and db.session.in_transaction():
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
    if not own.writer.acquire(timeout=own.busy_timeout):
        raise DatabaseBusy("the writers of this process queue for longer than we wait")
    try:
        yield
    finally:
        own.writer.release()


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
