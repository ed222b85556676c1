"""Signed notes of how far each chain had come, in the database and to be kept outside of it.

Who can write to the database can take away the newest links of a chain and tell its stream so, but
cannot make a checkpoint say so without the chain's key. Who takes the checkpoints away too, or puts
a whole database back, is found out by a line that lies elsewhere (`outside`).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, NamedTuple

import orjson

from .. import clock
from ..crypto import derive
from ..database import Sql, lane, write_transaction
from ..jobs.service import Effect, Job, renew
from ..keyring import keyring
from .service import last_chained

EVENTS = 0  # the stream that stands for the chain of the audit events
_BATCH = 50  # streams of a transaction, whose writers wait for it on PostgreSQL
# Asked without a lock: thousands of streams that nobody wrote to must not keep writers waiting.
_MOVED = Sql(
    "SELECT s.id FROM stream s WHERE s.id > ? AND s.seq > coalesce((SELECT max(c.seq) "
    "FROM checkpoint c WHERE c.stream_id = s.id), 0) ORDER BY s.id LIMIT ?"
)
_STATE = "SELECT seq, head, floor FROM stream WHERE id = ?"
# Who erases the stream waits, and takes this checkpoint away too.
_KEPT = Sql(_STATE, postgresql=f"{_STATE} FOR KEY SHARE")
_NEWEST = Sql("SELECT max(seq) FROM checkpoint WHERE stream_id = ?")
_OF_STREAM = Sql(
    "SELECT stream_id, seq, floor, head, at, mac FROM checkpoint WHERE stream_id = ? "
    "ORDER BY seq, floor"
)
_BELOW = Sql("DELETE FROM checkpoint WHERE stream_id = ? AND seq < ?")
_ALL_OF_STREAM = Sql("DELETE FROM checkpoint WHERE stream_id = ?")


class Checkpoint(NamedTuple):
    """What a stream was like at a time (milliseconds)."""

    stream_id: int
    seq: int
    floor: int
    head: bytes
    at: int
    mac: bytes

    def is_genuine(self) -> bool:
        """Whether this installation made it, and nobody changed it."""
        try:
            return hmac.compare_digest(self.mac, _mac(*self[:-1]))
        except (AttributeError, TypeError):  # SQLite takes text for bytes and bytes for numbers
            return False


def signed(content: Any, purpose: str) -> bytes:
    """An HMAC over what is to be told by this installation only, for one purpose."""
    key = derive(keyring().purpose("chain"), purpose)
    return hmac.digest(key, orjson.dumps(content), hashlib.sha256)


def _mac(stream_id: int, seq: int, floor: int, head: bytes, at: int) -> bytes:
    return signed([stream_id, seq, floor, head.hex(), at], "checkpoint")


def mark(stream_id: int, seq: int, floor: int, head: bytes) -> None:
    """Note the state of a stream in the running transaction, which holds it."""
    about = (stream_id, seq, floor, head, clock.now_ms())
    row = dict(zip(Checkpoint._fields, (*about, _mac(*about)), strict=True))
    lane().insert("checkpoint", row, returning="")


def of_stream(stream_id: int) -> list[Checkpoint]:
    """The checkpoints of a stream, the oldest first."""
    return [Checkpoint(*row) for row in lane().all(_OF_STREAM, (stream_id,))]


def drop_below(stream_id: int, floor: int) -> None:
    """Delete those of a purged part, in the running transaction."""
    lane().run(_BELOW, (stream_id, floor))


def drop_all(stream_id: int) -> None:
    """Delete those of a stream that was deleted, in the same transaction."""
    lane().run(_ALL_OF_STREAM, (stream_id,))


def make(job: Job) -> Effect:
    """The job that marks every stream that moved since its newest checkpoint."""
    last = 0
    while moved := lane().all(_MOVED, (last, _BATCH)):
        last = moved[-1][0]
        _mark_all([row[0] for row in moved])
        renew(job)
    return _mark_events


@write_transaction
def _mark_all(stream_ids: list[int]) -> None:
    for stream_id in stream_ids:
        state = lane().one(_KEPT, (stream_id,))
        if state is not None:  # it was not erased since
            seq, head, floor = state
            _mark_moved(stream_id, seq, floor, head)


def _mark_events() -> None:
    seq, head = last_chained()
    _mark_moved(EVENTS, seq, 0, head)


def _mark_moved(stream_id: int, seq: int, floor: int, head: bytes) -> None:
    [newest] = lane().one(_NEWEST, (stream_id,))
    if seq > (newest or 0):
        mark(stream_id, seq, floor, head)
