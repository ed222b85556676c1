"""What of the database goes into a backup, and reading it page by page in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Boolean, LargeBinary
from sqlalchemy import Table as SqlTable

from ..lane import Lane
from ..sql import Sql
from ..startup import whole_metadata
from .packing import BOOLEAN, BYTES, PLAIN, packed

# Which workers there are is true of one server at one moment, and a ticket is good for seconds.
LEFT_OUT = frozenset({"worker", "ticket"})
_PAGE_BYTES = 2**20
_FIRST_PAGE, _LARGEST_PAGE = 20, 500  # rows
_SEQUENCES = Sql(
    "SELECT name, seq FROM sqlite_sequence",
    postgresql="SELECT s.relname::text, pg_sequence_last_value(s.oid) FROM pg_class s "
    "WHERE s.relkind = 'S' AND s.relnamespace = current_schema()::regnamespace",
)

Page = list[tuple[bytes, bytes]]  # packed rows


class Table(NamedTuple):
    """A table's name, its columns as (name, kind), and the names of its primary key."""

    name: str
    columns: list[tuple[str, str]]
    key: tuple[str, ...]

    def pages(self, lane: Lane) -> Iterator[Page]:
        """Its rows by primary key, about a megabyte at a time."""
        names = ", ".join(name for name, _ in self.columns)
        order, marks = ", ".join(self.key), ", ".join("?" * len(self.key))
        rows = f"SELECT {names} FROM {self.name}"  # noqa: S608 the program's own names
        first = Sql(f"{rows} ORDER BY {order} LIMIT ?")
        following = Sql(f"{rows} WHERE ({order}) > ({marks}) ORDER BY {order} LIMIT ?")
        places = [[name for name, _ in self.columns].index(name) for name in self.key]
        limit, found = _FIRST_PAGE, lane.all(first, (_FIRST_PAGE,))
        while found:
            last = tuple(found[-1][n] for n in places)
            page = packed(self.columns, found)
            yield page
            if len(found) < limit:
                return
            size = sum(len(array) + len(blobs) for array, blobs in page)
            limit = max(1, min(_LARGEST_PAGE, len(page) * _PAGE_BYTES // size))
            found = lane.all(following, (*last, limit))

    def count(self, lane: Lane) -> int:
        """How many rows it has."""
        return lane.one(Sql(f"SELECT count(*) FROM {self.name}"))[0]  # noqa: S608


@cache
def tables() -> tuple[Table, ...]:
    """Every table of the program, those that others refer to first."""
    found = (table for table in whole_metadata().sorted_tables if table.name not in LEFT_OUT)
    return tuple(described(table) for table in found)


def described(table: SqlTable) -> Table:
    """What of a table matters here."""
    # Plain strings: SQLAlchemy's own kind is no key of a JSON object.
    columns = [(str(column.name), _kind(column.type)) for column in table.columns]
    return Table(str(table.name), columns, tuple(str(c.name) for c in table.primary_key))


def _kind(type_: Any) -> str:
    if isinstance(type_, LargeBinary):
        return BYTES
    return BOOLEAN if isinstance(type_, Boolean) else PLAIN


def sequences(lane: Lane) -> dict[str, int]:
    """The last number that each table gave to a row, so that none is given twice."""
    found = dict(lane.all(_SEQUENCES))
    # Of PostgreSQL's, named so by SQLAlchemy.
    return {name.removesuffix("_id_seq"): last for name, last in found.items() if last}
