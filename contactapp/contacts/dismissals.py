"""Groups of contacts that may be one person, but for the pairs that somebody has told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from itertools import combinations
from typing import Any

import orjson

from .. import paging
from ..actor import Actor, Book
from ..books.service import looking_through, views
from ..changes.service import ChangeLog
from ..database import Sql, lane, write_transaction
from ..errors import FieldError, Forbidden, NotFound
from .duplicates import Ids, Pairs, groups
from .duplicates_page import DuplicatesPage, page_of_duplicates
from .reading import is_live

MAX_DISMISSED = 20_000  # pairs of a book, which each look at its duplicates reads
_TIMES = 20  # as long as a search, which looks at each contact once

_DISMISSED = Sql(
    "SELECT low_id, high_id FROM duplicate_dismissal WHERE book_id = ? ORDER BY low_id, high_id"
)
_COUNT = Sql("SELECT count(*) FROM duplicate_dismissal WHERE book_id = ?")
_DISMISS = Sql(
    "INSERT INTO duplicate_dismissal (low_id, high_id, book_id) VALUES (?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_EXPORTED = Sql(
    "SELECT d.low_id, d.high_id FROM duplicate_dismissal d JOIN book b ON b.id = d.book_id "
    "WHERE b.owner_id = ? ORDER BY d.low_id, d.high_id"
)


def dismissed_in(book: Book) -> tuple[bytes, Set[Ids]]:
    """The pairs of a book that were told apart, and a hash of them for the list's tag."""
    pairs = [tuple(row) for row in lane().all(_DISMISSED, (book.id,))]
    return hashlib.blake2b(orjson.dumps(pairs), digest_size=16).digest(), frozenset(pairs)


def list_duplicates(
    actor: Actor, query: dict[str, Any], dismissed: Set[Ids]
) -> tuple[bytes, DuplicatesPage]:
    """One page of the groups of contacts that look alike, and the head of the view; `query` is a
    parsed `queries.DuplicatesQuery`. Raises BadRequest for a cursor that is not of this list."""
    view = views().current(actor.book)
    seal = paging.CursorSeal(actor.user_id, actor.book.id)
    with looking_through(_TIMES * len(view)):
        pairs = view.derived("duplicates", lambda view: Pairs.of(view.rows))
        found = groups(pairs.scores(), query["min_score"], dismissed)
        return view.head, page_of_duplicates(view, found, query, seal)


@write_transaction
def dismiss(actor: Actor, book: Book, contact_ids: list[int]) -> None:
    """Say of every two of these contacts that they are not the same. Of the contacts nothing
    changes, so no log tells of it. Raises NotFound, naming each that is not there, and Forbidden
    where the book has too many of such pairs."""
    ChangeLog(actor, book)  # only who may write, and nobody purges one of them meanwhile
    absent = [
        FieldError(f"/contact_ids/{place}", "not_found", "There is no such contact.")
        for place, contact_id in enumerate(contact_ids)
        if not is_live(book, contact_id)
    ]
    if absent:
        raise NotFound(errors=absent)
    for low, high in combinations(sorted(contact_ids), 2):
        lane().run(_DISMISS, (low, high, book.id))
    [count] = lane().one(_COUNT, (book.id,))
    if count > MAX_DISMISSED:
        raise Forbidden("dismissal_limit_reached", limit=MAX_DISMISSED)


def export_dismissals(owner_id: int) -> list[dict[str, Any]]:
    """Every pair of a user's contacts that was told apart."""
    return [{"contact_ids": list(pair)} for pair in lane().all(_EXPORTED, (owner_id,))]
