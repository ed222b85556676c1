"""Many operations on notes in one transaction."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..actor import Actor, Book
from ..changes.service import ChangeLog
from ..database import Undone, told_if_undone, write_transaction
from ..errors import AppError, FieldError, InvalidFields, TooLarge
from ..incoming import loaded
from ..operations import service as operations_service
from . import service, writing
from .schemas import NoteInput, NoteOperation, NotePatch

_OPERATION, _INPUT, _PATCH = NoteOperation(), NoteInput(), NotePatch()
MAX_SHOWN = 16 * 2**20  # characters of notes that one call may make or change; see contacts
_WHERE = {"not_found": "/id", "version_mismatch": "/version"}


class Item(NamedTuple):
    """One operation, checked: `error` is what is wrong with it, if anything."""

    op: str
    note_id: int
    versions: tuple[int, ...] | None
    fields: dict[str, Any]
    error: AppError | None


Done = service.Stored | AppError | None  # written, refused, deleted


def run_bulk(
    actor: Actor, book: Book, operations: list[dict[str, Any]], *, atomic: bool, dry_run: bool
) -> dict[str, Any]:
    """Do the operations in their order; what became of each (schema BulkAnswer). Raises
    InvalidFields where one of an `atomic` call cannot be done, naming all of those; then none is.
    """
    checked = [_checked(operation) for operation in operations]
    return _run(actor, book, checked, atomic=atomic, dry_run=dry_run)


@told_if_undone
@write_transaction
def _run(
    actor: Actor, book: Book, checked: list[Item], *, atomic: bool, dry_run: bool
) -> dict[str, Any]:
    log = ChangeLog(actor, book)
    operation_id: int | None = operations_service.begin(log, actor, book, "bulk")
    with log.together():
        done = _in_order(log, actor, book, checked)
    if not operations_service.end(log):
        operation_id = None
    failed = [(i, error) for i, error in enumerate(done) if isinstance(error, AppError)]
    if atomic and failed:
        raise InvalidFields(errors=[e for i, error in failed for e in _field_errors(i, error)])
    items = [
        _shown(i, item.op, result)
        for i, (item, result) in enumerate(zip(checked, done, strict=True))
    ]
    if dry_run:
        raise Undone({"items": items, "operation_id": None})
    return {"items": items, "operation_id": operation_id}


def _checked(operation: dict[str, Any]) -> Item:
    try:
        data = loaded(_OPERATION, operation)
        fields: dict[str, Any] = {}
        if "note" in data:
            fields = _within("/note", data["op"], data["note"])
    except AppError as error:
        return Item("", 0, None, {}, error)
    versions = (data["version"],) if "version" in data else None
    return Item(data["op"], data.get("id", 0), versions, fields, None)


def _within(pointer: str, op: str, note: dict[str, Any]) -> dict[str, Any]:
    """The note of an operation, checked. Raises InvalidFields that point into it."""
    try:
        fields = loaded(_INPUT if op == "create" else _PATCH, note)
    except InvalidFields as error:
        moved = [e._replace(pointer=pointer + e.pointer) for e in error.errors]
        raise InvalidFields(errors=moved) from None
    if op == "create" and "contact_id" not in fields:
        raise InvalidFields.one(f"{pointer}/contact_id", "required", "Whose note is it?")
    return fields


def _in_order(log: ChangeLog, actor: Actor, book: Book, checked: list[Item]) -> list[Done]:
    """What became of each, as long as all that they show fits into MAX_SHOWN."""
    done: list[Done] = []
    shown = 0
    for item in checked:
        result = _done(log, actor, book, item) if shown < MAX_SHOWN else _too_much()
        if isinstance(result, service.Stored):
            shown += len(result.body)
        done.append(result)
    return done


def _too_much() -> TooLarge:
    return TooLarge(detail=f"One call shows {MAX_SHOWN >> 20} MiB of notes; send these anew.")


def _done(log: ChangeLog, actor: Actor, book: Book, item: Item) -> Done:
    """What an operation made, or why it was not done; each one refuses before it writes."""
    if item.error is not None:
        return item.error
    try:
        if item.op == "create":
            return writing.create(log, actor, book, item.fields["contact_id"], item.fields["body"])
        found = writing.find(log, book, item.note_id, item.versions)
        if item.op == "update":
            return writing.change(log, actor, book, found, item.fields)
        writing.delete(log, actor, book, found)
        return None
    except AppError as error:
        if item.fields and error.errors:  # about a member of the note
            error.errors = [e._replace(pointer=f"/note{e.pointer}") for e in error.errors]
        return error


def _shown(index: int, op: str, result: Done) -> dict[str, Any]:
    if isinstance(result, AppError):
        about = {"code": result.code, "detail": result.detail}
        errors = [error._asdict() for error in result.errors]
        failure = {"status": result.status, **about, "errors": errors}
        return {"index": index, "status": result.status, "error": failure}
    if result is None:
        return {"index": index, "status": 204, "note": None}
    return {"index": index, "status": 201 if op == "create" else 200, "note": result.shown()}


def _field_errors(index: int, error: AppError) -> list[FieldError]:
    start = f"/operations/{index}"
    if error.errors:
        return [e._replace(pointer=start + e.pointer) for e in error.errors]
    where = _WHERE.get(error.code, "")
    return [FieldError(start + where, error.code, error.detail)]
