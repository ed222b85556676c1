"""What a write does to notes, in the transaction that runs.

A new text is read by a job, queued in the same transaction: see `processing`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from ..actor import Actor, Book
from ..changes.conflicts import Present, stale
from ..changes.service import ChangeLog
from ..contacts.service import Versions, require_contact
from ..database import Sql, lane
from ..errors import FieldError, NotFound
from ..jobs.service import enqueue
from .note import Meta
from .stored import FIND, LIVE, Stored, place, sealed

JOB = "note.process"

_ABOUT = Sql(f"{LIVE} AND n.contact_id = ? ORDER BY n.id")
_STORE = Sql(
    "UPDATE note SET contact_id = ?, version = ?, status = ?, sealed = ?, found = ?, "
    "updated_at = ?, updated_by = ?, deleted_at = NULL WHERE book_id = ? AND id = ?"
)
_DELETE = Sql(
    "UPDATE note SET deleted_at = ?, updated_at = ?, updated_by = ?, version = ? "
    "WHERE book_id = ? AND id = ?"
)


def create(log: ChangeLog, actor: Actor, book: Book, contact_id: int, body: str) -> Stored:
    """Add a note. Raises NotFound where there is no such contact."""
    _require(book, contact_id)
    by, uid = actor.user_id, str(uuid.uuid4())
    row: dict[str, Any] = {
        "uid": uid,
        "book_id": book.id,
        "contact_id": contact_id,
        "version": 1,
        "status": "pending",
        "created_at": log.now,
        "updated_at": log.now,
        "created_by": by,
        "updated_by": by,
    }
    note_id = lane().insert("note", {**row, "sealed": sealed(log.cipher, book.id, uid, body)})
    stored = Stored(Meta(note_id, **row), body, None)
    log.append("note", note_id, "create", 1, None, stored.told())
    enqueue(JOB, note_id, book.owner_id)
    return stored


def _require(book: Book, contact_id: int) -> None:
    try:
        require_contact(book, contact_id)
    except NotFound as error:
        absent = FieldError("/contact_id", "not_found", "There is no such contact.")
        raise NotFound(errors=[absent]) from error


def change(
    log: ChangeLog, actor: Actor, book: Book, found: Stored, fields: dict[str, Any]
) -> Stored:
    """Give a note another text or contact; what changes nothing makes no version."""
    body = fields.get("body", found.body)
    contact_id = fields.get("contact_id", found.meta.contact_id)
    if (body, contact_id) == (found.body, found.meta.contact_id):
        return found
    _require(book, contact_id)
    return store(log, actor, book, found, body, contact_id)


def store(
    log: ChangeLog,
    actor: Actor,
    book: Book,
    found: Stored,
    body: str,
    contact_id: int,
    *,
    restores: bool = False,
) -> Stored:
    """Give a note this text and contact, of which it is not asked whether they are the present ones
    or whether it can be seen. `restores`: the note was deleted."""
    same_text = body == found.body
    meta = found.meta._replace(
        contact_id=contact_id,
        version=found.meta.version + 1,
        status=found.meta.status if same_text else "pending",
        updated_at=log.now,
        updated_by=actor.user_id,
    )
    stored = Stored(meta, body, found.found if same_text else None)
    result = stored.found and log.cipher.seal(stored.found, *place(book.id, meta.uid, "found"))
    row = (
        contact_id,
        meta.version,
        meta.status,
        sealed(log.cipher, book.id, meta.uid, body),
        result,
    )
    lane().run(_STORE, (*row, log.now, actor.user_id, book.id, meta.id))
    if restores:
        log.append("note", meta.id, "restore", meta.version, None, stored.told())
    else:
        log.append("note", meta.id, "update", meta.version, found.told(), stored.told())
    if not same_text or meta.status == "pending":
        enqueue(JOB, meta.id, book.owner_id)
    return stored


def move_notes(
    log: ChangeLog, actor: Actor, book: Book, from_ids: Iterable[int], contact_id: int
) -> None:
    """Make all notes about some contacts notes about another one."""
    for from_id in from_ids:
        for row in lane().all(_ABOUT, (book.id, from_id)):
            found = Stored.of(row, log.cipher)
            store(log, actor, book, found, found.body, contact_id)


def delete(log: ChangeLog, actor: Actor, book: Book, found: Stored) -> None:
    """Delete a note."""
    version = found.meta.version + 1
    row = (log.now, log.now, actor.user_id, version, book.id, found.meta.id)
    lane().run(_DELETE, row)
    log.append("note", found.meta.id, "delete", version, found.told(), None)


def find(
    log: ChangeLog,
    book: Book,
    note_id: int,
    versions: Versions,
    contact_id: int | None = None,
    sent: dict[str, Any] | None = None,
) -> Stored:
    """A live note of this book under the stream's lock, at one of the expected versions; who
    expects another is told what others have changed, and what `sent` would have."""
    row = lane().one(FIND, (book.id, note_id))
    found = None if row is None else Stored.of(row, log.cipher)
    if found is None or contact_id not in {None, found.meta.contact_id}:
        raise NotFound()
    meta, fields = found.meta, found.told()
    if versions is not None and meta.version not in versions:
        present = Present(meta.id, meta.version, meta.updated_by, meta.updated_at, fields)
        mine = {**fields, **(sent or {})}
        raise stale(log, "note", present, versions, lambda: (mine, sent or ()))
    return found
