"""What was told to a webhook, what waits, and sending some of it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import clock
from ..actor import Actor
from ..changes.service import SHOWN
from ..database import Sql, lane, write_transaction
from ..errors import Conflict, NotFound
from ..jobs.service import enqueue
from ..paging import Page, Pager
from .message import TRIAL, message_id
from .outbox import JOB, delivery

STATUSES = ("pending", "delivered", "failed", "cancelled")
KEPT_MS = 7 * 86_400_000
_BATCH = 500
_NEWEST = 2**62  # an id after all

_COLUMNS = (
    *("id", "uid", "webhook_id", "seq", "status", "attempts", "next_at", "status_code", "error"),
    *("created_at", "updated_at"),
)
_SHOWN = (
    f"SELECT {', '.join(f'd.{name}' for name in _COLUMNS)}, c.entity, c.op "  # noqa: S608
    "FROM webhook_delivery d JOIN webhook w ON w.id = d.webhook_id "
    "LEFT JOIN change c ON c.stream_id = d.stream_id AND c.seq = d.seq WHERE w.user_id = ? "
)
_PAGE = "AND w.id = ? AND d.id < ? {}ORDER BY d.id DESC LIMIT ? OFFSET ?"
_OF_STATUS = "AND d.status = ? "
_LISTED = Sql(_SHOWN + _PAGE.format(""))
_LISTED_BY_STATUS = Sql(_SHOWN + _PAGE.format(_OF_STATUS))
_TOTAL = (
    "SELECT count(*) FROM webhook_delivery d JOIN webhook w ON w.id = d.webhook_id "
    "WHERE w.user_id = ? AND w.id = ? "
)
_COUNT, _COUNT_BY_STATUS = Sql(_TOTAL), Sql(_TOTAL + _OF_STATUS)
_ONE = Sql(_SHOWN + "AND w.id = ? AND d.id = ?")
_EXPORTED = Sql(_SHOWN + "AND w.id = ? AND d.id > ? ORDER BY d.id LIMIT ?")
_OWN = Sql("SELECT id FROM webhook WHERE user_id = ? ORDER BY id")
_ACTIVE = Sql("SELECT active FROM webhook WHERE user_id = ? AND id = ?")
_REPLAY = Sql(
    "UPDATE webhook_delivery SET status = 'pending', attempts = 0, next_at = ?, error = NULL, "
    "updated_at = ? WHERE id = ? AND webhook_id = ?"
)
_RESUME = Sql("UPDATE webhook SET paused_until = 0 WHERE id = ?")
_SOME_OLD = Sql(
    "DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery "
    "WHERE status <> 'pending' AND updated_at < ? LIMIT ?)"
)
# A webhook that is no more, from one number to the next in the index: looking at every delivery
# would keep SQLite's other writers waiting.
_LEFT = Sql(
    "WITH RECURSIVE told(id) AS (SELECT min(webhook_id) FROM webhook_delivery UNION ALL "
    "SELECT (SELECT min(d.webhook_id) FROM webhook_delivery d WHERE d.webhook_id > told.id) "
    "FROM told WHERE told.id IS NOT NULL) SELECT told.id FROM told "
    "WHERE told.id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM webhook w WHERE w.id = told.id) "
    "LIMIT 1"
)
_SOME_LEFT = Sql(
    "DELETE FROM webhook_delivery WHERE id IN "
    "(SELECT id FROM webhook_delivery WHERE webhook_id = ? LIMIT ?)"
)
# Of writes that began before their webhook was switched off. CROSS: SQLite keeps to this order.
_SOME_LATE = Sql(
    "UPDATE webhook_delivery SET status = 'cancelled', updated_at = ? WHERE id IN ("
    "SELECT d.id FROM webhook w CROSS JOIN webhook_delivery d "
    "WHERE d.webhook_id = w.id AND d.status = 'pending' AND NOT w.active LIMIT ?)"
)


def list_deliveries(actor: Actor, webhook_id: int, query: dict[str, Any]) -> Page:
    """The deliveries to one of the actor's webhooks, the newest first; `query` is a parsed
    `schemas.DeliveryQuery`. Raises NotFound, and BadRequest for a cursor of another list."""
    _check_own(actor, webhook_id)
    status = query.get("status")
    pager = Pager(actor, f"deliveries of {webhook_id} {status or ''}", query)
    own, wanted = (actor.user_id, webhook_id), (status,) if status else ()
    part = (pager.after(_NEWEST), *wanted, pager.rows, pager.skip)
    rows = lane().all(_LISTED_BY_STATUS if status else _LISTED, (*own, *part))
    [total] = lane().one(_COUNT_BY_STATUS if status else _COUNT, (*own, *wanted))
    return pager.page([_shown(*row) for row in rows], total)


def get_delivery(actor: Actor, webhook_id: int, delivery_id: int) -> dict[str, Any]:
    """One of them (schema Delivery). Raises NotFound."""
    row = lane().one(_ONE, (actor.user_id, webhook_id, delivery_id))
    if row is None:
        raise NotFound()
    return _shown(*row)


def try_webhook(actor: Actor, webhook_id: int) -> dict[str, Any]:
    """Have a trial sent, which tells of nothing. Raises NotFound, and Conflict
    (`webhook_inactive`)."""
    return get_delivery(actor, webhook_id, _try(actor, webhook_id))


@write_transaction
def _try(actor: Actor, webhook_id: int) -> int:
    _check_active(actor, webhook_id)
    made: int = lane().insert("webhook_delivery", delivery(webhook_id, clock.now_ms()))
    _send_soon(webhook_id)
    return made


def replay(actor: Actor, webhook_id: int, delivery_id: int) -> dict[str, Any]:
    """Send a delivery again, whatever became of it, with the same id and all its tries. Raises
    NotFound, and Conflict (`webhook_inactive`)."""
    _replay(actor, webhook_id, delivery_id)
    return get_delivery(actor, webhook_id, delivery_id)


@write_transaction
def _replay(actor: Actor, webhook_id: int, delivery_id: int) -> None:
    _check_active(actor, webhook_id, delivery_id)
    now = clock.now_ms()
    _send_soon(webhook_id)  # locks the webhook, before its delivery as who sends does
    lane().run(_REPLAY, (now, now, delivery_id, webhook_id))


def _send_soon(webhook_id: int) -> None:
    lane().run(_RESUME, (webhook_id,))  # its owner knows that it failed
    enqueue(JOB, webhook_id)


def _check_own(actor: Actor, webhook_id: int) -> bool:
    """Raise NotFound where it is not the actor's; whether it is on."""
    row = lane().one(_ACTIVE, (actor.user_id, webhook_id))
    if row is None:
        raise NotFound()
    return bool(row[0])


