"""The cursor of the change feed: what its reader was told of, sealed.

It is (seq, head) of the last change in each of two streams, a book's and that of one's data; one
that belongs to another history, of a copy that was put back, is refused and not continued.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..actor import Actor
from ..errors import Gone
from ..keyring import keyring
from ..paging import CursorSeal
from .part import Position

_LISTING = "changes"


class Told(NamedTuple):
    """What a reader was told of: a book's stream, and that of their data; None for nothing yet."""

    book: Position | None = None
    data: Position | None = None


def opened(actor: Actor, cursor: str) -> Told:
    """What is in a cursor. One from before there were data has no position in them. Raises
    BadRequest for what is no cursor of this feed, and Gone for one from before a restore: its
    reader may have seen what came after the backup."""
    values = CursorSeal(actor.user_id, actor.book.id).open(cursor, _LISTING)
    if "".join(values[4:]) != keyring().epoch():
        raise Gone()
    return Told(*(_position(*pair) for pair in (values[:2], values[2:4]) if pair))


def sealed(actor: Actor, told: Told) -> str:
    """The cursor of what this actor was told."""
    epoch = keyring().epoch()
    values = [value for position in told for value in _pair(position)]
    seal = CursorSeal(actor.user_id, actor.book.id)
    return seal.seal(values + [epoch] * bool(epoch), _LISTING)


def _position(seq: int | None, head: str | None) -> Position | None:
    return None if seq is None or head is None else Position(seq, bytes.fromhex(head))


def _pair(position: Position | None) -> tuple[Any, Any]:
    return (None, None) if position is None else (position.seq, position.head.hex())
