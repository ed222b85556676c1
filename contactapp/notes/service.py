"""Everything that is done to notes. Each write is one transaction, with a change row per note."""

from __future__ import annotations

from typing import Any

from ..actor import Actor, Book
from ..changes.service import ChangeLog
from ..contacts.service import Versions
from ..database import write_transaction
from .reading import export_notes, get_note, list_notes, note_history, texts_about
from .setting_back import missing_contacts, set_back
from .stored import Stored
from .writing import change, create, delete, find, move_notes


@write_transaction
def create_note(actor: Actor, book: Book, contact_id: int, body: str) -> Stored:
    """Add a note about a contact. Raises NotFound where there is no such contact."""
    return create(ChangeLog(actor, book), actor, book, contact_id, body)


@write_transaction
def change_note(
    actor: Actor,
    book: Book,
    note_id: int,
    fields: dict[str, Any],
    versions: Versions,
    contact_id: int | None = None,
) -> Stored:
    """Give a note another text (`body`), or another contact (`contact_id`). Raises NotFound, also
    for a contact that is not there, and PreconditionFailed."""
    log = ChangeLog(actor, book)
    found = find(log, book, note_id, versions, contact_id, fields)
    return change(log, actor, book, found, fields)


@write_transaction
def revert_note(actor: Actor, book: Book, note_id: int, version: int, versions: Versions) -> Stored:
    """Give a note the text again, and the contact, that it had at a version. Raises as change_note
    does, and InvalidFields where there is no such version."""
    log = ChangeLog(actor, book)
    found = find(log, book, note_id, versions)
    if version == found.meta.version:  # also where the change that made it is no longer kept
        return found
    return change(log, actor, book, found, log.state_at("note", note_id, version))


@write_transaction
def delete_note(
    actor: Actor, book: Book, note_id: int, versions: Versions, contact_id: int | None = None
) -> None:
    """Delete a note. Raises NotFound or PreconditionFailed."""
    log = ChangeLog(actor, book)
    delete(log, actor, book, find(log, book, note_id, versions, contact_id))


__all__ = [
    "Stored",
    "change_note",
    "create",
    "create_note",
    "delete_note",
    "export_notes",
    "get_note",
    "list_notes",
    "missing_contacts",
    "move_notes",
    "note_history",
    "revert_note",
    "set_back",
    "texts_about",
]
