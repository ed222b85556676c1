"""Everything that is done to the definitions of custom fields. Each write is one transaction and
one change row."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from .. import paging
from ..actor import Actor, Book
from ..books.service import definition_views, definitions
from ..changes.service import ChangeLog
from ..clock import rfc3339
from ..contacts.service import Versions, count_custom_fields
from ..crypto import Cipher
from ..database import Sql, lane, write_transaction
from ..errors import Conflict, Forbidden, NotFound, PreconditionFailed
from ..keyring import keyring
from .definition import MAX_DEFINITIONS, Definition, Meta

_STORE = Sql(
    "UPDATE custom_field SET sealed = ?, version = ?, updated_at = ?, updated_by = ? "
    "WHERE book_id = ? AND id = ?"
)
_DELETE = Sql(
    "UPDATE custom_field SET deleted_at = ?, updated_at = ?, updated_by = ?, version = ? "
    "WHERE book_id = ? AND id = ?"
)
_EXPORTED = Sql(
    f"SELECT b.key_id, c.deleted_at, {', '.join(f'c.{n}' for n in Meta._fields)}, c.sealed "  # noqa: S608
    "FROM book b JOIN custom_field c ON c.book_id = b.id WHERE b.owner_id = ? ORDER BY b.id, c.id"
)


class Counted(NamedTuple):
    """A definition, and how many contacts have a value."""

    definition: Definition
    used: int

    def shown(self) -> dict[str, Any]:
        """The definition as the API shows it."""
        return self.definition.shown(self.used)


def list_definitions(actor: Actor, query: dict[str, Any]) -> tuple[bytes, paging.Page]:
    """One page of the book's definitions, and the state that it was read in. Raises BadRequest for
    a cursor that is not of this list."""
    pager = paging.Pager(actor, "custom fields", query)
    if not actor.book.items:
        return actor.book.head, pager.cut_by(_place_in_list, [])
    view = definition_views().current(actor.book)
    head, used = count_custom_fields(actor.book)
    items = [found.shown(used[found.key]) for found in view.rows.values()]
    # Somebody may have written between the two views.
    state = head if head == view.head else head + view.head
    return state, pager.cut_by(_place_in_list, sorted(items, key=_place_in_list))


def _place_in_list(item: dict[str, Any]) -> list[Any]:
    """By position, those without one last, as they were made."""
    return [item["position"] is None, item["position"] or 0, item["id"]]


def get_definition(actor: Actor, key: str) -> Counted:
    """A definition by its key, one that `checked_key` returned. Raises NotFound."""
    found = definitions(actor.book).get(key)
    if found is None:
        raise NotFound()
    return _counted(actor, found)


def _counted(actor: Actor, definition: Definition) -> Counted:
    return Counted(definition, count_custom_fields(actor.book)[1][definition.key])


def create_definition(actor: Actor, book: Book, fields: dict[str, Any]) -> Counted:
    """Define a custom field. Raises Conflict (`key_exists`), InvalidFields, or Forbidden at the
    limit (`custom_field_limit_reached`)."""
    return _counted(actor, _create(actor, book, fields))


@write_transaction
def _create(actor: Actor, book: Book, fields: dict[str, Any]) -> Definition:
    log = ChangeLog(actor, book)
    if fields["key"] in definitions(log.book):
        raise Conflict("key_exists", "There is a custom field with this key already.")
    if log.items >= MAX_DEFINITIONS:
        problem = f"{log.items} of {MAX_DEFINITIONS} definitions are used."
        also = {"limit": MAX_DEFINITIONS, "used": log.items}
        raise Forbidden("custom_field_limit_reached", problem, **also)
    row: dict[str, Any] = {
        "uid": str(uuid.uuid4()),
        "book_id": book.id,
        "version": 1,
        "created_at": log.now,
        "updated_at": log.now,
        "created_by": actor.user_id,
        "updated_by": actor.user_id,
    }
    definition = Definition.of(Meta(0, **row), fields)
    definition.check()
    field_id = lane().insert("custom_field", {**row, "sealed": _sealed(log.cipher, definition)})
    log.items += 1
    log.append("custom_field", field_id, "create", 1, None, definition.told())
    return definition._replace(meta=Meta(field_id, **row))


def patch_definition(
    actor: Actor, book: Book, key: str, patch: dict[str, Any], versions: Versions
) -> Counted:
    """Apply a merge patch (RFC 7396) to a definition. Raises NotFound, PreconditionFailed or
    InvalidFields."""
    return _counted(actor, _patch(actor, book, key, patch, versions))


@write_transaction
def _patch(
    actor: Actor, book: Book, key: str, patch: dict[str, Any], versions: Versions
) -> Definition:
    log = ChangeLog(actor, book)
    found = _find(log, key, versions)
    meta = found.meta._replace(
        version=found.meta.version + 1, updated_at=log.now, updated_by=actor.user_id
    )
    changed = Definition.of(meta, {**found.told(), **patch})
    changed.check()
    if changed._replace(meta=found.meta) == found:
        return found
    row = (_sealed(log.cipher, changed), meta.version, meta.updated_at, meta.updated_by)
    lane().run(_STORE, (*row, book.id, meta.id))
    log.append("custom_field", meta.id, "update", meta.version, found.told(), changed.told())
    return changed


@write_transaction
def delete_definition(actor: Actor, book: Book, key: str, versions: Versions) -> None:
    """Delete a definition; contacts keep what they have. Raises NotFound or PreconditionFailed."""
    log = ChangeLog(actor, book)
    found = _find(log, key, versions)
    version = found.meta.version + 1
    lane().run(_DELETE, (log.now, log.now, actor.user_id, version, book.id, found.id))
    log.items -= 1
    log.append("custom_field", found.id, "delete", version, found.told(), None)


def _find(log: ChangeLog, key: str, versions: Versions) -> Definition:
    """A definition of this book under the stream's lock, at one of the expected versions."""
    found = definitions(log.book).get(key)
    if found is None:
        raise NotFound()
    version = found.meta.version
    if versions is not None and version not in versions:
        detail = f"The definition is at version {version} now; read it and try again."
        raise PreconditionFailed(detail=detail, current_version=version)
    return found


def _sealed(cipher: Cipher, definition: Definition) -> bytes:
    return cipher.seal(orjson.dumps(definition.told()), *_place(definition.meta))


def _place(meta: Meta) -> tuple[object, ...]:
    return ("custom_field", "sealed", meta.book_id, meta.uid)


def export_definitions(owner_id: int) -> Iterator[dict[str, Any]]:
    """Every definition of a user's books, by id, also deleted ones."""
    for key_id, deleted_at, *columns, sealed in lane().all(_EXPORTED, (owner_id,)):
        meta = Meta(*columns)
        definition = Definition.opened(meta, keyring().cipher(key_id).open(sealed, *_place(meta)))
        shown = {name: value for name, value in definition.shown(0).items() if name != "used"}
        yield shown if deleted_at is None else {**shown, "deleted_at": rfc3339(deleted_at)}
