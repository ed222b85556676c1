"""A webhook's turn: what is due to it is sent, one message after the other, by whoever holds it.

One at a time, so that a receiver is told in order while all goes well, a dead one is asked by one
probe at a time, and nobody's takes more than one thread. A message is sent first and marked then:
whoever is killed between leaves it to be sent once more, with the same id, and none is lost.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

from .. import clock, metrics
from ..config import settings
from ..database import Sql, lane, write_transaction
from ..jobs.service import enqueue
from .connecting import Failed
from .ending import disable
from .message import Message, message
from .outbox import JOB
from .wire import Reply, Wire

# Seconds from one try to the next, a day together.
SCHEDULE = (5, 60, 300, 1800, 3600, 7200, 14_400, 28_800, 28_800)
DEAD_MS = 3 * 86_400_000  # of nothing but failures; then the next message given up is the last
LEASE_MS = 60_000
SLICE_SECONDS = 2.0  # then others have their turn
SLOW_SECONDS = 2.0
_LONGEST_PAUSE = 300  # seconds between two probes of one that fails
_AT_ONCE = 50
# Times that lie further ahead than any is set were written by a clock that was ahead, and are past.
_AHEAD_MS = 26 * 3_600_000
_SOON_MS = 600_000  # a job may wait so long; the scan finds what is later
_GONE = 410

_READY = (
    "w.active AND (w.paused_until <= ? OR w.paused_until > ?) "
    "AND (w.lease IS NULL OR w.lease_until <= ? OR w.lease_until > ?)"
)
_DUE = "d.webhook_id = w.id AND d.status = 'pending' AND (d.next_at <= ? OR d.next_at > ?)"
_WAITING = Sql(
    f"SELECT w.id, w.failures > 0 FROM webhook w WHERE {_READY} AND EXISTS "  # noqa: S608
    f"(SELECT 1 FROM webhook_delivery d WHERE {_DUE}) ORDER BY w.id"
)
# Without the lease: what a webhook is told while somebody holds it, that one looks for once more.
_HAS_WORK = Sql(
    "SELECT w.failures > 0 FROM webhook w WHERE w.id = ? AND w.active "  # noqa: S608
    "AND (w.paused_until <= ? OR w.paused_until > ?) AND EXISTS "
    f"(SELECT 1 FROM webhook_delivery d WHERE {_DUE})"
)
_CLAIM = Sql(
    "UPDATE webhook SET lease = ?, lease_until = ? WHERE id = ? AND active "
    "AND (paused_until <= ? OR paused_until > ?) "
    "AND (lease IS NULL OR lease_until <= ? OR lease_until > ?)"
)
_SOME = Sql(
    "SELECT d.id FROM webhook_delivery d JOIN webhook w ON w.id = d.webhook_id "  # noqa: S608
    f"WHERE w.id = ? AND {_DUE} ORDER BY d.id LIMIT ?"
)
_WELL = Sql(
    "UPDATE webhook SET lease_until = ?, failures = 0, failing_since = NULL, paused_until = 0 "
    "WHERE id = ? AND lease = ?"
)
_UNWELL = Sql(
    "UPDATE webhook SET failures = failures + 1, failing_since = coalesce(failing_since, ?) "
    "WHERE id = ? AND lease = ?"
)
_FAILING = Sql("SELECT failures, failing_since FROM webhook WHERE id = ?")
_PAUSE = Sql("UPDATE webhook SET paused_until = ? WHERE id = ?")
_MARK = Sql(
    "UPDATE webhook_delivery SET status = ?, attempts = attempts + ?, next_at = ?, "
    "status_code = ?, error = ?, updated_at = ? WHERE id = ? AND status = 'pending'"
)
_RELEASE = Sql("UPDATE webhook SET lease = NULL, lease_until = 0 WHERE id = ? AND lease = ?")
_NEXT = Sql(
    "SELECT w.paused_until, min(d.next_at) FROM webhook w JOIN webhook_delivery d "
    "ON d.webhook_id = w.id AND d.status = 'pending' WHERE w.id = ? AND w.active "
    "GROUP BY w.paused_until"
)


class Outcome(NamedTuple):
    """What became of a try: `error` is None where the receiver took it."""

    status_code: int | None = None
    error: str | None = None
    retry_after: int | None = None


class Turn(NamedTuple):
    """What a turn left: whether more is due now, and whether the receiver took all that it was sent
    without delay; None where nothing was sent."""

    more: bool = False
    quick: bool | None = None


def waiting() -> list[tuple[int, bool]]:
    """The webhooks to which something is due and that nobody holds, and whether they fail."""
    rows = lane().all(_WAITING, (*_past(), *_past(LEASE_MS), *_past()))
    return [(id_, bool(fails)) for id_, fails in rows]


def has_work(webhook_id: int) -> bool | None:
    """Whether a webhook to which something is due fails; None where nothing is due to it."""
    row = lane().one(_HAS_WORK, (webhook_id, *_past(), *_past()))
    return row and bool(row[0])


def _past(ahead: int = _AHEAD_MS) -> tuple[int, int]:
    """Times up to the first and from the second on are past."""
    now = clock.now_ms()
    return now, now + ahead


def take_turn(webhook_id: int, is_ending: Callable[[], bool] = lambda: False) -> Turn:
    """Send what is due to a webhook, unless another holds it, for some seconds at most."""
    if has_work(webhook_id) is None:
        return Turn()
    lease = uuid.uuid4().hex
    if not _claim(webhook_id, lease):
        return Turn()
    try:
        quick = _send(webhook_id, lease, is_ending)
    finally:
        more = _release(webhook_id, lease)
    return Turn(more, quick)


def _send(webhook_id: int, lease: str, is_ending: Callable[[], bool]) -> bool | None:
    """Send until nothing is due, something fails or takes long, or the turn is over; `Turn.quick`
    of it."""
    until = time.monotonic() + SLICE_SECONDS
    wire: Wire | None = None
    begun, quick = False, None
    try:
        while found := lane().all(_SOME, (webhook_id, *_past(), _AT_ONCE)):
            for (delivery_id,) in found:
                if is_ending() or (begun and time.monotonic() > until):
                    return quick
                begun = True
                told = message(delivery_id)
                if told is None:
                    _cancel(delivery_id)
                    metrics.count_delivery("cancelled")
                    continue
                wire = wire or Wire(told.private.url, settings().webhook_allowed_networks)
                began = time.monotonic()
                outcome = _try(wire, told)
                quick = outcome.error is None and time.monotonic() - began < SLOW_SECONDS
                if not _kept(webhook_id, lease, delivery_id, told, outcome) or not quick:
                    return quick
        return quick
    finally:
        if wire is not None:
            wire.close()


def _try(wire: Wire, told: Message) -> Outcome:
    try:
        reply: Reply = wire.post(told.headers(), told.body)
    except Failed as failure:
        return Outcome(error=failure.reason)
    if 200 <= reply.status < 300:
        return Outcome(reply.status)
    error = "redirect" if 300 <= reply.status < 400 else "refused"
    return Outcome(reply.status, error, reply.retry_after)


@write_transaction
def _claim(webhook_id: int, lease: str) -> bool:
    until = clock.now_ms() + LEASE_MS
    return lane().run(_CLAIM, (lease, until, webhook_id, *_past(), *_past(LEASE_MS))) == 1


def _kept(webhook_id: int, lease: str, delivery_id: int, told: Message, outcome: Outcome) -> bool:
    """Mark what became of a try; whether the turn goes on."""
    if outcome.error is None:
        goes_on = _took(webhook_id, lease, delivery_id, outcome)
        metrics.count_delivery("delivered")
        return goes_on
    result = _failed(webhook_id, lease, delivery_id, told.attempts + 1, outcome)
    metrics.count_delivery(result)
    return False


@write_transaction
def _took(webhook_id: int, lease: str, delivery_id: int, outcome: Outcome) -> bool:
    now = clock.now_ms()
    # The webhook's row first, as wherever both are changed.
    is_held = lane().run(_WELL, (now + LEASE_MS, webhook_id, lease)) == 1
    lane().run(_MARK, ("delivered", 1, now, outcome.status_code, None, now, delivery_id))
    return is_held


@write_transaction
def _failed(webhook_id: int, lease: str, delivery_id: int, attempts: int, outcome: Outcome) -> str:
    """Put a message off, or give it up; what metrics call that."""
    now = clock.now_ms()
    given_up = attempts > len(SCHEDULE) or outcome.status_code == _GONE
    wait = 1000 * (outcome.retry_after or 0)
    next_at = now if given_up else now + max(wait, _jittered(SCHEDULE[attempts - 1]))
    is_held = lane().run(_UNWELL, (now, webhook_id, lease)) == 1
    about = (next_at, outcome.status_code, outcome.error, now, delivery_id)
    lane().run(_MARK, ("failed" if given_up else "pending", 1, *about))
    if not is_held:
        return "failed"  # somebody else has it by now, or it was switched off
    failures, since = lane().one(_FAILING, (webhook_id,))
    pause = max(wait, _jittered(min(5 << min(failures - 1, 20), _LONGEST_PAUSE)))
    lane().run(_PAUSE, (now + pause, webhook_id))
    if outcome.status_code == _GONE:
        disable(webhook_id, "gone")
        return "gone"
    if given_up and since <= now - DEAD_MS:
        disable(webhook_id, "failing")
    return "given_up" if given_up else "failed"


def _jittered(seconds: int) -> int:
    """So many seconds in milliseconds, up to a fifth more or less, so that what failed together
    does not come back together."""
    return int(1000 * seconds * random.uniform(0.8, 1.2))


@write_transaction
def _cancel(delivery_id: int) -> None:
    now = clock.now_ms()
    lane().run(_MARK, ("cancelled", 0, now, None, "not_allowed", now, delivery_id))


@write_transaction
def _release(webhook_id: int, lease: str) -> bool:
    """Let it go, and see to what comes next; whether something is due now.

    The row first, then the look: who came for it meanwhile and was refused had committed what it
    came for, and who comes now waits for this commit.
    """
    lane().run(_RELEASE, (webhook_id, lease))
    found = lane().one(_NEXT, (webhook_id,))
    if found is None:
        return False
    now, at = clock.now_ms(), max(found)
    if at <= now or at > now + _AHEAD_MS:
        return True
    if at <= now + _SOON_MS:
        enqueue(JOB, webhook_id, at=at)
    return False
