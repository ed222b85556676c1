"""Rows as they lie in a backup: the same bytes whichever engine they come from. Pure.

A row is a JSON array in which bytes stand as their length; the bytes themselves follow behind the
rows. (As Base64 inside the JSON they would take a third more room, and most of a row is sealed.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

BYTES, BOOLEAN, PLAIN = "bytes", "boolean", "plain"

Columns = Sequence[Sequence[str]]  # (name, kind) each


def packed(columns: Columns, rows: Iterable[Sequence[Any]]) -> list[tuple[bytes, bytes]]:
    """Each row as its array and its bytes. Raises TypeError for what its column cannot hold."""
    binary = [n for n, (_, kind) in enumerate(columns) if kind == BYTES]
    boolean = [n for n, (_, kind) in enumerate(columns) if kind == BOOLEAN]
    found = []
    for row in rows:
        cells, blobs = list(row), []
        for n in boolean:  # SQLite has none, and gives 0 or 1
            cells[n] = None if cells[n] is None else bool(cells[n])
        for n in binary:
            if cells[n] is not None:
                blobs.append(bytes(cells[n]))
                cells[n] = len(blobs[-1])
        found.append((orjson.dumps(cells), b"".join(blobs)))
    return found


def unpacked(columns: Columns, rows: list[list[Any]], blobs: memoryview) -> list[list[Any]]:
    """The rows again; changes the lists. Raises ValueError where lengths and bytes do not fit."""
    binary = [n for n, (_, kind) in enumerate(columns) if kind == BYTES]
    at = 0
    for row in rows:
        if len(row) != len(columns):
            raise ValueError("a row with other columns")
        for n in binary:
            if row[n] is not None:
                start, at = at, at + row[n]
                row[n] = bytes(blobs[start:at])
    if at != len(blobs):
        raise ValueError("other bytes than the rows say")
    return rows
