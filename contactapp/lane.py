"""The lane: autocommit driver connections, one per thread and process, to read and to write on;
on SQLite a process writes on one of its own (see `writer`).

SQLAlchemy is not in between: its connection costs a read 80 µs, its session a write 300 µs, where
BEGIN and COMMIT cost 13 on SQLite.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Engine

from . import engine as engines
from .connection import Connection, open_connection
from .engine import DatabaseBusy, DatabaseUnavailable
from .sql import Sql, insert_into

_BEGIN_SNAPSHOT = Sql("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
# IMMEDIATE takes the write lock at once: a deferred transaction that reads first and writes later
# fails without waiting when another writer came in between.
_BEGIN = Sql("BEGIN IMMEDIATE", "BEGIN ISOLATION LEVEL READ COMMITTED")
_COMMIT = Sql("COMMIT")
_ROLLBACK = Sql("ROLLBACK")
_BUSY_AT_ONCE = Sql("PRAGMA busy_timeout = 0", "SET lock_timeout = 10")  # ms; 0 would be for ever
# Seconds between two tries to get SQLite's write lock: short where others write for milliseconds,
# and longer for one who holds it for long.
_FIRST_PAUSE, _LAST_PAUSE, _LONGER = 0.0002, 0.005, 1.15


class Lane:
    """Autocommit connections, one per thread and process, reopened once on failure.

    A connection is never used in another process than the one that opened it, so a server may
    fork after the application was made.
    """

    def __init__(self, engine: Engine, busy_timeout: int) -> None:
        self._engine = engine
        self._busy_timeout = busy_timeout
        milliseconds = busy_timeout * 1000
        self._patient = Sql(
            f"PRAGMA busy_timeout = {milliseconds}", f"SET lock_timeout = {milliseconds}"
        )
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._local = threading.local()
        self._all: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._spare: list[Connection] = []

    def one(self, sql: Sql, parameters: Sequence[Any] = ()) -> Any:
        """The first row as a tuple, or None."""
        # fetchall also for one row: a statement left unfinished would pin SQLite's read snapshot.
        rows = self._run(sql, parameters).fetchall()
        return rows[0] if rows else None

    def all(self, sql: Sql, parameters: Sequence[Any] = ()) -> list[Any]:
        """Every row as a tuple."""
        return self._run(sql, parameters).fetchall()

    def run(self, sql: Sql, parameters: Sequence[Any]) -> int:
        """Change rows in the running write transaction; how many. Raises ConstraintViolated."""
        self._must_write()
        return self._run(sql, parameters).rowcount

    def change(self, sql: Sql, parameters: Sequence[Any]) -> list[Any]:
        """Change rows in the running write transaction; what the statement returns of them."""
        self._must_write()
        return self._run(sql, parameters).fetchall()

    def insert(self, table: str, row: Mapping[str, Any], returning: str = "id") -> Any:
        """Insert a row in the running write transaction; the value of its column `returning`, if
        any. Table and column names are the program's own. Raises ConstraintViolated."""
        self._must_write()
        cursor = self._run(insert_into(table, tuple(row), returning), tuple(row.values()))
        return cursor.fetchall()[0][0] if returning else None

    def write_unless_busy(self, sql: Sql, parameters: Sequence[Any]) -> None:
        """Run one small statement of its own, which may be lost: raises DatabaseBusy at once where
        another writer is at work."""
        self._run(_BUSY_AT_ONCE, ())
        try:
            self._run(sql, parameters)
        except DatabaseBusy:  # any other failure closes the connection, so nothing is left set
            self._run(self._patient, ())
            raise
        self._run(self._patient, ())

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is in a write transaction or snapshot."""
        opened: Connection | None = getattr(self._local, "opened", None)
        return opened is not None and opened.in_transaction and opened.usable

    def lend(self, connection: Connection | None) -> None:
        """Have this thread use a connection that others use in turn, such as the one that the
        process writes on, or another if that is not usable, until `take_back`."""
        self._local.own, self._local.opened = getattr(self._local, "opened", None), connection

    def take_back(self) -> Connection | None:
        """Have this thread use its own connection again; the one that was lent."""
        lent = self._local.opened
        self._local.opened, self._local.own = self._local.own, None
        return lent

    def begin(self, patience: float = 0.0) -> None:
        """Begin a write transaction, waiting up to `patience` seconds for SQLite's write lock."""
        if self.is_sqlite:
            self._begin_when_free(time.monotonic() + patience)
        else:
            self._begin(_BEGIN)
        self._local.opened.writes = True

    def _begin_when_free(self, until: float) -> None:
        """SQLite's own waiting sleeps for up to 100 ms at a time, while a write of another process
        takes two, and gives nobody a turn who comes back late."""
        # Asked of the driver itself: while another process writes it refuses several times, and
        # `_run` makes more of a refusal than it costs.
        pause, error = _FIRST_PAUSE, self._engine.dialect.loaded_dbapi.Error
        while True:
            try:
                opened = self._mine()
                if opened.waits:
                    self._run(_BUSY_AT_ONCE, ())
                    opened.waits = False
                opened.cursor.execute(_BEGIN.qmark)
            except error as refusal:
                if not engines.is_busy(refusal) or time.monotonic() + pause > until:
                    return self._begin(_BEGIN)  # once more, where failures get their names
            else:
                opened.in_transaction = True
                return None
            time.sleep(pause)
            pause = min(_LONGER * pause, _LAST_PAUSE)

    def commit(self) -> None:
        """Commit the write transaction. Raises what its failure means; then roll back."""
        cursor = self._run(_COMMIT, ())
        # PostgreSQL answers the COMMIT of a transaction in which something failed with ROLLBACK.
        if not self.is_sqlite and cursor.statusmessage != "COMMIT":
            raise RuntimeError("a failed statement was passed over: nothing was committed")
        self._local.opened.in_transaction = self._local.opened.writes = False

    def rollback(self) -> None:
        """Undo the write transaction, if need be by closing the connection."""
        opened = self._local.opened
        if opened is None or not opened.in_transaction:
            return
        opened.in_transaction = opened.writes = False
        try:
            opened.cursor.execute(_ROLLBACK.qmark)
        except self._engine.dialect.loaded_dbapi.Error:  # lost, or rolled back by SQLite itself
            self.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Within it, every read of this thread sees one state of the database."""
        self._begin(_BEGIN_SNAPSHOT)
        opened = self._local.opened
        try:
            yield
            self._run(_COMMIT, ())
            opened.in_transaction = False
        finally:
            if opened.in_transaction:  # something failed: the transaction ends with its connection
                self.close()

    def close(self) -> None:
        """Close this thread's connection; the next read opens another."""
        opened = getattr(self._local, "opened", None)
        self._local.opened = None
        if opened is not None:
            opened.close()

    def give_back(self) -> None:
        """Leave this thread's connection to whichever thread needs one next."""
        opened: Connection | None = getattr(self._local, "opened", None)
        if opened is not None and not opened.in_transaction:
            self._local.opened = None
            self._spare.append(opened)

    def close_all(self) -> None:
        """Close the connections of every thread, when none of them reads any more."""
        for opened in list(self._all):
            opened.close()
        self.close()

    def _begin(self, sql: Sql) -> None:
        if self.in_transaction:
            raise RuntimeError("this thread is in a transaction")
        self._run(sql, ())
        self._local.opened.in_transaction = True

    def _must_write(self) -> None:
        if not self.in_transaction or not self._local.opened.writes:
            raise RuntimeError("rows are changed in a write transaction only")

    def _run(self, sql: Sql, parameters: Sequence[Any], again: bool = True) -> Any:
        text = sql.qmark if self.is_sqlite else sql.numbered
        in_transaction = False
        try:
            opened = self._mine()
            in_transaction = opened.in_transaction
            opened.cursor.execute(text, parameters)
            return opened.cursor
        except self._engine.dialect.loaded_dbapi.Error as error:
            # Once more on a fresh connection: cheaper than asking before every read.
            if not in_transaction and self._was_lost(error) and again:
                return self._run(sql, parameters, again=False)
            if engines.failure_of(error) is None:
                raise
            # Not kept in a variable: a cycle of it and its frame would keep the connection.
            raise engines.failure_of(error) from error  # type: ignore[misc]

    def _was_lost(self, error: Exception) -> bool:
        """Whether the connection was; it is closed then, as after all but a busy database."""
        failure = engines.failure_of(error)
        if failure is not None and not isinstance(failure, DatabaseBusy):
            self.close()
            self._spare.clear()  # as lost as this one
        return isinstance(failure, DatabaseUnavailable)

    def _mine(self) -> Connection:
        opened: Connection | None = getattr(self._local, "opened", None)
        if opened is None or not opened.usable:
            opened = self._local.opened = self._given_back() or self._connect()
        return opened

    def _given_back(self) -> Connection | None:
        while self._spare:
            with suppress(IndexError):  # another thread was faster
                if (opened := self._spare.pop()).usable:
                    return opened
        return None

    def _connect(self) -> Connection:
        opened = open_connection(self._engine, self._busy_timeout)
        self._all.add(opened)
        return opened
