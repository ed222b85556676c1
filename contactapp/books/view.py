"""The book in memory: an immutable picture of its live rows at one state of the change log. Pure.

A view never changes. The next one is made from it and from what was touched, and whatever was
worked out for it (orders, columns to filter by) is handed on and patched when it is next asked
for: copying 10 000 entries takes microseconds, making them again milliseconds.

Ids in an order are an array: a list is read and copied by way of its 10 000 objects, which lie all
over the memory, and takes four times as long when they are not in the processor's cache.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

_KEPT = 12  # orders and columns of a view, the oldest of too many dropped
_KEPT_ENTRY = 60  # bytes an entry takes in them, about half way between an id and a short text
_REMAKE_ABOVE = 1 / 8  # of the book touched: then making anew is cheaper than patching


class Sized(Protocol):
    """What a row must have: its id and about how many bytes it takes."""

    @property
    def id(self) -> int: ...

    @property
    def size(self) -> int: ...


R = TypeVar("R", bound=Sized)


class Order(NamedTuple, Generic[R]):
    """Ids in an order, and the key that puts a row into it: total, so the id is its last part."""

    ids: array[int]
    key: Callable[[R], Any]

    def patched(self, touched: Set[int], rows: Mapping[int, R]) -> Order[R]:
        """The same order of a view with these rows."""
        ids = id_array([id_ for id_ in self.ids if id_ not in touched])
        for id_ in touched:
            if id_ in rows:
                insort(ids, id_, key=lambda other: self.key(rows[other]))
        return Order(ids, self.key)


def id_array(ids: list[int]) -> array[int]:
    """Ids as they are kept."""
    return array("q", ids)


class Column(NamedTuple, Generic[R]):
    """One value per row, and how it comes from a row; rows whose value is None are left out."""

    values: dict[int, Any]
    of: Callable[[R], Any]

    def patched(self, touched: Set[int], rows: Mapping[int, R]) -> Column[R]:
        """The same column of a view with these rows."""
        values = self.values.copy()
        for id_ in touched:
            values.pop(id_, None)
            if id_ in rows and (value := self.of(rows[id_])) is not None:
                values[id_] = value
        return Column(values, self.of)


class Derived(Protocol):
    """What is worked out of a whole view."""

    def patched(self, touched: Set[int], rows: Mapping[int, Any]) -> Any:
        """The same of a view with these rows."""


D = TypeVar("D", bound=Derived)


class BookView(Generic[R]):
    """An immutable picture of a book at (seq, head): `rows` by id, and `ids` in their order."""

    __slots__ = ("_earlier", "_kept", "_rows_size", "head", "ids", "rows", "seq")

    def __init__(
        self, seq: int, head: bytes, rows: dict[int, R], ids: array[int], rows_size: int
    ) -> None:
        self.seq = seq
        self.head = head
        self.rows = rows
        self.ids = ids
        self._rows_size = rows_size
        self._kept: dict[Any, Derived] = {}
        # What earlier views had, and the rows touched since.
        self._earlier: dict[Any, tuple[Derived, frozenset[int]]] = {}

    @classmethod
    def of(cls, seq: int, head: bytes, rows: Iterable[R]) -> BookView[R]:
        """The view of these rows."""
        found = {row.id: row for row in rows}
        size = sum(row.size for row in found.values())
        return cls(seq, head, found, id_array(sorted(found)), size)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def size(self) -> int:
        """About how many bytes it takes, with what it has worked out so far."""
        made = len(self._kept) + len(self._earlier)
        return self._rows_size + made * _KEPT_ENTRY * len(self.rows)

    def get(self, row_id: int) -> R | None:
        """A live row."""
        return self.rows.get(row_id)

    def next(self, seq: int, head: bytes, touched: Iterable[int], now: list[R]) -> BookView[R]:
        """The view after this one: the touched rows are gone, but for those that are there now."""
        touched = frozenset(touched)
        rows, ids, size = self.rows.copy(), self.ids[:], self._rows_size
        for id_ in touched:
            gone = rows.pop(id_, None)
            if gone is not None:
                size -= gone.size
                del ids[bisect_left(ids, id_)]
        for row in now:
            rows[row.id] = row
            size += row.size
            insort(ids, row.id)
        view = BookView(seq, head, rows, ids, size)
        nothing: frozenset[int] = frozenset()
        made = {
            **self._earlier,
            **{name: (kept, nothing) for name, kept in list(self._kept.items())},
        }
        for name, (kept, before) in list(made.items())[-_KEPT:]:
            since = before | touched
            if len(since) <= len(rows) * _REMAKE_ABOVE:
                view._earlier[name] = kept, since
        return view

    def order(self, name: Any, make: Callable[[BookView[R]], Order[R]]) -> Order[R]:
        """An order, made at its first use, patched in later views."""
        return self._find(("order", name), make)

    def has_order(self, name: Any) -> bool:
        """Whether the order was made before, so that it costs little now."""
        return ("order", name) in self._kept or ("order", name) in self._earlier

    def column(self, name: Any, of: Callable[[R], Any]) -> dict[int, Any]:
        """A value of every row that has it, by id; worked out at its first use, later patched."""
        return self._find(("column", name), lambda view: _column(view, of)).values

    def derived(self, name: Any, make: Callable[[BookView[R]], D]) -> D:
        """Something else, made at its first use, and told to patch itself in later views."""
        return self._find(("derived", name), make)

    def _find(self, name: Any, make: Callable[[BookView[R]], Any]) -> Any:
        """Two threads may both make it; they make the same."""
        found = self._kept.get(name)
        if found is None:
            earlier = self._earlier.get(name)
            found = earlier[0].patched(earlier[1], self.rows) if earlier else make(self)
            if len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept), None), None)
            self._kept[name] = found
            self._earlier.pop(name, None)
        return found


def _column(view: BookView[R], of: Callable[[R], Any]) -> Column[R]:
    # Of equal values one: half the companies, cities and numbers of a book come more than once.
    known: dict[Any, Any] = {}
    values = ((id_, of(row)) for id_, row in view.rows.items())
    return Column({i: known.setdefault(v, v) for i, v in values if v is not None}, of)
