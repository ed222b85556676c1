"""What became of a try: the marks of a message and its webhook, and when it is tried again."""

from __future__ import annotations

import random
from typing import NamedTuple

from .. import clock, metrics
from ..database import Sql, lane, write_transaction
from .ending import disable
from .message import Message

# Seconds from one try to the next, a day together.
SCHEDULE = (5, 60, 300, 1800, 3600, 7200, 14_400, 28_800, 28_800)
DEAD_MS = 3 * 86_400_000  # of nothing but failures; then the next message given up is the last
LEASE_MS = 60_000
_LONGEST_PAUSE = 300  # seconds between two probes of one that fails
_GONE = 410

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


class Outcome(NamedTuple):
    """What became of a try: `error` is None where the receiver took it."""

    status_code: int | None = None
    error: str | None = None
    retry_after: int | None = None


def kept(webhook_id: int, lease: str, delivery_id: int, told: Message, outcome: Outcome) -> bool:
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
    if lane().run(_UNWELL, (now, webhook_id, lease)) != 1:
        return "failed"  # led elsewhere, switched off, or somebody else has it: it says nothing
    given_up = attempts > len(SCHEDULE) or outcome.status_code == _GONE
    wait = 1000 * (outcome.retry_after or 0)
    next_at = now if given_up else now + max(wait, _jittered(SCHEDULE[attempts - 1]))
    about = (next_at, outcome.status_code, outcome.error, now, delivery_id)
    lane().run(_MARK, ("failed" if given_up else "pending", 1, *about))
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


def cancel(delivery_id: int) -> None:
    """Mark that a message is not to be sent."""
    _cancel(delivery_id)
    metrics.count_delivery("cancelled")


@write_transaction
def _cancel(delivery_id: int) -> None:
    now = clock.now_ms()
    lane().run(_MARK, ("cancelled", 0, now, None, "not_allowed", now, delivery_id))
