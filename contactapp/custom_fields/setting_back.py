"""Giving definitions a state back that they had, as an undo does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..actor import Actor, Book
from ..books.service import definitions
from ..changes.service import ChangeLog
from ..database import Sql, lane
from .definition import Definition, Meta
from .stored import delete, opened, restore, update

_FIND = Sql(
    f"SELECT deleted_at, {', '.join(Meta._fields)}, sealed FROM custom_field "  # noqa: S608
    "WHERE book_id = ? AND id = ?"
)

Past = (
    dict[str, Any] | None
)  # what the change log told of a definition, None where it was not there


def in_the_way(log: ChangeLog, past: Mapping[int, Past]) -> list[Definition]:
    """The definitions of now whose keys these would have again."""
    wanted = {told["key"] for told in past.values() if told is not None}
    now = definitions(log.book)
    return [now[key] for key in wanted if key in now and now[key].id not in past]


def set_back(log: ChangeLog, actor: Actor, book: Book, past: Mapping[int, Past]) -> None:
    """Make these definitions what they were, in the running transaction; whose row is gone stays
    away. Raises Forbidden where the book may not have so many."""
    for field_id, told in past.items():
        row = lane().one(_FIND, (book.id, field_id))
        if row is None:
            continue
        deleted_at, *columns, sealed = row
        found = opened(log.cipher, Meta(*columns), sealed)
        if told is not None:
            before = Definition.of(found.meta, told)
            if deleted_at is not None:
                restore(log, actor, before)
            elif before != found:
                update(log, actor, found, before)
        elif deleted_at is None:
            delete(log, actor, found)
