"""The job queue: what a write makes necessary, done later by a worker, at least once.

A worker claims a due job and holds a lease by a token that only it knows; whoever lost the lease
changes nothing any more. What a job does inside the database is committed together with its being
done, and so happens once; what it does outside, such as sending mail, may happen again after a
crash.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from flask import current_app

from .. import clock
from ..database import Sql, after_commit, lane, write_transaction
from ..errors import NotFound

ATTEMPTS = 8
LEASE_MS = 60_000  # a job that needs longer renews it
KEPT_MS = 7 * 86_400_000  # a done job stays to be looked at
LONGEST_PAUSE_MS = 600_000
_FIRST_PAUSE_MS = 1_000

_DUE = Sql(
    "SELECT id FROM job WHERE status = 'pending' AND next_at <= ? ORDER BY next_at, id LIMIT ?"
)
_IS_DUE = Sql("SELECT 1 FROM job WHERE status = 'pending' AND next_at <= ? AND id = ?")
_CLAIM = (
    "UPDATE job SET lease = ?, next_at = ?, attempts = attempts + 1, updated_at = ? WHERE id = ("
    "SELECT id FROM job WHERE status = 'pending' AND next_at <= ? {} LIMIT 1{}) "
    "RETURNING id, kind, ref, user_id, attempts, period"
)


def _claiming(which: str) -> Sql:
    locked = _CLAIM.format(which, " FOR UPDATE SKIP LOCKED")
    return Sql(_CLAIM.format(which, ""), postgresql=locked)


_CLAIM_NEXT, _CLAIM_THIS = _claiming("ORDER BY next_at, id"), _claiming("AND id = ?")
_RENEW = Sql("UPDATE job SET next_at = ?, updated_at = ? WHERE id = ? AND lease = ?")
_SETTLE = Sql(
    "UPDATE job SET status = ?, attempts = ?, next_at = ?, error = ?, lease = NULL, updated_at = ? "
    "WHERE id = ? AND lease = ?"
)
_REPLAY = "UPDATE job SET status = 'pending', attempts = 0, next_at = ?, updated_at = ? WHERE "
_REPLAY_ONE = Sql(f"{_REPLAY}status = 'dead' AND id = ?")
_REPLAY_ALL = Sql(f"{_REPLAY}status = 'dead'")
_PURGE = Sql("DELETE FROM job WHERE status = 'done' AND updated_at < ?")
_LIST = (
    "SELECT id, kind, ref, status, attempts, next_at, error, created_at FROM job {}"
    "ORDER BY id DESC LIMIT ?"
)
_LISTED = Sql(_LIST.format(""))
_LISTED_BY_STATUS = Sql(_LIST.format("WHERE status = ? "))
_PERIODIC = Sql(
    "INSERT INTO job (kind, period, status, attempts, next_at, created_at, updated_at) "
    "VALUES (?, ?, 'pending', 0, ?, ?, ?) "
    "ON CONFLICT (kind) WHERE period IS NOT NULL DO UPDATE SET period = excluded.period"
)


Effect = Callable[[], Any]


class Job(NamedTuple):
    """A claimed job. `attempts` counts this one."""

    id: int
    kind: str
    ref: int | None
    user_id: int | None
    attempts: int
    period: int | None
    lease: str


class Listed(NamedTuple):
    """A job as the command line shows it; times in milliseconds."""

    id: int
    kind: str
    ref: int | None
    status: str
    attempts: int
    next_at: int
    error: str | None
    created_at: int


# What a job that is given up leaves in the database.
LastWord = Callable[[Job], None]


class LeaseLost(Exception):
    """Somebody else has the job by now, or it is gone."""


def enqueue(
    kind: str, ref: int | None = None, user_id: int | None = None, at: int | None = None
) -> int:
    """Add a job to the running transaction; it is done after the commit, never if that fails.
    `at`: not before that, which is ten minutes ahead at most (see `health.seen`)."""
    now = clock.now_ms()
    row = {
        "kind": kind,
        "ref": ref,
        "user_id": user_id,
        "status": "pending",
        "attempts": 0,
        "next_at": now if at is None else at,
        "created_at": now,
        "updated_at": now,
    }
    job_id = lane().insert("job", row)
    wake_up = current_app.extensions.get("contactapp.wake_up")
    if wake_up is not None and at is None:  # there is a broker (see wake_ups)
        after_commit(partial(wake_up, job_id))
    return job_id


def claim(job_id: int | None = None) -> Job | None:
    """The job that has been due for longest, or this one, now held by the caller; None where none
    is due, or this one is not."""
    # Asked first without a lock: an idle worker must not keep writers waiting.
    if job_id is None:
        return _claim(_CLAIM_NEXT) if due(1) else None
    if lane().one(_IS_DUE, (clock.now_ms(), job_id)) is None:
        return None
    return _claim(_CLAIM_THIS, job_id)


@write_transaction
def _claim(sql: Sql, *which: int) -> Job | None:
    now, token = clock.now_ms(), uuid.uuid4().hex
    rows = lane().change(sql, (token, now + LEASE_MS, now, now, *which))
    return Job(*(*rows[0], token)) if rows else None


def due(limit: int) -> list[int]:
    """The ids of the jobs that have been due for longest and that nobody holds."""
    return [row[0] for row in lane().all(_DUE, (clock.now_ms(), limit))]


@write_transaction
def renew(job: Job) -> None:
    """Hold a job for another lease. Raises LeaseLost."""
    extend(job)


def extend(job: Job) -> None:
    """The same in the running transaction: what else that does is done by who holds the job, or
    undone."""
    now = clock.now_ms()
    if lane().run(_RENEW, (now + LEASE_MS, now, job.id, job.lease)) != 1:
        raise LeaseLost()


@write_transaction
def finish(job: Job, effect: Effect | None = None) -> None:
    """Mark a job done together with what it does inside the database. Raises LeaseLost, and then
    the effect is undone; one with a period is due again after it."""
    now = clock.now_ms()
    if job.period is None:
        _settle(job, "done", job.attempts, now, None)
    else:
        _settle(job, "pending", 0, now + job.period, None)
    if effect is not None:
        effect()


@write_transaction
def fail(job: Job, error: BaseException, last_word: LastWord | None = None) -> bool:
    """Put a job back with a pause that doubles, or among the dead after the last attempt, together
    with its `last_word`; whether it is dead. Periodic ones never die. Raises LeaseLost."""
    dead = job.attempts >= ATTEMPTS and job.period is None
    at = clock.now_ms() + pause_ms(job.attempts)
    _settle(job, "dead" if dead else "pending", job.attempts, at, type(error).__name__[:100])
    if dead and last_word is not None:
        last_word(job)
    return dead


def pause_ms(attempts: int) -> int:
    """How long to wait after so many attempts: 1 s doubled each time to 10 min, and up to a
    quarter less, so that what failed together does not come back together."""
    longest = min(_FIRST_PAUSE_MS << min(attempts - 1, 20), LONGEST_PAUSE_MS)
    return int(longest * random.uniform(0.75, 1.0))


def _settle(job: Job, status: str, attempts: int, next_at: int, error: str | None) -> None:
    now = clock.now_ms()
    if lane().run(_SETTLE, (status, attempts, next_at, error, now, job.id, job.lease)) != 1:
        raise LeaseLost()


@write_transaction
def replay(job_id: int | None = None) -> int:
    """Give a dead job, or all of them, another eight attempts; how many. Raises NotFound."""
    now = clock.now_ms()
    if job_id is None:
        return lane().run(_REPLAY_ALL, (now, now))
    if lane().run(_REPLAY_ONE, (now, now, job_id)) != 1:
        raise NotFound(detail=f"There is no dead job {job_id}.")
    return 1


def list_jobs(status: str | None = None, limit: int = 50) -> list[Listed]:
    """The newest jobs."""
    if status is None:
        return [Listed(*row) for row in lane().all(_LISTED, (limit,))]
    return [Listed(*row) for row in lane().all(_LISTED_BY_STATUS, (status, limit))]


def purge() -> None:
    """Delete what was done long ago, in the running transaction."""
    lane().run(_PURGE, (clock.now_ms() - KEPT_MS,))


@write_transaction
def schedule(periods: dict[str, int]) -> None:
    """Have these kinds done every so many milliseconds, each once for all workers."""
    now = clock.now_ms()
    for kind, period in periods.items():
        lane().run(_PERIODIC, (kind, period, now, now, now))
