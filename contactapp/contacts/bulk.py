"""Many operations on contacts in one transaction."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from marshmallow import Schema

from ..actor import Actor, Book
from ..books.service import definitions
from ..changes.service import ChangeLog
from ..crypto import Cipher
from ..custom_fields.values import Defined
from ..database import Undone, told_if_undone, write_transaction
from ..errors import AppError, FieldError, Forbidden, InvalidFields, TooLarge
from ..incoming import loaded
from ..keyring import keyring
from ..operations import service as operations_service
from .bulk_schemas import ContactOperation
from .card import merged
from .many import Held, Many
from .schemas import ContactInput, ContactPatch
from .service import numbered_here, refitted
from .stored import Stored, Versions, sealed_card, text_of
from .whole import whole

_OPERATION, _INPUT, _PATCH = ContactOperation(), ContactInput(), ContactPatch()
_WHERE = {"not_found": "/id", "version_mismatch": "/version"}
_LIMIT = "contact_limit_reached"
_NOT_DONE = 424  # Failed Dependency: it could have been done
# Bytes of the contacts that are updated and deleted: each time, the log keeps one whole, before and
# after, and the answer has it too. So a thousand small updates of large ones would take gigabytes.
MAX_TOUCHED = 16 * 2**20
_ERRORS = 10  # of one operation: a thousand with all of theirs would be megabytes


class Item(NamedTuple):
    """One operation, checked. `card` is a whole contact, sealed already, or a merge patch; `error`
    is what is wrong, if anything."""

    op: str
    contact_id: int = 0
    versions: Versions = None
    card: dict[str, Any] = {}
    uid: str = ""
    sealed: bytes = b""
    error: AppError | None = None


Done = Held | Stored | AppError | None  # created, updated, refused, deleted


def run_bulk(
    actor: Actor, book: Book, operations: list[dict[str, Any]], *, atomic: bool, dry_run: bool
) -> dict[str, Any]:
    """Do the operations in their order; what became of each (schema ContactBulkAnswer). Where one
    of an `atomic` call cannot be done none is, and Forbidden is raised if only the limit is in the
    way, else InvalidFields (`bulk_failed`); both tell of each in `items`."""
    # Checked and sealed before the transaction: every other writer waits for what is done in it.
    cipher = keyring().cipher(book.key_id)
    defined = definitions(book)
    checked = [_checked(cipher, book, defined, operation) for operation in operations]
    return _run(actor, book, checked, atomic=atomic, dry_run=dry_run)


@told_if_undone
@write_transaction
def _run(
    actor: Actor, book: Book, checked: list[Item], *, atomic: bool, dry_run: bool
) -> dict[str, Any]:
    log = ChangeLog(actor, book)
    many = Many(log, actor, book, [item.contact_id for item in checked if item.contact_id])
    used, defined = many.used, definitions(log.book)
    done: list[Done] = []
    touched = 0
    for item in checked:
        size = _size(many, item)
        touched += size
        if size and touched > MAX_TOUCHED:
            done.append(TooLarge(detail="Together they change too much; send fewer at once."))
        else:
            done.append(_done(log, many, item, defined))
    if atomic and any(isinstance(result, AppError) for result in done):
        raise _failure(done, used)
    operation_id = None
    if many.changed:
        operation_id = operations_service.begin(log, actor, book, "bulk")
        many.write()
        operations_service.end(log)
    items = [_shown(index, result) for index, result in enumerate(done)]
    if dry_run:
        raise Undone({"items": items, "operation_id": None})
    return {"items": items, "operation_id": operation_id}


def _checked(cipher: Cipher, book: Book, defined: Defined, operation: dict[str, Any]) -> Item:
    try:
        data = loaded(_OPERATION, operation)
        op, versions = data["op"], (data["version"],) if "version" in data else None
        if op == "create":
            uid, card = str(uuid.uuid4()), _whole_within(data["contact"], defined)
            return Item(op, 0, None, card, uid, sealed_card(cipher, book.id, uid, card))
        patch = _within(_PATCH, data["contact"]) if op == "update" else {}
        return Item(op, data["id"], versions, patch)
    except AppError as error:
        return Item("", error=error)


def _whole_within(contact: dict[str, Any], defined: Defined) -> dict[str, Any]:
    """The card of an operation's new contact. Raises InvalidFields that point into it."""
    fields = _within(_INPUT, contact)
    try:
        return whole(fields, None, defined)
    except InvalidFields as error:
        raise _inside(error) from None


def _within(schema: Schema, contact: dict[str, Any]) -> dict[str, Any]:
    """The fields of an operation's contact. Raises InvalidFields that point into it."""
    try:
        return numbered_here(loaded(schema, contact))
    except InvalidFields as error:
        raise _inside(error) from None


def _inside(error: InvalidFields) -> InvalidFields:
    return InvalidFields(errors=[e._replace(pointer=f"/contact{e.pointer}") for e in error.errors])


def _size(many: Many, item: Item) -> int:
    held = many.get(item.contact_id)
    return 0 if held is None else len(text_of(held.card))


def _done(log: ChangeLog, many: Many, item: Item, defined: Defined) -> Done:
    """What an operation made, or why it was not done; each one refuses before it changes."""
    if item.error is not None:
        return item.error
    try:
        if item.op == "create":
            return many.create(item.uid, *refitted(log, item.uid, item.card, item.sealed))
        held = many.live(item.contact_id, item.versions)
        if item.op == "delete":
            many.trash(held)
            return None
        many.change(held, whole(merged(held.card, item.card), held.card, defined))
        return held.stored
    except InvalidFields as error:
        return _inside(error)
    except AppError as error:
        return error


def _failure(done: list[Done], used: int) -> AppError:
    """What an atomic call is answered, of which some operations cannot be done."""
    failed = {i: result for i, result in enumerate(done) if isinstance(result, AppError)}
    items = [
        _shown(i, failed[i]) if i in failed else {"index": i, "status": _NOT_DONE}
        for i in range(len(done))
    ]
    if all(error.code == _LIMIT for error in failed.values()):
        limit = next(iter(failed.values())).extra["limit"]
        detail = f"{used} of {limit} contacts are used."
        return Forbidden(_LIMIT, detail, limit=limit, used=used, items=items)
    errors = [e for i, error in failed.items() for e in _field_errors(i, error)]
    return InvalidFields("bulk_failed", errors=errors, items=items)


def _shown(index: int, result: Done) -> dict[str, Any]:
    if isinstance(result, AppError):
        errors = [error._asdict() for error in _field_errors(index, result)]
        about = {"status": result.status, "code": result.code, "detail": result.detail}
        failure = {**about, "errors": errors, **result.extra}
        return {"index": index, "status": result.status, "error": failure}
    if result is None:
        return {"index": index, "status": 204, "contact": None}
    if isinstance(result, Held):  # which has its id by now
        return {"index": index, "status": 201, "contact": result.stored.shown()}
    return {"index": index, "status": 200, "contact": result.shown()}


def _field_errors(index: int, error: AppError) -> list[FieldError]:
    start = f"/operations/{index}"
    if error.errors:
        return [e._replace(pointer=start + e.pointer) for e in error.errors[:_ERRORS]]
    return [FieldError(start + _WHERE.get(error.code, ""), error.code, error.detail)]
