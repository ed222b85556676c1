"""Taking an operation back, whatever made it: the change log tells what everything was before.

The net of an operation's changes is undone, one change for each thing that it touched, and only
while all of them are as it left them: nobody changed one since, or what did was undone. So several
are undone one after another, the newest first. An undo is an operation like another, and undoing it
does the first one again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import clock
from ..actor import Actor, Book
from ..changes.service import ChangeLog, Entity, Op, opened
from ..contacts.service import Past, missing_survivors
from ..contacts.service import set_back as set_contacts_back
from ..custom_fields.service import in_the_way
from ..custom_fields.service import set_back as set_definitions_back
from ..database import Sql, lane, write_transaction
from ..errors import MAX_ERRORS, Conflict
from ..notes.service import missing_contacts
from ..notes.service import set_back as set_notes_back
from .service import SINCE, about_since, begin, end, find, get_operation, mark_undone

_CHANGES = Sql(
    "SELECT k.seq, k.entity, k.entity_id, k.op, k.sealed FROM change k "
    "JOIN stream s ON s.id = k.stream_id AND k.seq > s.floor "
    "WHERE k.stream_id = ? AND k.operation_id = ? ORDER BY k.seq"
)
# Of each thing the last: there may be a million, of a few contacts.
_SINCE = about_since(
    "SELECT entity, entity_id, version, actor_id, at FROM change WHERE stream_id = ? AND seq IN "  # noqa: S608
    f"(SELECT max(l.seq) {SINCE.format('?', '?')} GROUP BY l.entity, l.entity_id) ORDER BY seq"
)
# `+seq`: see changes.log.
_NEWEST = Sql(
    "SELECT entity, entity_id, version, actor_id, at FROM change "
    "WHERE stream_id = ? AND entity = ? AND entity_id = ? ORDER BY +seq DESC LIMIT 1"
)
# What was merged since an operation, and into which contact: from the trash on, which is smaller
# than all that was changed since.
_MERGED = Sql(
    "SELECT c.merged_into, l.entity, l.entity_id, l.version, l.actor_id, l.at FROM contact c "
    "CROSS JOIN change l WHERE c.book_id = ? AND c.deleted_at IS NOT NULL "
    "AND c.merged_into IS NOT NULL AND l.stream_id = ? AND l.entity = 'contact' "
    "AND l.entity_id = c.id AND l.version = c.version AND +l.seq > "
    "(SELECT max(k.seq) FROM change k WHERE k.stream_id = ? AND k.operation_id = ?)"
)


class Edited(NamedTuple):
    """Something that was changed after the operation."""

    entity: Entity
    id: int
    version: int
    changed_by: int | None
    changed_at: int

    def shown(self) -> dict[str, Any]:
        """It as a problem tells it."""
        return {**self._asdict(), "changed_at": clock.rfc3339(self.changed_at)}


def undo(actor: Actor, book: Book, operation_id: int) -> dict[str, Any]:
    """Take an operation back whole; the operation that did it. Raises NotFound, Conflict
    (`edited_since`, `cannot_undo`) and Forbidden at the owner's limit."""
    return get_operation(book, _undo(actor, book, operation_id))


@write_transaction
def _undo(actor: Actor, book: Book, operation_id: int) -> int:
    log = ChangeLog(actor, book)
    count, undone_at = find(book, operation_id)
    if undone_at is not None:
        raise Conflict("cannot_undo", "It was undone already; that can be undone.")
    _refuse_edited(edited_since(book, operation_id))
    past = _past(log, book, operation_id, count)
    contacts, notes = past["contact"], {id_: was.card for id_, was in past["note"].items()}
    needed = missing_contacts(book, notes.values()) + missing_survivors(book, contacts)
    _refuse_missing(book, needed)
    _refuse_merged(book, operation_id, contacts)
    definitions = {id_: was.card for id_, was in past["custom_field"].items()}
    taken = [(found.id, found.meta) for found in in_the_way(log, definitions)]
    _refuse_edited(
        [("custom_field", id_, m.version, m.updated_by, m.updated_at) for id_, m in taken]
    )
    made = begin(log, actor, book, "undo", operation_id)
    with log.together():
        set_definitions_back(log, actor, book, definitions)
        set_contacts_back(log, actor, book, contacts)
        set_notes_back(log, actor, book, notes)
    end(log)
    mark_undone(log, actor, operation_id)
    return made


def edited_since(book: Book, operation_id: int) -> list[Any]:
    """The last change of each thing that was changed after an operation, as `Edited` has it."""
    place = (book.stream_id, operation_id)
    return lane().all(_SINCE, (book.stream_id, *place, *place, operation_id, operation_id))


def _refuse_edited(rows: list[Any]) -> None:
    newest = {row[:2]: Edited(*row) for row in rows}
    if newest:
        edited = [one.shown() for one in list(newest.values())[:MAX_ERRORS]]
        raise Conflict("edited_since", edited=edited, edited_count=len(newest))


def _refuse_missing(book: Book, contact_ids: list[int]) -> None:
    newest = [lane().one(_NEWEST, (book.stream_id, "contact", id_)) for id_ in contact_ids]
    _refuse_edited([row for row in newest if row is not None])
    if contact_ids:
        raise Conflict("cannot_undo", "A contact that is needed for it is not there any more.")


def _refuse_merged(book: Book, operation_id: int, past: Mapping[int, Past]) -> None:
    """Whoever merged a contact into one that would go has it nowhere else."""
    going = {id_ for id_, was in past.items() if was.card is None and was.merged_into is None}
    if going:
        given = (book.id, book.stream_id, book.stream_id, operation_id)
        _refuse_edited([row[1:] for row in lane().all(_MERGED, given) if row[0] in going])


def _past(log: ChangeLog, book: Book, operation_id: int, count: int) -> dict[str, dict[int, Past]]:
    """What everything was before the operation, by entity and id, the last touched first."""
    rows = lane().all(_CHANGES, (book.stream_id, operation_id))
    if len(rows) != count or any(row[-1] is None for row in rows):
        raise Conflict("cannot_undo", "What it changed is no longer kept.")
    past: dict[str, dict[int, Past]] = {"contact": {}, "note": {}, "custom_field": {}}
    for seq, entity, entity_id, op, sealed in reversed(rows):
        texts = opened(log.cipher, book.stream_id, seq, sealed) or {}
        past[entity].pop(entity_id, None)
        past[entity][entity_id] = _before(op, texts)
    return past


def _before(op: Op, texts: Mapping[str, Any]) -> Past:
    merged_into = texts.get("merged_into") if op == "restore" else None
    return Past(texts["before"], merged_into)
