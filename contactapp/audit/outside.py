"""One signed line with the heads of everything, to be kept where the database is not.

A whole database that was put back agrees with itself, checkpoints and all; only who kept a note of
how far it had come can tell. The line names no person: numbers, and HMACs of sealed content.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from .. import clock
from ..database import Sql, lane
from .checkpoints import EVENTS, signed
from .service import last_chained
from .verification import Chain

_PURPOSE = "checkpoint outside"
_STREAMS = Sql(
    "SELECT s.id, coalesce(b.owner_id, u.id), s.seq, s.head FROM stream s LEFT JOIN book b "
    "ON b.stream_id = s.id LEFT JOIN users u ON u.stream_id = s.id WHERE s.seq > 0 ORDER BY s.id"
)
_STREAM = Sql("SELECT seq, head, floor FROM stream WHERE id = ?")
_HEAD_AT = Sql("SELECT head FROM change WHERE stream_id = ? AND seq = ?")
_EVENT_HEAD_AT = Sql("SELECT head FROM audit_event WHERE seq = ?")
_ERASED = Sql("SELECT 1 FROM audit_event WHERE user_id = ? AND kind = 'deleted'")


class NotOurs(Exception):
    """A line that this installation did not sign, or that was changed; says which."""


def line() -> str:
    """The present heads as one line of JSON: `chains` holds [stream, owner, number, head]."""
    with lane().snapshot():
        streams, (seq, head) = lane().all(_STREAMS), last_chained()
    chains = [[EVENTS, None, seq, head.hex()], *([*row[:3], row[3].hex()] for row in streams)]
    content = {"at": clock.rfc3339(clock.now_ms()), "chains": chains}
    return orjson.dumps({**content, "mac": signed(content, _PURPOSE).hex()}).decode()


def compare(lines: Iterable[str]) -> Iterator[Chain]:
    """The chains that do not go through what these lines saw. Raises NotOurs."""
    for number, text in enumerate(lines, 1):
        if text.strip():
            content = _read(text, number)
            for stream_id, owner_id, seq, head in content["chains"]:
                with lane().snapshot():
                    problem = _problem(stream_id, owner_id, seq, bytes.fromhex(head))
                if problem:
                    of = f"stream {stream_id} of user {owner_id}" if stream_id else "audit events"
                    yield Chain(of, 0, f"{problem} on {content['at']}")


def _read(text: str, number: int) -> dict[str, Any]:
    try:
        content = orjson.loads(text)
        mac = bytes.fromhex(content.pop("mac"))
        if hmac.compare_digest(mac, signed(content, _PURPOSE)):
            return content
    except (ValueError, AttributeError, KeyError, TypeError):
        pass
    raise NotOurs(f"line {number} was not signed with this database's key, or was changed")


def _problem(stream_id: int, owner_id: int | None, seq: int, head: bytes) -> str | None:
    """What is wrong with a chain that had come so far."""
    floor = 0
    if stream_id == EVENTS:
        end, row = last_chained()[0], lane().one(_EVENT_HEAD_AT, (seq,))
    else:
        stream = lane().one(_STREAM, (stream_id,))
        if stream is None:
            erased = lane().one(_ERASED, (owner_id,)) is not None
            return None if erased else f"it is gone, its account is not erased, it had number {seq}"
        end, newest, floor = stream
        row = (newest,) if end == seq else lane().one(_HEAD_AT, (stream_id, seq))
    if end < seq:
        return f"it ends with number {end}, and had number {seq}"
    if row is None and seq <= floor:
        return None  # it was purged
    if row is None or row[0] != head:
        return f"number {seq} is not what it was"
    return None
