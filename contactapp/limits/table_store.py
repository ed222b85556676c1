"""Counts in a table that the processes of one host share, exact over them and over restarts.

Not in an SQLite file, because every request counts: SQLite's upsert takes eight system calls and a
page of log, and lets go of the interpreter four times. That was a tenth of all that a list cost;
this takes two system calls. The file is apart from the database, so counting never waits for the
application's writer.
"""

from __future__ import annotations

from pathlib import Path

from ..config import Window
from .table import COUNTS, Table
from .verdict import MAX_WINDOWS, Verdict, judge

_MOST = 2**62


class TableStore:
    """The counts in the file `path`; see `quota.Store` for what its methods promise."""

    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, path: Path) -> None:
        self._table = Table(path)

    def hit(self, key: str, windows: tuple[Window, ...], now: float) -> Verdict:
        if not 1 <= len(windows) <= MAX_WINDOWS:
            raise ValueError(f"from 1 to {MAX_WINDOWS} windows, not {len(windows)}")
        now_ms, table = round(now * 1000), self._table
        table.enter()
        try:
            at = table.place(key, now_ms)
            counts = list(COUNTS.unpack_from(table.bytes, at))
            allowed = _counted(counts, windows, now_ms)
            COUNTS.pack_into(table.bytes, at, *counts)
        finally:
            table.leave()
        return judge((allowed, *counts), windows, now_ms)

    def count(self, key: str, window: Window, now: float, amount: int = 1) -> tuple[int, float]:
        now_ms, table = round(now * 1000), self._table
        latest = now_ms + 1000 * window.seconds
        table.enter()
        try:
            at = table.place(key, now_ms)
            ends, used, *others = COUNTS.unpack_from(table.bytes, at)
            ends, used = (latest, amount) if ends <= now_ms else (min(ends, latest), used + amount)
            used = min(used, _MOST)
            COUNTS.pack_into(table.bytes, at, ends, used, *others)
        finally:
            table.leave()
        return used, ends / 1000

    def peek(self, key: str, now: float) -> tuple[int, float]:
        table = self._table
        table.enter()
        try:
            at = table.find(key)
            ends, used = COUNTS.unpack_from(table.bytes, at)[:2] if at else (0, 0)
        finally:
            table.leave()
        return (used, ends / 1000) if ends > round(now * 1000) else (0, now)

    def forget(self, key: str) -> None:
        self._table.enter()
        try:
            self._table.forget(key)
        finally:
            self._table.leave()

    def check(self) -> None:
        self._table.enter()
        self._table.leave()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._table.close()


def _counted(counts: list[int], windows: tuple[Window, ...], now_ms: int) -> int:
    """Count one request in all windows and say 1, or in none and say 0.

    A clock that was set back finds a window ending later than it could: it is moved to end one
    length from now, so nobody is locked out for longer than that. It is not emptied, because two
    processes that ask in the same millisecond may be served in the other order, and the second
    would empty what the first has counted.
    """
    allowed, place = 1, 0
    for limit, seconds in windows:
        counts[place] = min(counts[place], now_ms + 1000 * seconds)
        if counts[place] > now_ms and counts[place + 1] >= limit:
            allowed = 0
        place += 2
    if allowed:
        place = 0
        for _, seconds in windows:
            if counts[place] <= now_ms:
                counts[place], counts[place + 1] = now_ms + 1000 * seconds, 0
            counts[place + 1] += 1
            place += 2
    return allowed
