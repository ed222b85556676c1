"""Giving notes a state back that they had, as an undo does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..actor import Actor, Book
from ..changes.service import ChangeLog
from ..database import Sql, lane
from . import writing
from .stored import COLUMNS, Stored

_FIND = Sql(
    f"SELECT n.deleted_at, {COLUMNS} FROM note n WHERE n.book_id = ? AND n.id = ?"  # noqa: S608
)
_CONTACT = Sql("SELECT 1 FROM contact WHERE book_id = ? AND id = ?")

Past = dict[str, Any] | None  # what the change log told of a note, None where it was not there


def missing_contacts(book: Book, past: Iterable[Past]) -> list[int]:
    """The contacts that these notes were about and that are gone for good."""
    ids = sorted({told["contact_id"] for told in past if told is not None})
    return [id_ for id_ in ids if lane().one(_CONTACT, (book.id, id_)) is None]


def set_back(log: ChangeLog, actor: Actor, book: Book, past: Mapping[int, Past]) -> None:
    """Make these notes what they were, in the running transaction, also where the contact that one
    was about lies in the trash by now."""
    for note_id, told in past.items():
        row = lane().one(_FIND, (book.id, note_id))
        if row is not None:
            _give(
                log, actor, book, Stored.of(row[1:], log.cipher), told, deleted=row[0] is not None
            )


def _give(
    log: ChangeLog, actor: Actor, book: Book, found: Stored, told: Past, *, deleted: bool
) -> None:
    if told is not None:
        writing.store(log, actor, book, found, told["body"], told["contact_id"], restores=deleted)
    elif not deleted:
        writing.delete(log, actor, book, found)
