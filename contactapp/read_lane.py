"""The read lane: autocommit driver connections, one per thread and process.

SQLAlchemy is not in between: its connection costs 80 µs a request.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from . import engine as engines
from .engine import DatabaseUnavailable


class Sql:
    """A statement written with `?` for parameters, ready for either driver's style."""

    __slots__ = ("format", "qmark")

    def __init__(self, text: str) -> None:
        self.qmark = text
        self.format = text.replace("?", "%s")


_BEGIN_SNAPSHOT_SQLITE = Sql("BEGIN")
_BEGIN_SNAPSHOT_POSTGRESQL = Sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
_COMMIT = Sql("COMMIT")
_BUSY_AT_ONCE_SQLITE = Sql("PRAGMA busy_timeout = 0")
_BUSY_AT_ONCE_POSTGRESQL = Sql("SET lock_timeout = 10")  # milliseconds; 0 would be for ever


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
        return self._run(sql, parameters).fetchall()

    def write_unless_busy(self, sql: Sql, parameters: Sequence[Any]) -> None:
        """Run one small statement of its own, which may be lost: raises DatabaseBusy at once where
        another writer is at work."""
        self._run(_BUSY_AT_ONCE_SQLITE if self._is_sqlite else _BUSY_AT_ONCE_POSTGRESQL, ())
        self._run(sql, parameters)  # a failure closes the connection, so nothing is left set
        name = "PRAGMA busy_timeout =" if self._is_sqlite else "SET lock_timeout ="
        self._run(Sql(f"{name} {self._busy_timeout * 1000}"), ())

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
