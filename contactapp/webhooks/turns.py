"""A webhook's turn: what is due to it is sent, one message after the other, by whoever holds it.

One at a time, so that a receiver is told in order while all goes well, a dead one is asked by one
probe at a time, and nobody's takes more than one thread. A message is sent first and marked then:
whoever is killed between leaves it to be sent once more, with the same id, and none is lost.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

from .. import clock
from ..config import settings
from ..database import Sql, lane, write_transaction
from ..jobs.service import enqueue
from .connecting import Failed
from .message import Message, message
from .outbox import JOB
from .outcomes import LEASE_MS, Outcome, cancel, kept
from .wire import Reply, Wire

SLICE_SECONDS = 2.0  # then others have their turn
SLOW_SECONDS = 2.0
_AT_ONCE = 50
# Times that lie further ahead than any is set were written by a clock that was ahead, and are past.
_AHEAD_MS = 26 * 3_600_000
_SOON_MS = 600_000  # a job may wait so long; the scan finds what is later

_READY = (
    "w.active AND (w.paused_until <= ? OR w.paused_until > ?) "
    "AND (w.lease IS NULL OR w.lease_until <= ? OR w.lease_until > ?)"
)
# What was not tried yet is due, whatever time a clock that was ahead wrote into its row.
_DUE = (
    "d.webhook_id = w.id AND d.status = 'pending' "
    "AND (d.attempts = 0 OR d.next_at <= ? OR d.next_at > ?)"
)
_WAITING = Sql(
    f"SELECT w.id, w.user_id, w.failures > 0 FROM webhook w WHERE {_READY} AND EXISTS "  # noqa: S608
    f"(SELECT 1 FROM webhook_delivery d WHERE {_DUE}) ORDER BY w.id"
)
# Without the lease: what a webhook is told while somebody holds it, that one looks for once more.
_HAS_WORK = Sql(
    "SELECT w.user_id, w.failures > 0 FROM webhook w WHERE w.id = ? AND w.active "  # noqa: S608
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
_RELEASE = Sql("UPDATE webhook SET lease = NULL, lease_until = 0 WHERE id = ? AND lease = ?")
_NEXT = Sql(
    "SELECT w.paused_until, min(CASE WHEN d.attempts = 0 THEN 0 ELSE d.next_at END) "
    "FROM webhook w JOIN webhook_delivery d ON d.webhook_id = w.id AND d.status = 'pending' "
    "WHERE w.id = ? AND w.active GROUP BY w.paused_until"
)


class Turn(NamedTuple):
    """What a turn left: whether more is due now, and whether the receiver took all that it was sent
    without delay; None where nothing was sent."""

    more: bool = False
    quick: bool | None = None


class Waiting(NamedTuple):
    """A webhook to which something is due, its user, and whether its last message failed."""

    id: int
    user_id: int
    fails: bool


def waiting() -> list[Waiting]:
    """The webhooks to which something is due and that nobody holds."""
    rows = lane().all(_WAITING, (*_past(), *_past(LEASE_MS), *_past()))
    return [Waiting(id_, user_id, bool(fails)) for id_, user_id, fails in rows]


def awaits(webhook_id: int) -> Waiting | None:
    """A webhook to which something is due, whoever holds it; None where nothing is."""
    row = lane().one(_HAS_WORK, (webhook_id, *_past(), *_past()))
    return row and Waiting(webhook_id, row[0], bool(row[1]))


def _past(ahead: int = _AHEAD_MS) -> tuple[int, int]:
    """Times up to the first and from the second on are past."""
    now = clock.now_ms()
    return now, now + ahead


def take_turn(webhook_id: int, is_ending: Callable[[], bool] = lambda: False) -> Turn:
    """Send what is due to a webhook, unless another holds it, for some seconds at most."""
    if awaits(webhook_id) is None:
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
                    cancel(delivery_id)
                    continue
                wire = _to(told.private.url, wire)
                lane().give_back()  # others may need it while a receiver takes its time
                began = time.monotonic()
                outcome = _try(wire, told)
                quick = outcome.error is None and time.monotonic() - began < SLOW_SECONDS
                if not kept(webhook_id, lease, delivery_id, told, outcome) or not quick:
                    return quick
        return quick
    finally:
        if wire is not None:
            wire.close()


def _to(url: str, wire: Wire | None) -> Wire:
    """The connection in use, unless the webhook leads elsewhere by now."""
    if wire is not None and wire.url != url:
        wire.close()
        wire = None
    return wire or Wire(url, settings().webhook_allowed_networks)


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
