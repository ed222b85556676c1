"""A contact in memory: its opened blob, and its JSON from the first time it is served. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from .card import Meta, as_object, display_name

# Bytes of a row besides its texts, once served: object, numbers, its slots in the view, and what
# its JSON has that the sealed text has not. Measured with tracemalloc, contacts of twelve fields.
_OBJECTS = 900


class Row:
    """One live contact; times in milliseconds.

    Opening a book of 1 000 must not cost what showing 1 000 contacts does, so a row renders itself
    when it is first served, and keeps that: of the columns then only what is not in it.
    """

    __slots__ = (
        *("_body", "_columns", "_sealed_text"),
        *("created_at", "id", "updated_at", "version"),
    )

    def __init__(self, columns: tuple[Any, ...], sealed_text: bytes) -> None:
        self.id: int = columns[0]
        self.version: int = columns[3]
        self.created_at: int = columns[4]
        # One object for both of what was never changed, which is most of a book.
        self.updated_at: int = columns[5] if columns[5] != columns[4] else columns[4]
        self._columns: tuple[Any, ...] | None = columns
        self._sealed_text = sealed_text
        self._body = b""

    @property
    def uid(self) -> str:
        columns = self._columns  # read once: another thread may be rendering the row
        if columns is not None:
            return columns[1]
        start = self._body.index(b'"uid":"') + 7  # before it is a number alone
        return self._body[start : start + 36].decode()

    @property
    def body(self) -> bytes:
        """The contact's JSON."""
        columns = self._columns
        if columns is None:
            return self._body
        rendered = orjson.dumps(as_object(Meta(*columns), orjson.loads(self._sealed_text)))
        # A copy: orjson's bytes keep the 8 KiB buffer they were written in.
        body = self._body = bytes(memoryview(rendered))
        self._columns = None  # after the body is there, for who reads them meanwhile
        return body

    def card(self) -> dict[str, Any]:
        """What is filled, as it is stored."""
        return orjson.loads(self._sealed_text)

    def value(self, field: str) -> Any:
        """A field as the API shows it, but times in seconds."""
        [value] = self.values((field,))
        return value

    def values(self, fields: tuple[str, ...]) -> list[Any]:
        """Several of them at once; the blob is read once."""
        card = self.card()
        card["id"] = self.id
        if "name" in fields:
            card["name"] = display_name(card)
        card["created_at"] = self.created_at // 1000  # as shown: a finer order would look like none
        card["updated_at"] = self.updated_at // 1000
        card.setdefault("starred", False)
        return [card.get(field) for field in fields]

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory, once served."""
        return _OBJECTS + 2 * len(self._sealed_text)
