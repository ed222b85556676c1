"""The trail of an account: its events, and the changes of the books that it owns and of its data.

An admin sees the events of all accounts; of changes only those of books they own themselves: what
people write in their address books is not an admin's business.

Each source is in its own strict order, the newest first: events by id, a stream's changes by seq.
Clocks jump, so a time only decides which source has the next turn, and never the order within one;
a cursor holds how far each source was shown, so that nothing is skipped or comes twice.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import orjson

from ..actor import Actor
from ..database import Sql, lane
from ..paging import PAGE_BYTES, CursorSeal, Page
from .items import CHANGE_COLUMNS, EVENT_COLUMNS, BookChanges, shown_event
from .kinds import CHANGE_KINDS, EVENT_KINDS

_BATCH = 500
_NEWEST = 2**62  # a number after all
_BOOKS = Sql(
    "SELECT b.id, b.stream_id, b.key_id, s.floor FROM book b JOIN stream s ON s.id = b.stream_id "
    "WHERE b.owner_id = ? ORDER BY b.id"
)
_DATA = Sql(
    "SELECT NULL, u.stream_id, u.key_id, s.floor FROM users u "
    "JOIN stream s ON s.id = u.stream_id WHERE u.id = ?"
)
# A filter that is not asked for is an empty text, so that there are few statements to prepare.
_ASKED = "(? = '' OR ? LIKE '%,' || {} || ',%') AND (? = '' OR {}.request_id = ?)"
_OF_EVENTS = _ASKED.format("e.kind", "e")
_OF_CHANGES = "k.stream_id = ? AND k.seq > ? AND " + _ASKED.format("k.entity || ' ' || k.op", "k")


class _Statements(NamedTuple):
    """`keys` and `rows` take what the condition does, two numbers that they are below and not
    below, and how many; `total` takes what the condition does."""

    keys: Sql
    rows: Sql
    total: Sql


def _statements(table: str, number: str, shown: str, joined: str, where: str) -> _Statements:
    part = f"WHERE {where} AND {number} < ? AND {number} >= ? ORDER BY {number} DESC LIMIT ?"
    of = number.partition(".")[0]
    key = f"{of}.at, {number}, coalesce(length({of}.sealed), 0)"
    return _Statements(
        Sql(f"SELECT {key} FROM {table} {part}"),  # noqa: S608
        Sql(f"SELECT {shown} FROM {table} {joined} {part}"),  # noqa: S608
        Sql(f"SELECT count(*) FROM {table} WHERE {where}"),  # noqa: S608
    )


def _event_statements(where: str) -> _Statements:
    joined = "LEFT JOIN users u ON u.id = e.user_id"
    return _statements("audit_event e", "e.id", EVENT_COLUMNS, joined, where)


def _change_statements(where: str) -> _Statements:
    return _statements("change k", "k.seq", CHANGE_COLUMNS, "", where)


_ALL_EVENTS = _event_statements(_OF_EVENTS)
_OWN_EVENTS = _event_statements(f"e.user_id = ? AND {_OF_EVENTS}")
_CHANGES = _change_statements(_OF_CHANGES)
_CHANGES_OF_KIND = _change_statements(f"{_OF_CHANGES} AND k.entity = ?")
_CHANGES_OF_ONE = _change_statements(f"{_OF_CHANGES} AND k.entity = ? AND k.entity_id = ?")


_Key = tuple[int, int, int]  # a row's time, its number, and how many bytes of it are sealed


class _Source(NamedTuple):
    """One strict order: its name in a cursor, how it is read, and how a row is shown."""

    name: str
    sql: _Statements
    asked: tuple[Any, ...]
    shown: Callable[..., dict[str, Any]]

    def keys(self, before: int, at_once: int) -> list[_Key]:
        """Those of the rows below a number, the newest first."""
        return lane().all(self.sql.keys, (*self.asked, before, 0, at_once))

    def following(self, keys: list[_Key], at_once: int) -> Iterator[_Key]:
        """These and all that come after them."""
        while keys:
            yield from keys
            keys = self.keys(keys[-1][1], at_once) if len(keys) == at_once else []

    def items(self, numbers: list[int]) -> dict[int, dict[str, Any]]:
        """What is shown of rows that follow each other, by their numbers."""
        if not numbers:
            return {}
        # Not as many as the numbers: PostgreSQL may have committed one between them since.
        part = (numbers[0] + 1, numbers[-1], _NEWEST)
        rows = lane().all(self.sql.rows, (*self.asked, *part))
        return {item["id"]: item for item in (self.shown(*row) for row in rows)}


def list_trail(actor: Actor, query: dict[str, Any]) -> Page:
    """A page of the actor's trail (schema Event), the newest first; `query` is a parsed
    schemas.Asked. Raises BadRequest for a cursor that is not of this list."""
    sources = _sources(actor, query)
    total = sum(lane().one(source.sql.total, source.asked)[0] for source in sources)
    seal, listing = CursorSeal(actor.user_id, actor.book.id), _listing(actor, query)
    starts = {source.name: _NEWEST for source in sources}
    if "cursor" in query:
        # What is not in it was made since.
        starts = {**dict.fromkeys(starts, 0), **seal.open(query["cursor"], listing)[0]}
    if query["skip"] >= total:
        return Page([], None, total)
    shown, reached, more = _merged(sources, starts, query["skip"], query["limit"])
    items = {s.name: s.items([number for of, number in shown if of == s.name]) for s in sources}
    # A purge may have taken one since.
    found = [items[name][number] for name, number in shown if number in items[name]]
    return Page(found, seal.seal([reached], listing) if more else None, total)


def _merged(
    sources: list[_Source], starts: dict[str, int], skip: int, limit: int
) -> tuple[list[tuple[str, int]], dict[str, int], bool]:
    """(source, number) of the rows of a page, which ends early where they are long; how far each
    source is shown then; and whether there are more."""
    at_once = min(skip + limit + 1, _BATCH)
    reached, turns = {}, []
    for source in sources:
        first = source.keys(starts[source.name], at_once)
        # What is written while somebody turns pages belongs before the first, not among the later.
        reached[source.name] = first[0][1] + 1 if first else 0
        turns.append(_named(source.name, source.following(first, at_once)))
    # Its inputs need not be sorted: it yields the greatest of what each has next.
    rows = heapq.merge(*turns, key=lambda row: row[1], reverse=True)
    shown: list[tuple[str, int]] = []
    room = PAGE_BYTES
    for place, (name, _, number, size) in enumerate(islice(rows, skip + limit)):
        if place >= skip:
            if shown and room <= 0:
                return shown, reached, True
            shown.append((name, number))
            room -= size
        reached[name] = number
    return shown, reached, next(rows, None) is not None


def _named(name: str, keys: Iterator[_Key]) -> Iterator[tuple[str, int, int, int]]:
    return ((name, *key) for key in keys)


def _sources(actor: Actor, query: dict[str, Any]) -> list[_Source]:
    """What the query can find anything in."""
    kinds = set(query["kind"].split(",")) if "kind" in query else {*EVENT_KINDS, *CHANGE_KINDS}
    request_id, found = query.get("request_id", ""), []
    if kinds & EVENT_KINDS.keys() and "entity" not in query:
        named = _among(kinds & EVENT_KINDS.keys() if "kind" in query else ())
        asked: tuple[Any, ...] = (named, named, request_id, request_id)
        if actor.role == "admin":
            found.append(_Source("account", _ALL_EVENTS, asked, shown_event))
        else:
            own = (actor.user_id, *asked)
            found.append(_Source("account", _OWN_EVENTS, own, shown_event))
    deeds = [CHANGE_KINDS[kind] for kind in kinds & CHANGE_KINDS.keys()]
    streams = _streams(actor, {entity for entity, _ in deeds}, query)
    if streams:
        named = _among(map(" ".join, deeds) if "kind" in query else ())
        one = tuple(query[name] for name in ("entity", "entity_id") if name in query)
        sql = (_CHANGES, _CHANGES_OF_KIND, _CHANGES_OF_ONE)[len(one)]
        for of in streams:
            asked = (of[1], of[3], named, named, request_id, request_id, *one)
            name = "data" if of[0] is None else str(of[0])
            found.append(_Source(name, sql, asked, BookChanges(actor.user_id, *of).shown))
    return found


def _streams(actor: Actor, entities: set[str], query: dict[str, Any]) -> list[tuple[Any, ...]]:
    """BookChanges, without the owner, of what may have changes of these entities."""
    if "entity" in query:
        entities = entities & {query["entity"]}
    found: list[tuple[Any, ...]] = []
    if entities - {"data"}:
        found += lane().all(_BOOKS, (actor.user_id,))
    if "data" in entities:
        found += lane().all(_DATA, (actor.user_id,))
    return found


def _among(names: Any) -> str:
    """The text in which the statements look for a name; empty for all."""
    found = ",".join(sorted(names))
    return f",{found}," if found else ""


def _listing(actor: Actor, query: dict[str, Any]) -> str:
    asked = [query.get(name) for name in ("kind", "entity", "entity_id", "request_id")]
    digest = hashlib.blake2b(orjson.dumps(asked), digest_size=16).hexdigest()
    return f"audit of {actor.role} {digest}"


def own_events(user_id: int) -> Iterator[dict[str, Any]]:
    """All events of an account, the newest first; a few hundred at a time."""
    before = _NEWEST
    asked = (user_id, "", "", "", "")
    while rows := lane().all(_OWN_EVENTS.rows, (*asked, before, 0, _BATCH)):
        yield from (shown_event(*row) for row in rows)
        before = rows[-1][0]
