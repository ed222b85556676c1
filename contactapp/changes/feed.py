"""The change feed: what happened to a book, in the order in which it was committed.

A reader keeps a cursor, (seq, head) of the last change it was told of, and asks for what came
after. seq order is commit order (see `service.ChangeLog`), so nothing can appear behind a cursor;
and a seq whose head is another than the cursor's belongs to another history, of a copy that was
put back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from flask import Flask, current_app

from .. import clock, serving
from ..actor import Actor, Book
from ..bounded import Bounded, Busy
from ..config import Settings
from ..database import Sql, lane
from ..errors import Gone, NotFound
from ..keyring import keyring
from ..paging import CursorSeal
from .models import GENESIS
from .service import ENTITIES, SHOWN

TYPES = (
    *("contact", "contact.created", "contact.updated", "contact.deleted"),
    *("note", "note.created", "note.updated", "note.deleted", "note.processed"),
)
RETRY_AFTER = 5  # seconds, for whoever finds no place to wait
_PAUSE = 0.25  # seconds between two looks
_LOOKED_THROUGH = 2000  # changes, for one answer, where most are of other types than were asked for
_LISTING = "changes"

# One statement sees one state of the database: the stream's, that of the cursor's own row, and the
# changes after it. Those up to the floor are gone or about to be, but for the head of the one at
# the floor, by which a cursor there is checked.
_AFTER = "max(?, (SELECT floor FROM stream WHERE id = ?))"
_COLUMNS = (
    "seq, head, entity, op, entity_id, version, changed_fields, at, actor_id, request_id, sealed"
)
_PART = (
    "SELECT s.seq, s.head, s.floor, c.head, e.seq, e.head, k.* FROM stream s "  # noqa: S608
    "LEFT JOIN change c ON c.stream_id = s.id AND c.seq = ? "
    f"LEFT JOIN change e ON e.stream_id = s.id AND e.seq = {_AFTER} + ? "
    f"LEFT JOIN (SELECT {_COLUMNS} FROM change WHERE stream_id = ? AND seq > {_AFTER} "
    f"AND seq <= {_AFTER} + ?{{}} ORDER BY seq LIMIT ?) k ON 1 = 1 WHERE s.id = ? ORDER BY k.seq"
)


class Position(NamedTuple):
    """A state of a book's stream: all changes up to `seq` have been told."""

    seq: int
    head: bytes


class Part(NamedTuple):
    """Some changes, where the next ones begin, and whether there are any."""

    items: list[dict[str, Any]]
    end: Position
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
    since = _position(seal, query["since"]) if "since" in query else None
    part, full = read(actor.book, since, query["types"], query["limit"]), False
    if query["wait"] and not (part.items or part.has_more):
        try:
            with waiting_places().place():
                part = _waited(part, query, again)
        except Busy:
            full = True
    cursor = seal.seal([part.end.seq, part.end.head.hex()], _LISTING)
    return {"items": part.items, "next_cursor": cursor, "has_more": part.has_more}, full


def _position(seal: CursorSeal, cursor: str) -> Position:
    seq, head = seal.open(cursor, _LISTING)
    return Position(seq, bytes.fromhex(head))


def _waited(part: Part, query: dict[str, Any], again: Callable[[], Actor]) -> Part:
    """What comes after an empty part, or it where nothing comes in time. Every look is the guard's
    own reading, which tells the book's state too: who may no longer read is told nothing, and no
    transaction or lock is held meanwhile."""
    until = time.monotonic() + query["wait"]
    while not (part.items or part.has_more or serving.is_ending()):
        left = until - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(_PAUSE, left))
        book = again().book
        if (book.seq, book.head) != part.end:
            part = read(book, part.end, query["types"], query["limit"])
    return part


def read(book: Book, since: Position | None, types: tuple[str, ...], limit: int) -> Part:
    """Up to `limit` changes of these types after a position, or from the oldest that is kept; no
    types are all. Raises Gone where the position is too old or not of this history, or NotFound.
    """
    id_, seq = book.stream_id, since.seq if since else 0
    after, span = (seq, id_), _LOOKED_THROUGH if types else limit  # numbers have no gaps
    parameters = (seq, *after, span, id_, *after, *after, span, limit + 1, id_)
    rows = lane().all(_statement(frozenset(types)), parameters)
    if not rows:  # the book was erased since the actor was let in
        raise NotFound()
    seq, head, floor, known, *looked_at = rows[0][:6]
    state = end = Position(seq, head)
    if since is not None:
        _check(since, state, floor, known)
    found = [row[6:] for row in rows[:limit] if row[6] is not None]
    if len(rows) > limit:
        end = Position(*found[-1][:2])
    elif looked_at[0] is not None:
        end = Position(*looked_at)
    return Part(_items(book, found), end, end != state)


def _check(since: Position, state: Position, floor: int, known: bytes | None) -> None:
    head = state.head if since.seq == state.seq else GENESIS if since.seq == 0 else known
    if not floor <= since.seq <= state.seq or since.head != head:
        raise Gone()


@lru_cache(maxsize=256)
def _statement(types: frozenset[str]) -> Sql:
    """The words of a type come from TYPES."""
    wanted = [
        f"(entity = '{entity}' AND op = '{op}')"
        for entity in ENTITIES
        for op, shown in SHOWN.items()
        if types & {entity, f"{entity}.{shown}"}
    ]
    text = _PART.format(f" AND ({' OR '.join(wanted)})" if wanted else "")
    return Sql(text, postgresql=text.replace("max(", "greatest("))


def _items(book: Book, rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    open_ = keyring().cipher(book.key_id).opener("change", "sealed", book.stream_id)
    items = []
    for seq, _, entity, op, entity_id, version, changed, at, actor_id, request_id, sealed in rows:
        texts = sealed and orjson.loads(open_(sealed, seq))
        items.append(
            {
                "seq": seq,
                "type": entity,
                "op": SHOWN[op],
                "id": entity_id,
                "version": version,
                "changed_fields": changed.split(),
                "at": clock.rfc3339(at),
                "actor_id": actor_id,
                "request_id": request_id,
                "data": texts and texts["after"],
            }
        )
    return items
