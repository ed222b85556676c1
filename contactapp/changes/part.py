"""A part of one stream of changes, as the feed reads it: in one statement, and checked against what
its reader saw last."""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from .. import clock
from ..actor import Book
from ..database import Sql, lane
from ..errors import Gone, NotFound
from ..keyring import keyring
from .chain import GENESIS
from .service import ENTITIES, SHOWN
from .shown import shown_after

_NUMBER = itemgetter(0)
_LOOKED_THROUGH = 2000  # changes, for one answer, where most are of other types than were asked for

# Not `seq = ?`: that, without statistics yet, costs PostgreSQL as much by the index of entities,
# which is read through a whole stream then. In that one's order the numbers are not.
_AT = "stream_id = ? AND seq BETWEEN ? AND ?"
_FIRST = "ORDER BY seq LIMIT 1"
_HEAD = f"(SELECT head FROM change WHERE {_AT} {_FIRST})"  # noqa: S608
# One statement sees one state of the database: the stream's, the heads of the cursor's own row and
# of the last one that is looked at, and the changes between them. Those up to the floor are gone or
# about to be, but for the head of the one at the floor, by which a cursor there is checked.
# A row of the state, whose number is less than any, and then the changes: joined, the state would
# come again with each of them.
_STATE = (
    "SELECT -1, s.head, NULL, NULL, NULL, s.seq, s.floor, NULL, NULL, NULL, NULL, "  # noqa: S608
    f"{_HEAD}, {_HEAD} FROM stream s WHERE s.id = ? UNION ALL"
)
_PART = (
    "SELECT d.seq, d.head, {}, d.entity, d.op, d.entity_id, d.version, d.changed_fields, d.at, "
    "d.actor_id, d.request_id, {}, CAST(NULL AS bytea) FROM {}"
)
AT, SEALED = 8, 11  # where a row has its time, and what is sealed
_SIZE, _SEQ, _FLOOR, _KNOWN, _LOOKED_AT = 2, 5, 6, 11, 12  # the latter four of the state
_FOUND = "d.stream_id = ? AND d.seq > ? AND d.seq <= ?"
# Nearly always: all that was found, unless one is so long that all might be more than an answer has
# room for. Adding up their lengths takes a tenth of a page's time, and rows of a subquery would be
# copied, which takes half of it.
_SHORT = _PART.format(
    "length(d.sealed)",
    "CASE WHEN length(d.sealed) <= ? THEN d.sealed END",
    f"change d WHERE {_FOUND}{{}}",
)
# `found`: how many there would be if the answer had room for them.
_LONG = _PART.format(
    "k.found",
    "d.sealed",
    "(SELECT p.seq, count(*) OVER () AS found, sum(p.size) OVER (ORDER BY p.seq) - p.size AS above "  # noqa: S608
    f"FROM (SELECT d.seq, coalesce(length(d.sealed), 0) AS size FROM change d WHERE {_FOUND}{{}} "
    "ORDER BY d.seq LIMIT ?) p) k JOIN change d ON d.stream_id = ? AND d.seq = k.seq "
    "WHERE k.above < ?",
)
_ONE = Sql(
    "SELECT seq, head, NULL, entity, op, entity_id, version, changed_fields, at, actor_id, "  # noqa: S608
    f"request_id, sealed, NULL FROM change WHERE {_AT} "
    f"AND seq > (SELECT floor FROM stream WHERE id = ?) {_FIRST}"
)


class Position(NamedTuple):
    """A state of a stream: all changes up to `seq` have been told."""

    seq: int
    head: bytes


class Part(NamedTuple):
    """Some changes of a book as rows, where the next ones begin (None: at the oldest that is kept),
    and whether there are any."""

    book: Book
    since: Position | None
    rows: list[tuple[Any, ...]]
    end: Position | None
    has_more: bool

    def cut(self, count: int) -> Part:
        """Only so many of its rows."""
        if count == len(self.rows):
            return self
        rows = self.rows[:count]
        end = Position(*rows[-1][:2]) if rows else self.since
        return self._replace(rows=rows, end=end, has_more=True)


