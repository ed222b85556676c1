"""Order, paging and the bytes of a contact list. Pure: a view and a query in, a page out."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from ..books.view import BookView, Order, id_array
from ..custom_fields.values import Defined
from ..paging import CursorSeal
from .custom import Sorting, custom_filters, sorting
from .filters import Filter, also_in_notes, searched_texts
from .folding import SORTED_CHARACTERS, sort_key
from .row import Row
from .search import Term, matched_in, needles_of

BY_ID = ("id",)
NONE_DEFINED: Defined = MappingProxyType({})
_AS_DEAR = 256  # ids of an order that are passed over in the time in which one contact is sorted
_STRIDE = 512  # ids of an order looked at in one go


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
    """Some rows of a list, and where the next page starts. `names` are the fields that were asked
    for; `places` tells of a row in which fields it was found, where it was searched for. An answer
    of 304 asks for no body, so all that is worked out in it."""

    rows: list[Row]
    next_cursor: str | None
    total: int
    names: tuple[str, ...] | None
    places: Callable[[Row], tuple[str, ...]] | None

    def body(self) -> bytes:
        """The page's JSON: ready-made bytes joined, or picked fields where few were asked for."""
        bodies = [row.body for row in self.rows]
        if self.names:
            bodies = [_picked(body, self.names) for body in bodies]
        if self.places is not None:
            bodies = [
                b'%b,"matched_in":%b}' % (body[:-1], orjson.dumps(self.places(row)))
                for body, row in zip(bodies, self.rows, strict=True)
            ]
        cursor = b"null" if self.next_cursor is None else b'"%s"' % self.next_cursor.encode()
        return b'{"items":[%s],"next_cursor":%s,"total":%d}' % (
            b",".join(bodies),
            cursor,
            self.total,
        )


def page_of(
    view: BookView[Row],
    query: Mapping[str, Any],
    seal: CursorSeal,
    *,
    searched: bool = False,
    noted: tuple[frozenset[int], ...] = (),
    defined: Defined = NONE_DEFINED,
) -> Page:
    """The page that the query asks for; `noted` are, for each word of it, the contacts that have it
    in a note, `defined` the book's custom fields. Raises BadRequest for a cursor that is not of
    this list, InvalidFields for a value that is not of its custom field's type."""
    sort, limit, listing = sorting(query["sort"], defined), query["limit"], query["listing"]
    ids: Sequence[int] = view.ids
    if sort.names != BY_ID:
        ids = view.order(sort.kept_as, order_by(sort)).ids
    found = _passing(view, query, noted, defined)
    total = len(ids) if found is None else len(found)
    members: set[int] | None = None
    if found is not None and sort.names == BY_ID:
        ids = sorted(found)
    elif found is not None and total * _AS_DEAR < len(ids):
        ids = sorted(found, key=lambda i: _key_of(view.rows[i], sort))
    elif found is not None and total < len(ids):
        members = set(found)
    start = 0
    if "cursor" in query:
        start = _position(view, ids, sort, seal.open(query["cursor"], listing))
    # One more than are shown tells whether there is a next page.
    chosen = _chosen(ids, members, start, query["skip"], limit + 1)
    rows = [view.rows[contact_id] for contact_id in chosen[:limit]]
    cursor = seal.seal(_values(rows[-1], sort), listing) if len(chosen) > limit else None
    places = _places(view, query["q"], noted) if searched else None
    return Page(rows, cursor, total, query.get("fields_"), places)


def _places(
    view: BookView[Row], terms: tuple[Term, ...], noted: tuple[frozenset[int], ...]
) -> Callable[[Row], tuple[str, ...]]:
    """Tells of a row where it has any of the terms."""
    column, of, kinds = searched_texts(terms)
    texts, needles = view.column(column, of), needles_of(terms)
    by_note = frozenset().union(*noted)

    def places(row: Row) -> tuple[str, ...]:
        found = matched_in(texts[row.id], kinds, needles, row.card)
        return (*found, "notes") if row.id in by_note else found

    return places


