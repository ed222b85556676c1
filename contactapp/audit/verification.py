"""Following the chains of changes and of audit events, link by link.

A head is an HMAC over the head before it and everything its row says (`changes.service.next_head`),
so a row that somebody edited, took out or put between is where its chain breaks first. What a
purge or an erasure has emptied breaks nothing: the chain covers the hash of what was sealed. Who
takes away the newest links, and tells the stream so, is not found out as long as there are no
checkpoints elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..changes.models import GENESIS, Change
from ..changes.service import next_head
from ..database import Sql, lane
from ..keyring import keyring
from .service import CHAINED

_BATCH = 1000
_LINKED = tuple(c.name for c in Change.__table__.columns if c.name not in {"sealed", "head"})
_CHANGE_COLUMNS = (*_LINKED, "sealed", "head")
_EVENT_COLUMNS = (*CHAINED, "seq", "sealed", "head")
_STREAMS = Sql("SELECT id FROM stream WHERE id > ? ORDER BY id LIMIT ?")
_STREAM = Sql(
    "SELECT s.seq, s.head, s.floor, b.id, u.id FROM stream s LEFT JOIN book b "
    "ON b.stream_id = s.id LEFT JOIN users u ON u.stream_id = s.id WHERE s.id = ?"
)
_CHANGES = Sql(
    f"SELECT {', '.join(_CHANGE_COLUMNS)} FROM change "  # noqa: S608
    "WHERE stream_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)
_COUNT = Sql("SELECT count(*) FROM stream")
_HEAD_AT = Sql("SELECT head FROM change WHERE stream_id = ? AND seq = ?")
_EVENTS = Sql(
    f"SELECT {', '.join(_EVENT_COLUMNS)} FROM audit_event "  # noqa: S608
    "WHERE seq > ? ORDER BY seq LIMIT ?"
)


class Chain(NamedTuple):
    """A chain that was followed: what it is of, how many links hold, and what is wrong with the
    first that does not."""

    of: str
    links: int
    broken: str | None


def count_chains() -> int:
    """How many there are to follow."""
    return lane().one(_COUNT)[0] + 1


def follow_all() -> Iterator[Chain]:
    """Every chain, one after another: each book's changes, then the audit events. Each is read in
    one state of the database, so that who writes, or erases an account, breaks none meanwhile."""
    last = 0
    while streams := lane().all(_STREAMS, (last, _BATCH)):
        for (stream_id,) in streams:
            with lane().snapshot():
                chain = _follow_changes(stream_id)
            if chain is not None:
                yield chain
        last = streams[-1][0]
    yield _follow_events()


def _follow_changes(stream_id: int) -> Chain | None:
    """None where the stream was erased since."""
    stream = lane().one(_STREAM, (stream_id,))
    if stream is None:
        return None
    seq, head, floor, book_id, user_id = stream
    of = f"book {book_id}" if book_id else f"data of user {user_id}"
    link = _Links(_LINKED, floor, _head_at(stream_id, floor))
    while rows := lane().all(_CHANGES, (stream_id, link.seq, seq, _BATCH)):
        for row in rows:
            problem = link.follow(dict(zip(_CHANGE_COLUMNS, row, strict=True)))
            if problem:
                return Chain(of, link.count, problem)
    if link.seq != seq:
        return Chain(of, link.count, f"number {link.seq + 1} is missing, and all after it")
    if link.head not in {head, None}:
        return Chain(of, link.count, f"number {seq} is not what its stream ends with")
    return Chain(of, link.count, None)


def _head_at(stream_id: int, floor: int) -> bytes | None:
    """The head before the first link; None where it was purged, and the first is taken as it is."""
    if floor == 0:
        return GENESIS
    row = lane().one(_HEAD_AT, (stream_id, floor))
    return row and row[0]


def _follow_events() -> Chain:
    link = _Links((*CHAINED, "seq"), 0, GENESIS)
    while rows := lane().all(_EVENTS, (link.seq, _BATCH)):
        for row in rows:
            problem = link.follow(dict(zip(_EVENT_COLUMNS, row, strict=True)))
            if problem:
                return Chain("audit events", link.count, problem)
    return Chain("audit events", link.count, None)


class _Links:
    """How far a chain was followed: `seq` and `head` of its last good link."""

    def __init__(self, columns: tuple[str, ...], seq: int, head: bytes | None) -> None:
        self._columns = columns
        self._key = keyring().purpose("chain")
        self.seq = seq
        self.head = head
        self.count = 0

    def follow(self, row: dict[str, Any]) -> str | None:
        """Go on to this row, or say what is wrong with it."""
        seq, head, sealed = row["seq"], row["head"], row["sealed"]
        if seq != self.seq + 1:
            return f"number {self.seq + 1} is missing"
        content = {name: row[name] for name in self._columns}
        try:
            if self.head is not None and next_head(self._key, self.head, content) != head:
                return f"number {seq} does not follow from the one before, or was changed"
            if sealed is not None and hashlib.sha256(sealed).digest() != row["sealed_hash"]:
                return f"what number {seq} has sealed was changed"
        except (AttributeError, TypeError):  # SQLite takes text for bytes and bytes for text
            return f"number {seq} holds what was never written there"
        self.seq, self.head, self.count = seq, head, self.count + 1
        return None
