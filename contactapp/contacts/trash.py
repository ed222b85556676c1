"""The trash: what lies there, the way back, and the end."""

from __future__ import annotations

from typing import Any

from .. import paging
from ..actor import Actor, Book
from ..changes.service import ChangeLog
from ..clock import rfc3339
from ..database import Sql, lane, write_transaction
from ..errors import NotFound
from ..keyring import keyring
from ..users.service import release_contacts
from .card import Meta, as_object
from .many import Many
from .photo_rows import forget_contact
from .stored import Stored, Versions, opened, require_version

_LISTING = "trash"
_AFTER_ALL = 2**62
# `found`: how many there would be if the page had room for them.
_LISTED = Sql(
    f"SELECT {', '.join(f'c.{n}' for n in Meta._fields)}, c.merged_into, c.deleted_at, c.sealed, "  # noqa: S608
    "k.found FROM (SELECT p.id, count(*) OVER () AS found, sum(p.size) OVER "
    "(ORDER BY p.deleted_at DESC, p.id DESC) - p.size AS above FROM (SELECT id, deleted_at, "
    "length(sealed) AS size FROM contact WHERE book_id = ? AND deleted_at IS NOT NULL "
    "AND (deleted_at, id) < (?, ?) ORDER BY deleted_at DESC, id DESC LIMIT ? OFFSET ?) p) k "
    "JOIN contact c ON c.id = k.id WHERE k.above < ? ORDER BY c.deleted_at DESC, c.id DESC"
)
_COUNT = Sql("SELECT count(*) FROM contact WHERE book_id = ? AND deleted_at IS NOT NULL")
_FIND = Sql(
    f"SELECT {', '.join(Meta._fields)}, deleted_at, sealed FROM contact "  # noqa: S608
    "WHERE book_id = ? AND id = ?"
)
_NOTES = Sql("SELECT id, version FROM note WHERE contact_id = ? ORDER BY id")
# Emptied and not deleted: the chain covers the hash of what was sealed.
_EMPTY = Sql(
    "UPDATE change SET sealed = NULL WHERE stream_id = ? AND entity = 'contact' AND entity_id = ?"
)
_EMPTY_NOTES = Sql(
    "UPDATE change SET sealed = NULL WHERE stream_id = ? AND entity = 'note' "
    "AND entity_id IN (SELECT id FROM note WHERE contact_id = ?)"
)
_DROP_NOTES = Sql("DELETE FROM note WHERE contact_id = ?")
_DROP = Sql("DELETE FROM contact WHERE id = ?")


def list_trash(actor: Actor, query: dict[str, Any]) -> paging.Page:
    """One page of what lies in the trash, what was deleted last first; it ends early where contacts
    are large. `query` is a parsed `shapes.Paging`. Raises BadRequest for a cursor that is not of
    this list."""
    book, limit = actor.book, query["limit"]
    seal = paging.CursorSeal(actor.user_id, book.id)
    after = [_AFTER_ALL, 0]
    if "cursor" in query:
        after = seal.open(query["cursor"], _LISTING)
    part = (*after, limit + 1, query["skip"])
    rows = lane().all(_LISTED, (book.id, *part, paging.PAGE_BYTES))[:limit]
    [total] = lane().one(_COUNT, (book.id,))
    cursor = None
    if rows and rows[0][-1] > len(rows):
        *_, deleted_at, _sealed, _found = rows[-1]
        cursor = seal.seal([deleted_at, rows[-1][0]], _LISTING)
    return paging.Page([_shown(book, row) for row in rows], cursor, total)


def _shown(book: Book, row: tuple[Any, ...]) -> dict[str, Any]:
    *columns, merged_into, deleted_at, sealed, _ = row
    meta = Meta(*columns)
    card = opened(keyring().cipher(book.key_id), book.id, meta.uid, sealed)
    gone = {"deleted_at": rfc3339(deleted_at), "deleted_by": meta.updated_by}
    return {**as_object(meta, card), **gone, "merged_into": merged_into}


@write_transaction
def restore_contact(actor: Actor, book: Book, contact_id: int, versions: Versions) -> Stored:
    """Take a contact out of the trash, with its notes; one that is not there stays as it is. Raises
    NotFound, PreconditionFailed, and Forbidden at the owner's limit."""
    log = ChangeLog(actor, book)
    many = Many(log, actor, book, [contact_id])
    held = many.get(contact_id)
    if held is None:
        raise NotFound()
    require_version(log, held.stored, versions)
    if held.deleted_at is not None:
        many.restore(held)
        many.write()
    return held.stored


@write_transaction
def delete_permanently(actor: Actor, book: Book, contact_id: int, versions: Versions) -> None:
    """Delete a contact for good, live or from the trash. Raises NotFound, PreconditionFailed."""
    log = ChangeLog(actor, book)
    row = lane().one(_FIND, (book.id, contact_id))
    if row is None:
        raise NotFound()
    *columns, deleted_at, sealed = row
    meta = Meta(*columns)
    if versions is not None:
        card = opened(log.cipher, book.id, meta.uid, sealed)
        require_version(log, Stored(meta, card), versions)
    erase(log, book, contact_id, meta.version)
    if deleted_at is None:
        release_contacts(book.owner_id, 1)


def erase(log: ChangeLog, book: Book, contact_id: int, version: int) -> None:
    """Delete a contact's row, its notes' and photos in the running transaction, and what the change
    log keeps of them. That they were there, and when they went, stays told."""
    notes = lane().all(_NOTES, (contact_id,))
    lane().run(_EMPTY, (book.stream_id, contact_id))
    lane().run(_EMPTY_NOTES, (book.stream_id, contact_id))
    lane().run(_DROP_NOTES, (contact_id,))
    lane().run(_DROP, (contact_id,))
    forget_contact(book, contact_id)
    with log.together():
        # A row for each note too: by them, their texts leave the memory of every process.
        for note_id, note_version in notes:
            log.append("note", note_id, "purge", note_version + 1, None, None)
        log.append("contact", contact_id, "purge", version + 1, None, None)
