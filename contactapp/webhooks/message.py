"""What a receiver is sent: made when it is sent, of the change as it is kept then, so that a
delivery that waits holds nothing about anybody, and tells nothing that was erased meanwhile."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import orjson

from .. import clock
from ..changes.part import item_at
from ..crypto import SealError
from ..database import Sql, lane
from ..keyring import Erased
from .signature import signatures
from .stored import Private, opened

log = logging.getLogger("contactapp")

TRIAL = "webhook.test"

# What the guard asks of somebody with a token, asked again for every message: nothing is told to
# whoever may no longer read the book.
_FOUND = Sql(
    "SELECT d.uid, d.stream_id, d.seq, d.attempts, d.created_at, w.id, w.uid, w.user_id, "
    "w.sealed, b.id, u.key_id, b.key_id, u.stream_id, b.stream_id FROM webhook_delivery d "
    "JOIN webhook w ON w.id = d.webhook_id AND w.active JOIN users u ON u.id = w.user_id "
    "AND u.active JOIN book b ON b.id = w.book_id "
    "LEFT JOIN book_member m ON m.book_id = b.id AND m.user_id = u.id "
    "WHERE d.id = ? AND d.status = 'pending' AND (b.owner_id = u.id OR m.role IS NOT NULL)"
)


class Message(NamedTuple):
    """Where to, with which id and secrets, and what; `attempts` were made before."""

    private: Private
    id: str
    body: bytes
    attempts: int

    def headers(self) -> dict[str, str]:
        """Those of a try now."""
        now = clock.now_ms()
        seconds, secrets = now // 1000, self.private.secrets(now)
        return {
            "Content-Type": "application/json",
            "User-Agent": "contactapp-webhooks/1",
            "Accept-Encoding": "identity",
            "Webhook-Id": self.id,
            "Webhook-Timestamp": str(seconds),
            "Webhook-Signature": signatures(secrets, self.id, seconds, self.body),
        }


def message_id(uid: str) -> str:
    """The Webhook-Id of a delivery, the same at each try."""
    return f"msg_{uid}"


def message(delivery_id: int) -> Message | None:
    """What a pending delivery says; None where nothing is to be said any more: the webhook is off,
    its user may not read the book, or the change is no longer kept, or was tampered with."""
    row = lane().one(_FOUND, (delivery_id,))
    if row is None:
        return None
    uid, stream_id, seq, attempts, created_at, webhook_id, *about, book_id = row[:10]
    user_key, book_key, users_stream, books_stream = row[10:]
    keys = {users_stream: user_key, books_stream: book_key}
    told: dict[str, Any] | None = None
    try:
        if seq is None:
            told = _trial(webhook_id, book_id, created_at)
        elif stream_id in keys:
            item = item_at(stream_id, keys[stream_id], seq)
            told = item and _event(item, book_id if stream_id == books_stream else None)
        private = opened(user_key, about[1], about[0], about[2])
    except Erased:
        return None
    except SealError:  # or nothing after it would ever be told
        log.error("what delivery %d would tell does not open", delivery_id)
        return None
    return Message(private, message_id(uid), orjson.dumps(told), attempts) if told else None


def _trial(webhook_id: int, book_id: int, at: int) -> dict[str, Any]:
    data = {"webhook_id": webhook_id, "book_id": book_id}
    return {"type": TRIAL, "timestamp": clock.rfc3339(at), "data": data}


def _event(item: dict[str, Any], book_id: int | None) -> dict[str, Any]:
    told = f"{item['type']}.{item['op']}"
    return {"type": told, "timestamp": item["at"], "data": {**item, "book_id": book_id}}
