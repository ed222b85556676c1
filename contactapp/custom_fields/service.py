"""Everything that is done to the definitions of custom fields, and to what contacts have of them.
Each write is one transaction; one that may change contacts is an operation, which can be undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .. import paging
from ..actor import Actor, Book
from ..books.service import definition_views, definitions
from ..changes.service import ChangeLog
from ..clock import rfc3339
from ..contacts.service import change_all, count_custom_fields, with_custom_field
from ..database import Sql, lane, write_transaction
from ..errors import Conflict, NotFound
from ..keyring import keyring
from ..operations import service as operations_service
from . import stored
from .conversion import converting, without
from .definition import Definition, Meta
from .setting_back import in_the_way, set_back
from .stored import Versions

_EXPORTED = Sql(
    f"SELECT b.key_id, c.deleted_at, {', '.join(f'c.{n}' for n in Meta._fields)}, c.sealed "  # noqa: S608
    "FROM book b JOIN custom_field c ON c.book_id = b.id WHERE b.owner_id = ? ORDER BY b.id, c.id"
)
_FORGET = Sql("DELETE FROM custom_field WHERE deleted_at < ?")


class Counted(NamedTuple):
    """A definition, and how many contacts have a value. Of one that was just changed also by which
    operation, if contacts may have been changed too, and how many were."""

    definition: Definition
    used: int
    operation_id: int | None = None
    contacts: int = 0

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
    return _counted(actor.book, found)


def _counted(book: Book, definition: Definition) -> Counted:
    return Counted(definition, count_custom_fields(book)[1][definition.key])


def create_definition(actor: Actor, book: Book, fields: dict[str, Any]) -> Counted:
    """Define a custom field. Raises Conflict (`key_exists`), InvalidFields, or Forbidden at the
    limit (`custom_field_limit_reached`)."""
    return _counted(book, _create(actor, book, fields))


@write_transaction
def _create(actor: Actor, book: Book, fields: dict[str, Any]) -> Definition:
    log = ChangeLog(actor, book)
    _refuse_taken(definitions(log.book), fields["key"])
    return stored.insert(log, actor, fields)


def _refuse_taken(defined: Mapping[str, Definition], key: str) -> None:
    if key in defined:
        raise Conflict("key_exists", "There is a custom field with this key already.")


def patch_definition(
    actor: Actor, book: Book, key: str, patch: dict[str, Any], versions: Versions
) -> Counted:
    """Apply a merge patch (RFC 7396) to a definition. Another key or type is given to what contacts
    have of it too, in one operation. Raises NotFound, PreconditionFailed, InvalidFields, and
    Conflict where values are in the way (`key_exists`, `key_in_use`, `not_convertible`)."""
    _try(book, key, patch, versions)
    definition, now, operation_id, contacts = _patch(actor, book, key, patch, versions)
    return Counted(definition, count_custom_fields(now)[1][definition.key], operation_id, contacts)


def _try(book: Book, key: str, patch: dict[str, Any], versions: Versions) -> None:
    """Refuse what cannot be done before everybody waits for it: the book's contacts are in memory,
    and looking through ten thousand takes as long as a hundred writes."""
    defined = definitions(book)
    if key not in defined or not book.writable:
        return
    if versions is not None and defined[key].meta.version not in versions:
        return
    conversion = converting(defined[key], _changed(defined, key, patch))
    if conversion is not None:
        conversion.try_all(book)


def _changed(defined: Mapping[str, Definition], key: str, patch: dict[str, Any]) -> Definition:
    """What a patch makes of a definition. Raises InvalidFields, or Conflict (`key_exists`)."""
    found = defined[key]
    changed = Definition.of(found.meta, {**found.told(), **patch})
    changed.check()
    if changed.key != key:
        _refuse_taken(defined, changed.key)
    return changed


@write_transaction
def _patch(
    actor: Actor, book: Book, key: str, patch: dict[str, Any], versions: Versions
) -> tuple[Definition, Book, int | None, int]:
    log = ChangeLog(actor, book)
    found = stored.find(log, key, versions)
    changed = _changed(definitions(log.book), key, patch)
    if changed == found:
        return found, log.book, None, 0
    conversion = converting(found, changed)
    if conversion is None:
        return stored.update(log, actor, found, changed), log.book, None, 0
    ids = conversion.concerned(log.book)
    operation_id = operations_service.begin(log, actor, book, "custom_field")
    contacts = change_all(log, actor, book, ids, conversion.of_contact)
    conversion.refuse()
    changed = stored.update(log, actor, found, changed)
    operations_service.end(log)
    return changed, log.book, operation_id, contacts


def delete_definition(
    actor: Actor, book: Book, key: str, versions: Versions, *, values: bool
) -> tuple[int, int]:
    """Delete a definition and, with `values`, what contacts have of it: the operation that did it,
    and how many contacts it changed. Raises NotFound or PreconditionFailed."""
    if values:
        with_custom_field(book, key)  # reads the book before the write holds it
    return _delete(actor, book, key, versions, values=values)


@write_transaction
def _delete(
    actor: Actor, book: Book, key: str, versions: Versions, *, values: bool
) -> tuple[int, int]:
    log = ChangeLog(actor, book)
    found = stored.find(log, key, versions)
    ids = with_custom_field(log.book, key) if values else []
    operation_id = operations_service.begin(log, actor, book, "custom_field")
    contacts = change_all(log, actor, book, ids, without(key))
    stored.delete(log, actor, found)
    operations_service.end(log)
    return operation_id, contacts


@write_transaction
def purge_definitions(before: int) -> None:
    """Forget the definitions that were deleted before a time (milliseconds)."""
    lane().run(_FORGET, (before,))


def export_definitions(owner_id: int) -> Iterator[dict[str, Any]]:
    """Every definition of a user's books, by id, also deleted ones."""
    for key_id, deleted_at, *columns, sealed in lane().all(_EXPORTED, (owner_id,)):
        definition = stored.opened(keyring().cipher(key_id), Meta(*columns), sealed)
        shown = {name: value for name, value in definition.shown(0).items() if name != "used"}
        yield shown if deleted_at is None else {**shown, "deleted_at": rfc3339(deleted_at)}


__all__ = [
    "Counted",
    "create_definition",
    "delete_definition",
    "export_definitions",
    "get_definition",
    "in_the_way",
    "list_definitions",
    "patch_definition",
    "purge_definitions",
    "set_back",
]
