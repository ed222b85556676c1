"""Counts in an SQLite file of their own, exact over the processes of one host and over restarts.

The file is apart from the database, so counting never waits for the application's writer. Rows are
of no value to anyone after their windows have ended: a file of another shape, or a damaged one, is
made anew.
"""

from __future__ import annotations

import os
import random
import threading
import weakref
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..config import Window
from ..engine import sqlite3, use_wal
from .verdict import MAX_WINDOWS, Verdict, judge

SHAPE = 1  # PRAGMA user_version; count up when the table changes
PATIENCE = 1.0  # seconds to wait for a lock, ours or SQLite's
SWEEP_EVERY = 2000  # statements of one process
SWEEP_ROWS = 4000  # more than can be new since the last time, so the table shrinks
_LAST_KEY = "\U0010ffff"

# ends_n: milliseconds since the epoch, 0 where the window was never open.
_TABLE = (
    "CREATE TABLE allowance (key TEXT PRIMARY KEY, allowed INTEGER NOT NULL DEFAULT 1"
    + "".join(
        f", ends_{n} INTEGER NOT NULL DEFAULT 0, used_{n} INTEGER NOT NULL DEFAULT 0"
        for n in range(1, MAX_WINDOWS + 1)
    )
    + ") WITHOUT ROWID"
)
_COUNT = """
INSERT INTO allowance (key, ends_1, used_1) VALUES (?1, ?2 + ?3, ?4)
ON CONFLICT (key) DO UPDATE SET
    used_1 = CASE WHEN ends_1 <= ?2 THEN ?4 ELSE used_1 + ?4 END,
    ends_1 = CASE WHEN ends_1 <= ?2 THEN ?2 + ?3 ELSE min(ends_1, ?2 + ?3) END
RETURNING used_1, ends_1"""
_PEEK = "SELECT used_1, ends_1 FROM allowance WHERE key = ?1 AND ends_1 > ?2"
_FORGET = "DELETE FROM allowance WHERE key = ?1"
_SWEEP_TO = "SELECT key FROM allowance WHERE key > ?1 ORDER BY key LIMIT 1 OFFSET ?2"
_SWEEP = """DELETE FROM allowance
WHERE key > ?1 AND key <= ?2 AND max(ends_1, ends_2, ends_3, ends_4) <= ?3"""

# One lock and one connection for all threads of a process: they would only meet again at SQLite's
# own lock, which waits by sleeping, while this one wakes the next thread at once.
_lock = threading.Lock()
_stores: weakref.WeakSet[SqliteStore] = weakref.WeakSet()


def _before_fork() -> None:
    # A connection that a fork copies can be neither used nor closed: SQLite would believe that it
    # still has its parent's file locks. So none is open at that moment, and none in use either.
    _lock.acquire()
    for store in list(_stores):
        store._close()


os.register_at_fork(
    before=_before_fork, after_in_parent=_lock.release, after_in_child=_lock.release
)


@lru_cache(maxsize=64)
def _statement(windows: tuple[Window, ...]) -> str:
    """Judge and count in one step: ?1 is the key, ?2 now in milliseconds.

    Every expression on the right reads the row as it was. A clock that was set back finds a window
    ending later than it could: it is moved to end one length from now, so nobody is locked out for
    longer than that. It is not emptied, because two processes that ask in the same millisecond may
    be served in the other order, and the second would empty what the first has counted.
    """
    if not 1 <= len(windows) <= MAX_WINDOWS:
        raise ValueError(f"from 1 to {MAX_WINDOWS} windows, not {len(windows)}")
    numbered = list(enumerate(windows, 1))
    free = " AND ".join(f"(ends_{n} <= ?2 OR used_{n} < {w.limit})" for n, w in numbered)
    columns = "".join(f", ends_{n}, used_{n}" for n, _ in numbered)
    values = "".join(f", ?2 + {w.seconds * 1000}, 1" for _, w in numbered)
    changes = "".join(
        f""",
    ends_{n} = CASE WHEN ends_{n} <= ?2 AND {free} THEN ?2 + {w.seconds * 1000}
                    ELSE min(ends_{n}, ?2 + {w.seconds * 1000}) END,
    used_{n} = CASE WHEN NOT ({free}) THEN used_{n}
                    WHEN ends_{n} <= ?2 THEN 1 ELSE used_{n} + 1 END"""
        for n, w in numbered
    )
    return (  # made of the settings' whole numbers alone
        f"INSERT INTO allowance (key{columns}) VALUES (?1{values})"  # noqa: S608
        f" ON CONFLICT (key) DO UPDATE SET allowed = ({free}){changes} RETURNING allowed{columns}"
    )


