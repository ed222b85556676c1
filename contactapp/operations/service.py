"""What many changes made as one is called: begun and ended by who makes them, listed, forgotten.

An operation knows its changes by the log: `undo` takes them back without knowing what made them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Literal

from .. import clock
from ..actor import Actor, Book
from ..changes.service import ChangeLog
from ..database import Sql, lane, write_transaction
from ..errors import NotFound
from ..paging import Page, Pager

Kind = Literal["bulk", "merge", "label", "custom_field", "import", "undo"]

_BATCH = 500  # rows of a transaction
_NEWEST = 2**62  # an id after all
_ROOT = Sql(
    "UPDATE operation SET root = coalesce((SELECT o.root FROM operation o WHERE o.id = ?), id) "
    "WHERE id = ?"
)
_COUNTED = Sql("UPDATE operation SET count = count + ? WHERE id = ?")
_FORGET_EMPTY = Sql("DELETE FROM operation WHERE id = ? AND count = 0 AND undoes IS NULL")
_UNDONE = Sql("UPDATE operation SET undone_at = ?, undone_by = ? WHERE id = ?")
_FORGET_OLD = Sql(
    "DELETE FROM operation WHERE id IN (SELECT id FROM operation WHERE at < ? LIMIT ?)"
)
_FORGET_BOOK = Sql("DELETE FROM operation WHERE book_id = ?")
# What was changed (l) after an operation had changed it for the last time (k), of a stream and an
# operation. What a later one (p) did counts unless it was undone, and that not undone: all of the
# same root together are an even number, then, and left everything as they found it. Without CROSS
# and `+ 0`, SQLite walks through the whole stream and looks for the operation afterwards.
_LAST = (
    "FROM (SELECT entity, entity_id + 0 AS entity_id, max(seq) AS seq FROM change "
    "WHERE stream_id = {0} AND operation_id = {1} GROUP BY entity_id + 0, entity) k"
)
SINCE = (
    _LAST + " "  # noqa: S608 the program's own words
    "CROSS JOIN change l LEFT JOIN operation p ON p.id = l.operation_id "
    "WHERE l.stream_id = {0} AND l.entity = k.entity AND l.entity_id = k.entity_id "
    "AND +l.seq > k.seq AND l.op <> 'process' AND l.operation_id IS DISTINCT FROM {1} "
    "AND (p.id IS NULL OR p.id < {1} OR (SELECT count(*) FROM operation m "
    "WHERE m.root = p.root AND m.id > {1}) % 2 = 1)"
)
_ONCE = _LAST.replace("(SELECT", "(WITH t AS MATERIALIZED (SELECT").replace(
    ") k", ") SELECT * FROM t) k"
)


def about_since(text: str) -> Sql:
    """A statement with SINCE in it. PostgreSQL, which knows nothing yet of what was just written,
    would work k out anew for each change: 600 took it half a minute."""
    once = text
    for ids in (("?", "?"), ("s.id", "o.id")):
        once = once.replace(_LAST.format(*ids), _ONCE.format(*ids))
    return Sql(text, postgresql=once)


# Whether all its changes are kept, and nothing that it changed was changed by anybody since.
_INTACT = (
    "(SELECT count(*) FROM change k WHERE k.stream_id = s.id AND k.operation_id = o.id "  # noqa: S608
    "AND k.seq > s.floor) = o.count AND NOT EXISTS (SELECT 1 "
    f"{SINCE.format('s.id', 'o.id')})"
)
_COLUMNS = "o.id, o.kind, o.count, o.at, o.actor_id, o.undoes, o.undone_at, o.undone_by"
_SHOWN = (
    f"SELECT {_COLUMNS}, CASE WHEN o.undone_at IS NULL THEN {_INTACT} ELSE 1 = 0 END "  # noqa: S608
    "FROM operation o JOIN stream s ON s.id = ? WHERE o.book_id = ?"
)
_LISTED = about_since(f"{_SHOWN} AND o.id < ? ORDER BY o.id DESC LIMIT ? OFFSET ?")
_ONE = about_since(f"{_SHOWN} AND o.id = ?")
_EXPORTED_AT_ONCE = 500
_EXPORTED = Sql(
    "SELECT o.id, o.book_id, o.kind, o.count, o.at, o.actor_id, o.undoes, o.undone_at, o.undone_by "
    "FROM operation o JOIN book b ON b.id = o.book_id WHERE b.owner_id = ? AND o.id > ? "
    "ORDER BY o.id LIMIT ?"
)
_TOTAL = Sql("SELECT count(*) FROM operation WHERE book_id = ?")
_FIND = Sql("SELECT count, undone_at FROM operation WHERE book_id = ? AND id = ?")


def begin(log: ChangeLog, actor: Actor, book: Book, kind: Kind, undoes: int | None = None) -> int:
    """Begin an operation in the running transaction: what is appended to the log from now on
    belongs to it. `end` counts that."""
    row = {
        "uid": str(uuid.uuid4()),
        "book_id": book.id,
        "kind": kind,
        "actor_id": actor.user_id,
        "request_id": actor.request_id,
        "at": log.now,
        "count": 0,
        "undoes": undoes,
    }
    operation_id: int = lane().insert("operation", row)
    lane().run(_ROOT, (undoes, operation_id))
    resume(log, operation_id)
    return operation_id


def resume(log: ChangeLog, operation_id: int) -> None:
    """Go on with an operation in another transaction, which `end`s it too."""
    log.operation_id, log.touched = operation_id, 0


def end(log: ChangeLog) -> bool:
    """Count what the operation changed in this transaction; what comes after is no part of it. One
    that never changed anything, but for an undo, is forgotten: whether it is there."""
    operation_id, log.operation_id = log.operation_id, None
    lane().run(_COUNTED, (log.touched, operation_id))
    return lane().run(_FORGET_EMPTY, (operation_id,)) == 0


def find(book: Book, operation_id: int) -> tuple[int, int | None]:
    """How many changes an operation of this book made, and when it was undone. Raises NotFound."""
    row = lane().one(_FIND, (book.id, operation_id))
    if row is None:
        raise NotFound()
    return row


def mark_undone(log: ChangeLog, actor: Actor, operation_id: int) -> None:
    """Say in the running transaction who took an operation back."""
    lane().run(_UNDONE, (log.now, actor.user_id, operation_id))


def list_operations(actor: Actor, query: dict[str, Any]) -> Page:
    """One page of the book's operations, the newest first. Raises BadRequest for a cursor that is
    not of this list."""
    pager, book = Pager(actor, "operations", query), actor.book
    part = (pager.after(_NEWEST), pager.rows, pager.skip)
    rows = lane().all(_LISTED, (book.stream_id, book.id, *part))
    [total] = lane().one(_TOTAL, (book.id,))
    return pager.page([_shown(book, *row) for row in rows], total)


def get_operation(book: Book, operation_id: int) -> dict[str, Any]:
    """An operation of this book (schema Operation). Raises NotFound."""
    row = lane().one(_ONE, (book.stream_id, book.id, operation_id))
    if row is None:
        raise NotFound()
    return _shown(book, *row)


def _shown(book: Book, *row: Any) -> dict[str, Any]:
    *about, intact = row
    return {**_told(*about), "can_undo": bool(intact) and book.writable}


def _told(
    id_: int,
    kind: Kind,
    count: int,
    at: int,
    actor_id: int,
    undoes: int | None,
    undone_at: int | None,
    undone_by: int | None,
) -> dict[str, Any]:
    return {
        "id": id_,
        "kind": kind,
        "count": count,
        "at": clock.rfc3339(at),
        "actor_id": actor_id,
        "undoes": undoes,
        "undone_at": None if undone_at is None else clock.rfc3339(undone_at),
        "undone_by": undone_by,
    }


def export_operations(owner_id: int) -> Iterator[dict[str, Any]]:
    """Every operation in a user's books that is kept, by id."""
    last = 0
    while rows := lane().all(_EXPORTED, (owner_id, last, _EXPORTED_AT_ONCE)):
        for last, book_id, *about in rows:
            yield {"id": last, "book_id": book_id, **_told(last, *about)}


@write_transaction
def purge_operations(before: int) -> int:
    """Forget some of the operations from before a time (milliseconds); how many."""
    return lane().run(_FORGET_OLD, (before, _BATCH))


def forget_book(book_id: int) -> None:
    """Forget those of a book in the running transaction."""
    lane().run(_FORGET_BOOK, (book_id,))