def _check_active(actor: Actor, webhook_id: int, delivery_id: int | None = None) -> None:
    active = _check_own(actor, webhook_id)
    if delivery_id is not None:
        get_delivery(actor, webhook_id, delivery_id)
    if not active:
        raise Conflict("webhook_inactive")


def _shown(
    id_: int,
    uid: str,
    webhook_id: int,
    seq: int | None,
    status: str,
    attempts: int,
    next_at: int,
    status_code: int | None,
    error: str | None,
    created_at: int,
    updated_at: int,
    entity: str | None,
    op: Any,
) -> dict[str, Any]:
    return {
        "id": id_,
        "webhook_id": webhook_id,
        "message_id": message_id(uid),
        "type": TRIAL if seq is None else entity and f"{entity}.{SHOWN[op]}",
        "seq": seq,
        "status": status,
        "attempts": attempts,
        "status_code": status_code,
        "error": error,
        "next_attempt_at": clock.rfc3339(next_at) if status == "pending" else None,
        "created_at": clock.rfc3339(created_at),
        "updated_at": clock.rfc3339(updated_at),
    }


def export_deliveries(user_id: int) -> Iterator[dict[str, Any]]:
    """Every delivery to a user's webhooks that is kept, some hundreds at a time, of one webhook
    after the other: the index has them so."""
    for (webhook_id,) in lane().all(_OWN, (user_id,)):
        last = 0
        while rows := lane().all(_EXPORTED, (user_id, webhook_id, last, _BATCH)):
            yield from (_shown(*row) for row in rows)
            last = rows[-1][0]


@write_transaction
def purge_some() -> int:
    """Delete some deliveries that are long over, and some of webhooks that are no more, and cancel
    some that webhooks are not to have; how many."""
    now, left = clock.now_ms(), lane().one(_LEFT)
    return (
        lane().run(_SOME_OLD, (now - KEPT_MS, _BATCH))
        + (lane().run(_SOME_LEFT, (left[0], _BATCH)) if left else 0)
        + lane().run(_SOME_LATE, (now, _BATCH))
    )
