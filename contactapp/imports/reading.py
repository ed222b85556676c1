"""Imports, shown: lists, one with its rows, and the rows that were rejected as a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from ..actor import Actor, Book
from ..books.service import book_at
from ..database import Sql, lane
from ..errors import NotFound
from ..exchange.service import ENDINGS, Place, only
from ..keyring import Erased, keyring
from ..paging import Page, Pager
from . import stored
from .stored import Import

_NEWEST = 2**62  # an id after all
_OF_USER = Sql("SELECT id, book_id FROM import WHERE user_id = ? AND id > ? ORDER BY id LIMIT 1")
_COUNT = Sql("SELECT count(*) FROM import WHERE book_id = ? AND user_id = ?")


def list_imports(actor: Actor, query: dict[str, Any]) -> Page:
    """One page of the actor's imports into the book, the newest first. Raises BadRequest for a
    cursor that is not of this list."""
    pager, book = Pager(actor, "imports", query), actor.book
    mine = (book.id, actor.user_id)
    rows = lane().all(stored.LISTED, (*mine, pager.after(_NEWEST), pager.rows, pager.skip))
    cipher = keyring().cipher(book.key_id)
    [total] = lane().one(_COUNT, mine)
    return pager.page([stored.opened(cipher, row).shown() for row in rows], total)


def get_import(actor: Actor, import_id: int, query: dict[str, Any]) -> dict[str, Any]:
    """An import with some of its rows (schema ImportWithRows). Raises NotFound."""
    return with_rows(actor.book, stored.read_import(actor.book, actor.user_id, import_id), query)


def with_rows(book: Book, one: Import, query: dict[str, Any]) -> dict[str, Any]:
    """An import with those of its rows that are asked for."""
    actions = query.get("action") or (
        tuple(stored.COUNTS) if one.mode == "preview" else ("reject",)
    )
    total = sum(getattr(one, stored.COUNTS[action]) for action in actions)
    found: Iterator[dict[str, Any]] = iter(())
    if query["skip"] < total:
        found = (row for row in stored.rows_of(book, one) if row["action"] in actions)
    rows = list(islice(found, query["skip"], query["skip"] + query["limit"]))
    return {**one.shown(), "rows": rows, "rows_total": total}


def rejected_file(actor: Actor, import_id: int) -> tuple[Import, Iterator[bytes]]:
    """The file of an import with only the rows that were rejected. Raises NotFound, also where
    there are none."""
    one = stored.read_import(actor.book, actor.user_id, import_id)
    if not one.rejected or not stored.has_file(one):
        raise NotFound(detail="No row was rejected.")
    rows = stored.rows_of(actor.book, one)
    places = [
        Place(row["row"], row["line"], row["end"]) for row in rows if row["action"] == "reject"
    ]
    return one, only(one.format, lambda: stored.file_of(actor.book, one), places)


def export_imports(actor: Actor) -> Iterator[dict[str, Any]]:
    """Every import of a user that is kept, by id."""
    return ({**one.shown(), "book_id": one.book_id} for _, one in _all(actor))


def export_rows(actor: Actor) -> Iterator[dict[str, Any]]:
    """What became of their rows."""
    for book, one in _all(actor):
        yield from ({"import_id": one.id, **row} for row in stored.rows_of(book, one))


def export_files(actor: Actor) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Those of their files that are kept, by a name that says of which import."""
    for book, one in _all(actor):
        if stored.has_file(one):
            yield f"{one.id}.{ENDINGS[one.format]}", stored.file_of(book, one)


def _all(actor: Actor) -> Iterator[tuple[Book, Import]]:
    """One after another, in whatever book; but for one that is being erased."""
    last = 0
    while row := lane().one(_OF_USER, (actor.user_id, last)):
        last, book_id = row
        book = book_at(book_id)
        with suppress(Erased, NotFound):
            if book is not None:
                yield book, stored.read_import(book, actor.user_id, last)
