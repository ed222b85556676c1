"""Some changes of a book and of the data beside it, after what a reader was told of."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from ..actor import Actor, Book
from ..database import Sql, lane
from ..errors import NotFound
from .cursor import Told
from .part import AT, SEALED, Part, Position, items, read

_DATA = Sql(
    "SELECT 0, u.id, u.key_id, u.stream_id, s.seq, s.head, 'owner' FROM users u "
    "JOIN stream s ON s.id = u.stream_id WHERE u.id = ?"
)


class Page(NamedTuple):
    """Some changes, what has been told with them, and whether there are more; which stream each is
    of, and what of each stream was read."""

    items: list[dict[str, Any]]
    told: Told
    has_more: bool
    turns: list[str]
    parts: dict[str, Part]

    def state(self) -> bytes:
        """What the changes are told from, besides the request: which is where each stream was read
        to, by the head that covers all before, and what of it was erased since."""
        erased = (
            b"%d" % (row[SEALED] is None) for part in self.parts.values() for row in part.rows
        )
        heads = (b"%d|%b|" % position for position in self.told if position is not None)
        return b"".join((*heads, b"%d|" % self.has_more, *erased))

    def steps(self, since: Told) -> Iterator[tuple[dict[str, Any], Told]]:
        """Each change with what has been told once it was, where `since` had been before; with the
        last one also what was left out after it."""
        rows = {name: iter(part.rows) for name, part in self.parts.items()}
        for item, name in zip(self.items[:-1], self.turns, strict=False):
            since = since._replace(**{name: Position(*next(rows[name])[:2])})
            yield item, since
        if self.items:
            yield self.items[-1], self.told


def read_page(actor: Actor, told: Told, types: tuple[str, ...], limit: int, room: int) -> Page:
    """The next changes of these types, of about `room` bytes of each stream; no types are all.
    Raises Gone, and NotFound where the book was erased."""
    parts = {}
    for name, book in streams_of(actor):
        since: Position | None = getattr(told, name)
        if since is None and book.seq == 0:  # nothing was ever stored: nothing to read
            told = told._replace(**{name: Position(book.seq, book.head)})
        elif since != (book.seq, book.head):
            parts[name] = read(book, since, types, limit, room)
    turns = _turns(parts, limit)
    count = Counter(turns)
    parts = {name: part.cut(count[name]) for name, part in parts.items()}
    each = {name: iter(items(part)) for name, part in parts.items()}
    return Page(
        [next(each[name]) for name in turns],
        told._replace(**{name: part.end for name, part in parts.items()}),
        any(part.has_more for part in parts.values()),
        turns,
        parts,
    )


def streams_of(actor: Actor) -> list[tuple[str, Book]]:
    """The book and, with one's own, one's data, each by its name in Told; data only for
    who came in with what may read them."""
    data = with_data(actor).data
    return [("book", actor.book), *([("data", data)] if data is not None else [])]


def with_data(actor: Actor) -> Actor:
    """The actor with their data where the feed of the book tells of them, and only there."""
    if actor.book.owner_id != actor.user_id or not actor.may("data:read"):
        return actor if actor.data is None else actor._replace(data=None)
    return actor if actor.data is not None else actor._replace(data=_own_data(actor))


def _own_data(actor: Actor) -> Book:
    """The data of who named their own book by its number, beside which the guard reads none."""
    row = lane().one(_DATA, (actor.user_id,))
    if row is None:  # the account was erased since the actor was let in
        raise NotFound()
    return Book(*row)


def _turns(parts: dict[str, Part], limit: int) -> list[str]:
    """Which stream has each turn of a page. The inputs need not be sorted: the merge yields the
    least of what each has next, and so leaves each in its own order whatever clocks said."""
    if len(parts) == 1:  # as nearly all are
        return [name for name, part in parts.items() for _ in part.rows[:limit]]
    times = ([(row[AT], name) for row in part.rows] for name, part in parts.items())
    merged = heapq.merge(*times, key=lambda turn: turn[0])
    return [name for _, name in islice(merged, limit)]
