"""Order, paging and the bytes of a contact list. Pure: a view and a query in, a page out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from ..answers import CursorSeal
from ..books.view import BookView, Row
from .card import SORTED_CHARACTERS, sort_key

BY_ID = ("id",)


class Descending:
    """A value that compares the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: Descending) -> bool:
        return other.value < self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descending) and self.value == other.value


class Page(NamedTuple):
    """Some rows of a list, and where the next page starts."""

    rows: list[Row]
    next_cursor: str | None
    total: int
    names: tuple[str, ...] | None

    def body(self) -> bytes:
        """The page's JSON: ready-made bytes joined, or picked fields where few were asked for."""
        bodies = [row.body for row in self.rows]
        if self.names:
            bodies = [_picked(body, self.names) for body in bodies]
        cursor = b"null" if self.next_cursor is None else b'"%s"' % self.next_cursor.encode()
        return b'{"items":[%s],"next_cursor":%s,"total":%d}' % (
            b",".join(bodies),
            cursor,
            self.total,
        )


def page_of(view: BookView, query: dict[str, Any], seal: CursorSeal) -> Page:
    """The page that the query asks for. Raises BadRequest for a cursor that is not of this list."""
    sort, limit = query["sort"], query["limit"]
    ids = view.ids if sort == BY_ID else view.order(sort, lambda v: ordered(v, sort))
    start = query["skip"]
    if "cursor" in query:
        start = _position(view, ids, sort, seal.open(query["cursor"], ",".join(sort)))
    part = ids[start : start + limit]
    rows = [view.rows[contact_id] for contact_id in part]
    cursor = None
    if rows and start + limit < len(ids):
        cursor = seal.seal(_values(rows[-1], sort), ",".join(sort))
    return Page(rows, cursor, len(ids), query.get("fields_"))


def ordered(view: BookView, sort: tuple[str, ...]) -> list[int]:
    """The ids in this order: stable sorts from the last key to the first, nulls last."""
    cards = {contact_id: orjson.loads(row.body) for contact_id, row in view.rows.items()}
    ids = list(view.ids)
    for name in reversed(sort):
        field, descending = name.lstrip("-"), name.startswith("-")
        empty = [i for i in ids if cards[i][field] is None]
        filled = [i for i in ids if cards[i][field] is not None]
        key: Callable[[int], Any] = lambda i, field=field: sort_key(cards[i][field])  # type: ignore[misc] # noqa: E731
        filled.sort(key=key, reverse=descending)
        ids = filled + empty
    return ids


def _values(row: Row, sort: tuple[str, ...]) -> list[Any]:
    if sort == BY_ID:
        return [row.id]
    card = orjson.loads(row.body)
    values = (card[name.lstrip("-")] for name in sort)
    return [*(v[:SORTED_CHARACTERS] if isinstance(v, str) else v for v in values), row.id]


def _position(view: BookView, ids: list[int], sort: tuple[str, ...], values: list[Any]) -> int:
    """Where the list goes on after the row that had these values, whether or not it still has
    them: a cursor stays right while others write."""
    if sort == BY_ID:
        return bisect_right(ids, values[-1])
    target = _key(values, sort)
    return bisect_right(ids, target, key=lambda i: _key(_values(view.rows[i], sort), sort))


def _key(values: list[Any], sort: tuple[str, ...]) -> tuple[Any, ...]:
    parts: list[Any] = []
    for name, value in zip(sort, values, strict=False):
        key: Any = () if value is None else sort_key(value)
        parts.append((value is None, Descending(key) if name.startswith("-") else key))
    return (*parts, values[-1])


def _picked(body: bytes, names: tuple[str, ...]) -> bytes:
    card = orjson.loads(body)
    return orjson.dumps({name: card[name] for name in names})
