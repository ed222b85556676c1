"""CSV out (RFC 4180, UTF-8 with a byte order mark, without which Excel takes it for cp1252). Pure.

Photos and kept vCard lines have no cells; vCard and JSON have them.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from ..entries import ADDRESS, Entry, entries_of, primary
from ..record import Record
from .formula import guarded
from .own import Layout, cell_of


def write(records: Iterable[Record], layout: Layout) -> Iterator[bytes]:
    """The header, then a row for each record, in their order (an export is ordered by uid)."""
    line = io.StringIO()
    writer = csv.writer(line)
    columns = layout.columns()
    yield codecs.BOM_UTF8
    for cells in _rows(records, layout, columns):
        writer.writerow(map(guarded, cells))
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()


def _rows(records: Iterable[Record], layout: Layout, columns: list[str]) -> Iterator[list[str]]:
    yield columns
    for record in records:
        cells = _cells(record, layout)
        yield [cells.get(column) or "" for column in columns]


def _cells(record: Record, layout: Layout) -> dict[str, str]:
    fields = record.fields
    cells: dict[str, str] = {key: text for key, text in fields.items() if isinstance(text, str)}
    cells["uid"] = record.uid or ""
    _add(cells, "email", entries_of(fields, "emails"))
    _add(cells, "phone", entries_of(fields, "phones"))
    _add(cells, "url", fields.get("urls") or [])
    for n, address in enumerate(_primary_first(fields.get("addresses") or []), 1):
        for part in (*ADDRESS, "label"):
            cells[f"address_{n}_{part}"] = address.get(part) or ""
    cells["labels"] = "\n".join(fields.get("labels") or ())
    cells["starred"] = "true" if fields.get("starred") else ""
    _add_custom(cells, fields.get("custom_fields") or {}, layout)
    cells.update((f"note_{n}", note) for n, note in enumerate(record.notes, 1))
    return cells


def _add(cells: dict[str, str], kind: str, entries: list[Entry]) -> None:
    for n, entry in enumerate(_primary_first(entries), 1):
        cells[f"{kind}_{n}"] = entry["value"]
        cells[f"{kind}_{n}_label"] = entry.get("label") or ""


def _primary_first(entries: list[Entry]) -> list[Entry]:
    """The first column holds the primary one, as who opens the file expects."""
    first = primary(entries)
    return sorted(entries, key=lambda entry: entry is not first)


def _add_custom(cells: dict[str, str], custom: dict[str, Any], layout: Layout) -> None:
    others = 0
    for key, value in custom.items():
        if key in layout.keys:
            cells[f"custom:{key}"] = cell_of(value)
        else:
            others += 1
            cells[f"custom_{others}_key"] = cell_of(key)
            cells[f"custom_{others}_value"] = cell_of(value)