class SqliteStore:
    """The counts in the file `path`; see `quota.Store` for what its methods promise."""

    failures: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def __init__(self, path: Path) -> None:
        self.path = path
        # Opened by the first call, after the server's fork, and kept: a cursor costs 2 µs to make.
        self._cursor: Any = None
        self._file: tuple[int, int] | None = None
        # Not from 0: workers that are replaced every thousand requests would never sweep.
        self._calls = random.randrange(SWEEP_EVERY)
        self._swept_to = ""
        _stores.add(self)

    def hit(self, key: str, windows: tuple[Window, ...], now: float) -> Verdict:
        now_ms = round(now * 1000)
        return judge(self._run(_statement(windows), (key, now_ms), now_ms)[0], windows, now_ms)

    def count(self, key: str, window: Window, now: float, amount: int = 1) -> tuple[int, float]:
        now_ms = round(now * 1000)
        values = (key, now_ms, window.seconds * 1000, amount)
        used, ends = self._run(_COUNT, values, now_ms)[0]
        return used, ends / 1000

    def peek(self, key: str, now: float) -> tuple[int, float]:
        now_ms = round(now * 1000)
        for used, ends in self._run(_PEEK, (key, now_ms), now_ms):
            return used, ends / 1000
        return 0, now

    def forget(self, key: str) -> None:
        self._run(_FORGET, (key,), 0)

    def check(self) -> None:
        self._run(_PEEK, ("", 0), 0)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with _lock:
            self._close()

    def _run(self, statement: str, values: tuple[Any, ...], now_ms: int) -> list[tuple[int, ...]]:
        if not _lock.acquire(timeout=PATIENCE):
            raise TimeoutError("the rate limit file is busy")
        try:
            cursor = self._cursor or self._open()
            # All rows: a statement commits when it has run to its end, not at its first row.
            rows: list[tuple[int, ...]] = cursor.execute(statement, values).fetchall()
            self._calls += 1
            if self._calls >= SWEEP_EVERY:
                self._sweep(cursor, now_ms)
        except self.failures as error:
            # SQLite reports a damaged file as this class itself, all else as one derived from it.
            self._close(discard=type(error) is sqlite3.DatabaseError)
            raise
        finally:
            _lock.release()
        return rows

    def _sweep(self, cursor: Any, now_ms: int) -> None:
        """Delete what has ended among the next rows; there is no index on that, it would cost
        every request."""
        self._calls = 0
        found = cursor.execute(_SWEEP_TO, (self._swept_to, SWEEP_ROWS - 1)).fetchall()
        until = found[0][0] if found else _LAST_KEY
        cursor.execute(_SWEEP, (self._swept_to, until, now_ms))
        self._swept_to = until if found else ""

    def _open(self) -> Any:
        with suppress(FileExistsError):
            # SQLite gives its two companion files the mode of this one.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(
            str(self.path), timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        self._cursor = cursor = connection.cursor()
        found = os.stat(self.path)
        self._file = found.st_dev, found.st_ino
        use_wal(cursor, PATIENCE)
        # Never wait for the disk: a count that a power cut loses only forgives, and a file that it
        # damages is made anew.
        cursor.execute("PRAGMA synchronous = OFF")
        if _shape_of(cursor) != SHAPE:
            _make_anew(cursor)
        return cursor

    def _close(self, *, discard: bool = False) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is None:
            return
        with suppress(sqlite3.Error):
            cursor.connection.close()
        if discard:
            self._discard()

    def _discard(self) -> None:
        """Remove a damaged file, unless another process has already put a new one in its place."""
        with suppress(FileNotFoundError):
            found = os.stat(self.path)
            if (found.st_dev, found.st_ino) == self._file:
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def _shape_of(cursor: Any) -> int:
    [(shape,)] = cursor.execute("PRAGMA user_version").fetchall()
    return int(shape)


def _make_anew(cursor: Any) -> None:
    cursor.execute("BEGIN IMMEDIATE")
    try:
        if _shape_of(cursor) != SHAPE:  # else another process was quicker
            cursor.execute("DROP TABLE IF EXISTS allowance")
            cursor.execute(_TABLE)
            cursor.execute(f"PRAGMA user_version = {SHAPE}")
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
