"""Whether the queue is worked off: which workers live, what waits, and what fails."""

from __future__ import annotations

import math
from typing import NamedTuple

from .. import clock
from ..database import Sql, lane, write_transaction
from .service import LONGEST_PAUSE_MS

SILENT_MS = 60_000  # after that a worker counts as gone

_SEEN = Sql(
    "INSERT INTO worker (uid, seen_at) VALUES (?, ?) "
    "ON CONFLICT (uid) DO UPDATE SET seen_at = excluded.seen_at"
)
_NOT_SO_LATE = Sql(
    "UPDATE job SET next_at = ? WHERE status = 'pending' AND next_at > ? "
    "AND next_at - coalesce(period, 0) > ?"
)
_GONE = Sql("DELETE FROM worker WHERE uid = ? OR seen_at < ?")
_BACKLOG = Sql(
    "SELECT (SELECT min(next_at) FROM job WHERE status = 'pending'), "
    "(SELECT count(*) FROM job WHERE status = 'pending'), "
    "(SELECT count(*) FROM job WHERE status = 'dead'), "
    "(SELECT max(seen_at) FROM worker WHERE seen_at <= ?)"
)
# Who is killed says nothing; but the job was claimed again.
_FAILING = Sql(
    "SELECT error IS NOT NULL OR attempts > 1 FROM job WHERE kind = ? AND period IS NOT NULL"
)
_LAST_SEEN = Sql("SELECT max(seen_at) FROM worker WHERE seen_at <= ?")


class Backlog(NamedTuple):
    """What waits: the seconds that the oldest due job is overdue, how many jobs are pending and
    dead, and the seconds since a worker was heard of, infinite where there is none."""

    lag: float
    pending: int
    dead: int
    silence: float


@write_transaction
def seen(uid: str) -> None:
    """Say that a worker is alive; and have what would be due later than after the longest pause
    due now: a clock that was ahead wrote it, and its hour would have to pass once more."""
    now = clock.now_ms()
    lane().run(_SEEN, (uid, now))
    lane().run(_NOT_SO_LATE, (now, now + LONGEST_PAUSE_MS, now + LONGEST_PAUSE_MS))


@write_transaction
def gone(uid: str) -> None:
    """Forget a worker that stops, and those that ended without a word long ago."""
    lane().run(_GONE, (uid, clock.now_ms() - 10 * SILENT_MS))


def backlog() -> Backlog:
    """The state of the queue."""
    now = clock.now_ms()
    oldest, pending, dead, seen_at = lane().one(_BACKLOG, (now + SILENT_MS,))
    lag = 0 if oldest is None else max(0, now - oldest) / 1000
    silence = math.inf if seen_at is None else max(0, now - seen_at) / 1000
    return Backlog(lag, pending, dead, silence)


def is_failing(kind: str) -> bool:
    """Whether a periodic job failed when it was tried last, or killed whoever tried it."""
    row = lane().one(_FAILING, (kind,))
    return row is not None and bool(row[0])


def worker_is_silent(milliseconds: int = SILENT_MS) -> bool:
    """Whether no worker has been heard of for so long. What was said by a clock that was ahead
    says nothing."""
    now = clock.now_ms()
    [last] = lane().one(_LAST_SEEN, (now + SILENT_MS,))
    return last is None or last < now - milliseconds