def read(book: Book, since: Position | None, types: tuple[str, ...], limit: int, room: int) -> Part:
    """Up to `limit` changes of these types after a position, or from the oldest that is kept, and
    fewer where they are longer than `room` bytes; no types are all. Raises Gone where the position
    is too old or not of this history, or NotFound."""
    span = _LOOKED_THROUGH if types else limit  # numbers have no gaps
    after = since.seq if since else 0
    while True:
        state, rows, count = _found(book.stream_id, after, span, frozenset(types), limit, room)
        if since is not None or state[_FLOOR] <= after:
            break
        after = state[_FLOOR]  # only now is known what the oldest one is
    now = end = Position(state[_SEQ], state[1])
    if since is not None:
        _check(since, now, state[_FLOOR], state[_KNOWN])
    rows = rows[:limit]
    if count > len(rows):
        end = Position(*rows[-1][:2])
    elif state[_LOOKED_AT] is not None:
        end = Position(after + span, state[_LOOKED_AT])
    return Part(book, since, rows, end, end != now)


def _found(
    id_: int, seq: int, span: int, types: frozenset[str], limit: int, room: int
) -> tuple[tuple[Any, ...], list[tuple[Any, ...]], int]:
    """The row of the stream's state, those of changes, and how many of these there would be if an
    answer had room for them, up to one more than the limit. Raises NotFound."""
    most, short = limit + 1, room // (limit + 1)
    end = seq + span
    state, found = (id_, seq, seq, id_, end, end, id_), (id_, seq, end)
    first, *rows = _rows(_statement(_SHORT, types), (*state, short, *found, most))
    if any(row[_SIZE] is not None and row[_SIZE] > short for row in rows):
        part = (*found, most, id_, room)
        first, *rows = _rows(_statement(_LONG, types), (*state, *part, most))
        return first, rows, rows[0][_SIZE] if rows else 0
    return first, rows, len(rows)


def _rows(sql: Sql, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    rows = lane().all(sql, parameters)
    if not rows:  # the book was erased since the actor was let in
        raise NotFound()
    rows.sort(key=_NUMBER)  # as they come, though no engine promises it
    return rows


def _check(since: Position, state: Position, floor: int, known: bytes | None) -> None:
    head = state.head if since.seq == state.seq else GENESIS if since.seq == 0 else known
    if not floor <= since.seq <= state.seq or since.head != head:
        raise Gone()


@lru_cache(maxsize=256)
def _statement(part: str, types: frozenset[str]) -> Sql:
    """The words of a type come from TYPES."""
    wanted = [
        f"(d.entity = '{entity}' AND d.op = '{op}')"
        for entity in ENTITIES
        for op, shown in SHOWN.items()
        if types & {entity, f"{entity}.{shown}"}
    ]
    found = part.format(f" AND ({' OR '.join(wanted)})" if wanted else "")
    first = f"{_STATE} SELECT * FROM ({found} ORDER BY d.seq LIMIT ?) found"  # noqa: S608
    # SQLite copies the rows of a subquery, for a third of the time. Without types a range of
    # numbers has no more than are asked for, so that the limit, of the state's row too, cuts none.
    return Sql(first) if types else Sql(f"{_STATE} {found} LIMIT ?", postgresql=first)


@lru_cache(maxsize=1024)
def _names(changed: str) -> tuple[str, ...]:
    """They are much the same in most changes."""
    return tuple(changed.split())


def items(part: Part) -> list[dict[str, Any]]:
    """The changes of a part (schema Change)."""
    return _items(part.book.stream_id, part.book.key_id, part.rows)


def item_at(stream_id: int, key_id: int, seq: int) -> dict[str, Any] | None:
    """One change of a stream; None where it is no longer kept. Raises Erased."""
    row = lane().one(_ONE, (stream_id, seq, seq, stream_id))
    return row and _items(stream_id, key_id, [row])[0]


def _items(stream_id: int, key_id: int, rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    open_ = keyring().cipher(key_id).opener("change", "sealed", stream_id)
    found = []
    for row in rows:
        seq, _, _, entity, op, id_, version, changed, at, actor, request_id, sealed, _ = row
        text = open_(sealed, seq) if sealed else None
        found.append(
            {
                "seq": seq,
                "type": entity,
                "op": SHOWN[op],
                "id": id_,
                "version": version,
                "changed_fields": _names(changed),
                "at": clock.rfc3339(at),
                "actor_id": actor,
                "request_id": request_id,
                "data": text and shown_after(entity, text),
            }
        )
        if entity == "data":  # by which its reader knows it, a deleted one too
            texts = orjson.loads(text) if text else None
            found[-1]["key"] = texts and (texts["after"] or texts["before"])["key"]
    return found
