"""Everything that is done to contacts. Each write is one transaction and one change row."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from typing import Any

from ..actor import Actor, Book
from ..books.service import definitions
from ..changes.service import ChangeLog
from ..config import settings
from ..custom_fields.values import Defined
from ..database import Sql, lane, write_transaction
from ..errors import NotFound
from ..keyring import keyring
from ..users.service import release_contacts, take_contacts
from .across import (
    change_all,
    count_custom_fields,
    count_labels,
    with_custom_field,
    with_label,
)
from .card import Meta, canonical, comparable, display_name, hidden, merged, told
from .dismissals import export_dismissals
from .enriching import enriched
from .entries import PARTS, SCALARS, entries_of
from .many import Held, Many
from .numbers import numbered
from .photo_rows import begin as begin_photo
from .photo_rows import erase_photos, export_photos, follow, forget_book
from .reading import (
    contact_history,
    export_contacts,
    get_contact,
    list_birthdays,
    list_contacts,
    passing,
    read_card,
    require_contact,
)
from .setting_back import Past, missing_survivors, set_back
from .stored import Attempt, Stored, Versions, opened, require_version, sealed_card, text_of
from .whole import whole

Edit = Callable[[dict[str, Any]], dict[str, Any]]  # what a contact has, to a merge patch of it

_FIND = Sql(
    f"SELECT {', '.join(Meta._fields)}, sealed FROM contact "  # noqa: S608
    "WHERE book_id = ? AND id = ? AND deleted_at IS NULL"
)
_STORE = Sql(
    "UPDATE contact SET sealed = ?, version = ?, updated_at = ?, updated_by = ? "
    "WHERE book_id = ? AND id = ?"
)
_TRASH = Sql(
    "UPDATE contact SET deleted_at = ?, updated_at = ?, updated_by = ?, version = ? "
    "WHERE book_id = ? AND id = ?"
)


def create_contact(actor: Actor, book: Book, fields: dict[str, Any]) -> Stored:
    """Add a contact. Raises InvalidFields, or Forbidden at the owner's limit."""
    # Numbers are read and the card is sealed before the transaction: every other writer waits for
    # what is done in it.
    card, uid = whole(numbered_here(fields), None, _defined(book, fields)), str(uuid.uuid4())
    sealed = sealed_card(keyring().cipher(book.key_id), book.id, uid, card)
    return _insert(actor, book, uid, card, sealed)


@write_transaction
def _insert(actor: Actor, book: Book, uid: str, card: dict[str, Any], sealed: bytes) -> Stored:
    log = ChangeLog(actor, book)
    card, sealed = refitted(log, uid, card, sealed)
    take_contacts(book.owner_id, 1)
    by = actor.user_id
    row: dict[str, Any] = {
        "uid": uid,
        "book_id": book.id,
        "version": 1,
        "created_at": log.now,
        "updated_at": log.now,
        "created_by": by,
        "updated_by": by,
    }
    contact_id = lane().insert("contact", {**row, "sealed": sealed})
    log.append("contact", contact_id, "create", 1, None, told(card))
    return Stored(Meta(contact_id, **row), card)


def replace_contact(
    actor: Actor, book: Book, contact_id: int, fields: dict[str, Any], versions: Versions
) -> Stored:
    """Give a contact exactly these fields. Raises NotFound, PreconditionFailed, InvalidFields."""
    return _replace(actor, book, contact_id, numbered_here(fields), versions)


@write_transaction
def _replace(
    actor: Actor, book: Book, contact_id: int, fields: dict[str, Any], versions: Versions
) -> Stored:
    log = ChangeLog(actor, book)

    def put(card: dict[str, Any]) -> tuple[dict[str, Any], None]:
        return whole({**hidden(card), **fields}, card, _defined(log.book, fields)), None

    found = _find(log, book, contact_id, versions, put)
    return _store(log, actor, book, found, put(found.card)[0])


def patch_contact(
    actor: Actor, book: Book, contact_id: int, patch: dict[str, Any], versions: Versions
) -> Stored:
    """Apply a merge patch (RFC 7396). Raises as replace_contact does."""
    sent = numbered_here(patch)
    return _patch(actor, book, contact_id, lambda _: sent, versions)


def edit_contact(
    actor: Actor, book: Book, contact_id: int, edit: Edit, versions: Versions
) -> Stored:
    """Apply the merge patch that `edit` makes of what the contact has. Raises as replace_contact
    does, and what `edit` raises."""
    return _patch(actor, book, contact_id, lambda card: numbered_here(edit(card)), versions)


