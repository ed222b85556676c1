"""The change feed: what happened to a book, in the order in which it was committed.

A reader keeps a cursor, (seq, head) of the last change it was told of, and asks for what came
after. seq order is commit order (see `service.ChangeLog`), so nothing can appear behind a cursor;
and a seq whose head is another than the cursor's belongs to another history, of a copy that was
put back.

With one's own book come the changes of one's key-value data. They are a stream of their own, so a
cursor holds a position in each; times only decide which of the two has the next turn.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from flask import Flask, current_app

from .. import serving
from ..actor import Actor, Book
from ..bounded import Bounded, Busy
from ..config import Settings
from ..database import Sql, lane
from ..errors import Gone, NotFound
from ..keyring import keyring
from ..paging import CursorSeal
from .part import AT, Part, Position, items, read

TYPES = (
    *("contact", "contact.created", "contact.updated", "contact.deleted", "contact.restored"),
    *("contact.purged", "note", "note.created", "note.updated", "note.deleted", "note.restored"),
    *("note.purged", "note.processed"),
    *("custom_field", "custom_field.created", "custom_field.updated", "custom_field.deleted"),
    "custom_field.restored",
    *("data", "data.created", "data.updated", "data.deleted"),
)
RETRY_AFTER = 5  # seconds, for whoever finds no place to wait
_PAUSE = 0.25  # seconds between two looks
_LISTING = "changes"

_DATA = Sql(
    "SELECT 0, u.id, u.key_id, u.stream_id, s.seq, s.head, 'owner' FROM users u "
    "JOIN stream s ON s.id = u.stream_id WHERE u.id = ?"
)


class Told(NamedTuple):
    """What a reader was told of: a book's stream, and that of their data; None for nothing yet."""

    book: Position | None = None
    data: Position | None = None


class Page(NamedTuple):
    """Some changes, what has been told with them, and whether there are more."""

    items: list[dict[str, Any]]
    told: Told
    has_more: bool


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its places for those who wait for changes: threads stay free, in every
    process, for all who do not. Where there is one thread, nobody can wait."""
    places = max(settings.threads - 2, min(settings.threads - 1, 1))
    app.extensions["contactapp.waiting"] = Bounded(places, 0.0, 0)


def waiting_places() -> Bounded:
    """The places of this process for those who wait for changes."""
    return current_app.extensions["contactapp.waiting"]


def changes_since(
    actor: Actor, query: dict[str, Any], again: Callable[[], Actor]
) -> tuple[dict[str, Any], bool]:
    """The feed after the query's cursor (a parsed `schemas.ChangesQuery`), and whether there was no
    place to wait. `again` lets the actor in anew, or raises.

    Raises BadRequest for what is no cursor of this feed, Gone for one that cannot be continued.
    """
    seal = CursorSeal(actor.user_id, actor.book.id)
    told = _told(seal.open(query["since"], _LISTING)) if "since" in query else Told()
    page, full = _page(actor, told, query), False
    if query["wait"] and not (page.items or page.has_more):
        try:
            with waiting_places().place():
                page = _waited(page, query, again)
        except Busy:
            full = True
    cursor = seal.seal(_values(page.told), _LISTING)
    return {"items": page.items, "next_cursor": cursor, "has_more": page.has_more}, full


def _told(values: list[Any]) -> Told:
    """What is in a cursor. One from before there were data has no position in them. Raises Gone for
    one from before a restore: its reader may have seen what came after the backup."""
    if "".join(values[4:]) != keyring().epoch():
        raise Gone()
    return Told(*(_position(*pair) for pair in (values[:2], values[2:4]) if pair))


def _position(seq: int | None, head: str | None) -> Position | None:
    return None if seq is None or head is None else Position(seq, bytes.fromhex(head))


def _values(told: Told) -> list[Any]:
    epoch = keyring().epoch()
    return [v for position in told for v in _pair(position)] + [epoch] * bool(epoch)


def _pair(position: Position | None) -> tuple[int | None, str | None]:
    return (None, None) if position is None else (position.seq, position.head.hex())


def _waited(page: Page, query: dict[str, Any], again: Callable[[], Actor]) -> Page:
    """What comes after an empty page, or it where nothing comes in time. Every look is the guard's
    own reading, which tells the book's state too: who may no longer read is told nothing, and no
    transaction or lock is held meanwhile."""
    until = time.monotonic() + query["wait"]
    while not (page.items or page.has_more or serving.is_ending()):
        left = until - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(_PAUSE, left))
        page = _page(again(), page.told, query)
    return page


def _page(actor: Actor, told: Told, query: dict[str, Any]) -> Page:
    """The next changes of these types; no types are all."""
    parts = {}
    for name, book in _streams(actor):
        since: Position | None = getattr(told, name)
        if since is None and book.seq == 0:  # nothing was ever stored: nothing to read
            told = told._replace(**{name: Position(book.seq, book.head)})
        elif since != (book.seq, book.head):
            parts[name] = read(book, since, query["types"], query["limit"])
    turns = _turns(parts, query["limit"])
    count = Counter(turns)
    parts = {name: part.cut(count[name]) for name, part in parts.items()}
    each = {name: iter(items(part)) for name, part in parts.items()}
    return Page(
        [next(each[name]) for name in turns],
        told._replace(**{name: part.end for name, part in parts.items()}),
        any(part.has_more for part in parts.values()),
    )


def _streams(actor: Actor) -> list[tuple[str, Book]]:
    """The book and, with one's own, one's data, each by its name in Told; data only for
    who came in with what may read them."""
    found = [("book", actor.book)]
    if actor.book.owner_id == actor.user_id and actor.may("data:read"):
        found.append(("data", actor.data or _own_data(actor)))
    return found


def _own_data(actor: Actor) -> Book:
    """The data of who named their own book by its number, beside which the guard reads none."""
    row = lane().one(_DATA, (actor.user_id,))
    if row is None:  # the account was erased since the actor was let in
        raise NotFound()
    return Book(*row)


def _turns(parts: dict[str, Part], limit: int) -> list[str]:
    """Which stream has each turn of a page. The inputs need not be sorted: the merge yields the
    least of what each has next, and so leaves each in its own order whatever clocks said."""
    times = ([(row[AT], name) for row in part.rows] for name, part in parts.items())
    merged = heapq.merge(*times, key=lambda turn: turn[0])
    return [name for _, name in islice(merged, limit)]
