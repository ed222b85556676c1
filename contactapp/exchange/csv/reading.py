"""CSV in: rows become records by the columns that a preset or the user says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ..record import Problem, Record, Unreadable
from .filling import Filling
from .formula import freed, unguarded
from .presets import OWN, PRESETS, recognised
from .rows import Row, header_of, rows
from .target import NOTHING, Target, of_mapping


class Header(NamedTuple):
    """The columns of a file, and which preset tells what they mean, if any does."""

    columns: list[str]
    preset: str | None


def header(chunks: Iterable[bytes]) -> Header:
    """What the first row says. Raises Unreadable."""
    return _header(header_of(next(rows(chunks), None)))


def _header(first: Row) -> Header:
    if recognised(first.cells) == OWN:
        return Header(first.cells, OWN)
    columns = [freed(cell.strip()) for cell in first.cells]
    preset = recognised([column.lower() for column in columns])
    return Header(columns, None if preset == OWN else preset)


def read(
    chunks: Iterable[bytes], mapping: Mapping[str, str] | None = None
) -> Iterator[Record | Problem]:
    """The contacts of a file, in its order, one row at a time.

    `mapping` says of columns which field they fill (see `target.of_mapping`); without it a preset
    is recognised, and columns that it does not know become custom fields. Raises Unreadable.
    """
    reading = rows(chunks)
    columns, preset = _header(header_of(next(reading, None)))
    is_ours = mapping is None and preset == OWN
    targets = _targets(columns, preset) if mapping is None else _mapped(columns, mapping)
    for row in reading:
        if isinstance(row, Problem):
            yield row
        elif any(row.cells[len(targets) :]):
            detail = f"The row has more cells than the header has columns ({len(targets)})."
            yield Problem(row.line, row.end, "too_many_cells", detail)
        else:
            record = _record(row, targets, is_ours)
            if record.fields or record.notes:
                yield record


def _record(row: Row, targets: list[Target], is_ours: bool) -> Record:
    filling = Filling(Record(row.line, row.end), is_ours=is_ours)
    # A short row is one whose last cells are empty: spreadsheets leave their delimiters out.
    for cell, target in zip(row.cells, targets, strict=False):
        if cell and (text := unguarded(cell) if is_ours else freed(cell.strip())):
            filling.add(target, text)
    return filling.finish()


def _targets(columns: list[str], preset: str | None) -> list[Target]:
    if preset is None:
        raise Unreadable("No column has a name that is known here; say which are what.")
    target_of = PRESETS[preset]
    if preset == OWN:
        return [target_of(column) or _unknown(column) for column in columns]
    return [target_of(column.lower()) or _unknown(column) for column in columns]


def _unknown(column: str) -> Target:
    return Target("custom", column) if column else NOTHING


def _mapped(columns: list[str], mapping: Mapping[str, str]) -> list[Target]:
    for column in mapping:
        if column not in columns:
            raise Unreadable(f"The file has no column {column[:100]!r}.")
    return [of_mapping(mapping.get(column, ""), n) for n, column in enumerate(columns)]