@write_transaction
def _patch(actor: Actor, book: Book, contact_id: int, edit: Edit, versions: Versions) -> Stored:
    log = ChangeLog(actor, book)

    def patched(card: dict[str, Any]) -> tuple[dict[str, Any], Collection[str]]:
        patch = edit(card)
        return whole(merged(card, patch), card, _defined(log.book, patch)), patch.keys()

    found = _find(log, book, contact_id, versions, patched)
    return _store(log, actor, book, found, patched(found.card)[0])


@write_transaction
def revert_contact(
    actor: Actor, book: Book, contact_id: int, version: int, versions: Versions
) -> Stored:
    """Give a contact the fields again that it had at a version. Raises as replace_contact does."""
    log = ChangeLog(actor, book)
    found = _find(log, book, contact_id, versions)
    if version == found.meta.version:  # also where the change that made it is no longer kept
        return found
    card = canonical(log.state_at("contact", contact_id, version))
    return _store(log, actor, book, found, whole(card, found.card, _defined(log.book, card)))


@write_transaction
def trash_contact(actor: Actor, book: Book, contact_id: int, versions: Versions) -> Stored:
    """Move a contact to the trash; it as it was. Raises NotFound or PreconditionFailed."""
    log = ChangeLog(actor, book)
    found = _find(log, book, contact_id, versions)
    version = found.meta.version + 1
    lane().run(_TRASH, (log.now, log.now, actor.user_id, version, book.id, contact_id))
    release_contacts(book.owner_id, 1)
    log.append("contact", contact_id, "delete", version, told(found.card), None)
    return found


def _store(log: ChangeLog, actor: Actor, book: Book, found: Stored, card: dict[str, Any]) -> Stored:
    """Write the new card. A write that changes nothing makes no version and no change row."""
    card = follow(book, found.meta.id, found.card, card)
    if text_of(card) == text_of(found.card):
        return found
    meta = found.meta._replace(
        version=found.meta.version + 1, updated_at=log.now, updated_by=actor.user_id
    )
    changed = (
        sealed_card(log.cipher, book.id, meta.uid, card),
        meta.version,
        meta.updated_at,
        meta.updated_by,
    )
    lane().run(_STORE, (*changed, book.id, meta.id))
    log.append("contact", meta.id, "update", meta.version, told(found.card), told(card))
    return Stored(meta, card)


def _find(
    log: ChangeLog,
    book: Book,
    contact_id: int,
    versions: Versions,
    edit: Attempt | None = None,
) -> Stored:
    """A live contact of this book under the stream's lock, at one of the expected versions; `edit`
    is what is to be done to it."""
    row = lane().one(_FIND, (book.id, contact_id))
    if row is None:
        raise NotFound()
    meta, sealed = Meta(*row[:-1]), row[-1]
    found = Stored(meta, opened(log.cipher, book.id, meta.uid, sealed))
    require_version(log, found, versions, edit)
    return found


def _defined(book: Book, fields: dict[str, Any]) -> Defined:
    """What the custom fields among these are held against. Where there are none, nobody reads what
    became of the book's definitions: that would be a statement more."""
    return definitions(book) if fields.get("custom_fields") else {}


def refitted(
    log: ChangeLog, uid: str, card: dict[str, Any], sealed: bytes
) -> tuple[dict[str, Any], bytes]:
    """A new card that was made and sealed before the book was locked, as it has to be now: somebody
    may have defined a custom field since. Raises InvalidFields."""
    defined = _defined(log.book, card)
    again = whole(card, None, defined) if defined else card
    if text_of(again) == text_of(card):
        return card, sealed
    return again, sealed_card(log.cipher, log.book.id, uid, again)


def numbered_here(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a contact with their numbers read as this server's setting says."""
    return numbered(fields, settings().phone_region)


__all__ = [
    "PARTS",
    "SCALARS",
    "Held",
    "Many",
    "Past",
    "Stored",
    "Versions",
    "begin_photo",
    "change_all",
    "comparable",
    "contact_history",
    "count_custom_fields",
    "count_labels",
    "create_contact",
    "display_name",
    "edit_contact",
    "enriched",
    "entries_of",
    "erase_photos",
    "export_contacts",
    "export_dismissals",
    "export_photos",
    "forget_book",
    "get_contact",
    "list_birthdays",
    "list_contacts",
    "missing_survivors",
    "numbered_here",
    "passing",
    "patch_contact",
    "read_card",
    "replace_contact",
    "require_contact",
    "revert_contact",
    "sealed_card",
    "set_back",
    "text_of",
    "trash_contact",
    "whole",
    "with_custom_field",
    "with_label",
]