def ids_of(
    view: BookView[Row],
    query: Mapping[str, Any],
    noted: tuple[frozenset[int], ...] = (),
    defined: Defined = NONE_DEFINED,
) -> list[int]:
    """The ids of the contacts that pass the filters of a query, in no order; as in `page_of`."""
    found = _passing(view, query, noted, defined)
    return list(view.ids) if found is None else found


def _passing(
    view: BookView[Row],
    query: Mapping[str, Any],
    noted: tuple[frozenset[int], ...],
    defined: Defined,
) -> list[int] | None:
    where = query["where"] + custom_filters(query.get("custom", {}), defined)
    return _found(view, also_in_notes(where, noted) if noted else where)


def _found(view: BookView[Row], where: tuple[Filter, ...]) -> list[int] | None:
    """The ids that pass all filters, in no order; None without any. A column is read as it lies in
    memory: in the order of the list each contact would be a cache miss."""
    found: list[int] | None = None
    for wanted in where:
        values = view.column(wanted.column, wanted.of)
        if found is None:
            found = wanted.passing(values.items())
        else:
            found = wanted.passing((i, values[i]) for i in found if i in values)
    return found


def _chosen(
    ids: Sequence[int], members: set[int] | None, start: int, skip: int, count: int
) -> Sequence[int]:
    """So many ids from `start` on, after `skip` of them; of the members alone, if there are any
    given. Looks no further than it must: a first page of 20 out of 500 is near the beginning."""
    if members is None:
        return ids[start + skip : start + skip + count]
    found: list[int] = []
    for at in range(start, len(ids), _STRIDE):
        found += [i for i in ids[at : at + _STRIDE] if i in members]
        if len(found) >= skip + count:
            break
    return found[skip : skip + count]


def _position(view: BookView[Row], ids: Sequence[int], sort: Sorting, values: list[Any]) -> int:
    """Where the list goes on after the row that had these values, whether or not it still has
    them: a cursor stays right while others write."""
    if sort.names == BY_ID:
        return bisect_right(ids, values[-1])
    return bisect_right(ids, _key(values, sort.names), key=lambda i: _key_of(view.rows[i], sort))


def listing_of(sort: tuple[str, ...], filters: Mapping[str, Any]) -> str:
    """What a cursor is bound to: the order, and a hash of the filters as they were given."""
    order = ",".join(sort)
    if not filters:
        return order
    text = orjson.dumps(filters, option=orjson.OPT_SORT_KEYS)
    return f"{order}|{hashlib.blake2b(text, digest_size=16).hexdigest()}"


def order_by(sort: Sorting) -> Callable[[BookView[Row]], Order[Row]]:
    """Makes this order of a view: nulls last, the id as the last key."""

    def make(view: BookView[Row]) -> Order[Row]:
        ids = list(view.ids)
        # Stable sorts from the last key to the first: a third of the time of one sort by `_key`,
        # whose descending parts compare in Python.
        for name in reversed(sort.names):
            one = sort._replace(names=(name,))
            values = ((i, one.values(view.rows[i])[0]) for i in ids)
            keys = {i: sort_key(value) for i, value in values if value is not None}
            filled = sorted(keys, key=keys.__getitem__, reverse=name.startswith("-"))
            ids = filled + [i for i in ids if i not in keys]
        return Order(id_array(ids), lambda row: _key_of(row, sort))

    return make


def _values(row: Row, sort: Sorting) -> list[Any]:
    """What a cursor remembers of a row: its sort values, cut to what decides, and its id."""
    if sort.names == BY_ID:
        return [row.id, row.id]  # every page needs it, and need not read the blob
    values = sort.values(row)
    return [*(v[:SORTED_CHARACTERS] if isinstance(v, str) else v for v in values), row.id]


def _key_of(row: Row, sort: Sorting) -> tuple[Any, ...]:
    return _key(_values(row, sort), sort.names)


def _key(values: list[Any], sort: tuple[str, ...]) -> tuple[Any, ...]:
    parts: list[Any] = []
    for name, value in zip(sort, values, strict=False):
        key: Any = () if value is None else sort_key(value)
        parts.append((value is None, Descending(key) if name.startswith("-") else key))
    return (*parts, values[-1])


def _picked(body: bytes, names: tuple[str, ...]) -> bytes:
    card = orjson.loads(body)
    return orjson.dumps({name: card[name] for name in names})
