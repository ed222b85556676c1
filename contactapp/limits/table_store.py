"""Counts in a table that the processes of one host share, exact over them and over restarts.

Not in an SQLite file, because every request counts: SQLite's upsert takes eight system calls and a
page of log, and lets go of the interpreter four times. That was a tenth of all that a list cost;
this takes two system calls. The file is apart from the database, so counting never waits for the
application's writer.
"""

from __future__ import annotations

from pathlib import Path

from ..config import Window
from .table import COUNTS, PENALTY, Table
from .verdict import MAX_WINDOWS, Penalty, Verdict, judge

_MOST, _MOST_STRIKES = 2**62, 1000


class TableStore:
    """The counts in the file `path`; see `quota.Store` for what its methods promise."""

    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, path: Path) -> None:
        self._table = Table(path)

    def hit(
        self, key: str, windows: tuple[Window, ...], now: float, penalty: Penalty | None = None
    ) -> Verdict:
        if not 1 <= len(windows) <= MAX_WINDOWS:
            raise ValueError(f"from 1 to {MAX_WINDOWS} windows, not {len(windows)}")
        now_ms, table = round(now * 1000), self._table
        table.enter()
        try:
            at = table.place(key, now_ms)
            counts = list(COUNTS.unpack_from(table.bytes, at))
            allowed, blocked = _counted(counts, windows, now_ms, penalty)
            COUNTS.pack_into(table.bytes, at, *counts)
        finally:
            table.leave()
        return judge((allowed, blocked, *counts), windows, now_ms)

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

    def give_back(self, key: str, windows: tuple[Window, ...], now: float) -> None:
        table, now_ms = self._table, round(now * 1000)
        table.enter()
        try:
            at = table.find(key)
            if at:
                counts = list(COUNTS.unpack_from(table.bytes, at))
                for place in range(0, 2 * len(windows), 2):
                    if counts[place] > now_ms and counts[place + 1] > 0:
                        counts[place + 1] -= 1
                COUNTS.pack_into(table.bytes, at, *counts)
        finally:
            table.leave()

    def check(self) -> None:
        self._table.enter()
        self._table.leave()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._table.close()


def _counted(
    counts: list[int], windows: tuple[Window, ...], now_ms: int, penalty: Penalty | None
) -> tuple[int, int]:
    """Count one request in all windows and say 1, or in none and say 0; and until when it is
    blocked, if there is a penalty.

    A clock that was set back finds a window ending later than it could: it is moved to end one
    length from now, so nobody is locked out for longer than that. It is not emptied, because two
    processes that ask in the same millisecond may be served in the other order, and the second
    would empty what the first has counted.
    """
    allowed, place, wait = 1, 0, 0
    for limit, seconds in windows:
        counts[place] = min(counts[place], now_ms + 1000 * seconds)
        if counts[place] > now_ms and counts[place + 1] >= limit:
            allowed, wait = 0, max(wait, counts[place] - now_ms)
        place += 2
    if penalty is not None and (counts[PENALTY] > now_ms or not allowed):
        blocked = _blocked_until(counts, windows, now_ms, penalty, wait)
        if blocked > now_ms:
            return 0, blocked
    if allowed:
        place = 0
        for _, seconds in windows:
            if counts[place] <= now_ms:
                counts[place], counts[place + 1] = now_ms + 1000 * seconds, 0
            counts[place + 1] += 1
            place += 2
    return allowed, 0


def _blocked_until(
    counts: list[int], windows: tuple[Window, ...], now_ms: int, penalty: Penalty, wait: int
) -> int:
    """When the present penalty ends; a new one where the windows refuse, for `wait` at least."""
    quiet = 1000 * penalty.quiet
    counts[PENALTY] = min(counts[PENALTY], now_ms + penalty.longest_ms(windows) + quiet)
    blocked = counts[PENALTY] - quiet
    if blocked > now_ms or not wait:
        return blocked
    # Between 1 and some, whatever a damaged file says.
    before = max(0, min(counts[PENALTY + 1], _MOST_STRIKES))
    strikes = before + 1 if counts[PENALTY] > now_ms else 1
    blocked = now_ms + max(penalty.wait_ms(strikes), wait)
    counts[PENALTY], counts[PENALTY + 1] = blocked + quiet, strikes
    return blocked
