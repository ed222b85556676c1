"""Giving contacts a state back that they had, as an undo does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..actor import Actor, Book
from ..changes.service import ChangeLog
from ..database import Sql, lane
from .card import canonical
from .many import Held, Many

_LIVE = Sql("SELECT 1 FROM contact WHERE book_id = ? AND id = ? AND deleted_at IS NULL")


class Past(NamedTuple):
    """What a contact was: its card as the change log tells it, or None where it did not exist or
    lay in the trash, there perhaps because it was merged into another."""

    card: dict[str, Any] | None
    merged_into: int | None = None


def missing_survivors(book: Book, past: Mapping[int, Past]) -> list[int]:
    """The contacts that these would be a part of again and that would not be live."""
    into = {was.merged_into for was in past.values() if was.merged_into is not None}
    return sorted(id_ for id_ in into if not _stays(book, id_, past.get(id_)))


def _stays(book: Book, contact_id: int, was: Past | None) -> bool:
    if was is not None:
        return was.card is not None
    return lane().one(_LIVE, (book.id, contact_id)) is not None


def set_back(log: ChangeLog, actor: Actor, book: Book, past: Mapping[int, Past]) -> None:
    """Make these contacts what they were, in the running transaction. All must have a row; whose
    row is gone stays away. Raises Forbidden where the owner may not have so many."""
    many = Many(log, actor, book, past)
    held = {id_: found for id_ in past if (found := many.get(id_)) is not None}
    away = [found for id_, found in held.items() if past[id_].card is None]
    back = {id_: found for id_, found in held.items() if past[id_].card is not None}
    going = [found for found in away if found.deleted_at is None]
    coming = [found for found in back.values() if found.deleted_at is not None]
    many.require_room(len(coming) - len(going))
    for found in going:  # first: they make room for the others
        many.trash(found, past[found.meta.id].merged_into)
    for id_, found in back.items():
        _give(many, found, canonical(past[id_].card or {}))
    many.write()


def _give(many: Many, held: Held, card: dict[str, Any]) -> None:
    if held.deleted_at is None:
        many.change(held, card)
    else:
        many.restore(held, card)
