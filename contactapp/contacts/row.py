"""A contact in memory: its opened blob, and its JSON from the first time it is served. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from .card import Meta, as_object, display_name

# Bytes of a row besides its texts: object, columns, numbers, and its slots in the view. Measured
# with tracemalloc over contacts of twelve fields.
_OBJECTS = 800


class Row:
    """One live contact; times in milliseconds.

    Opening a book of 1 000 must not cost what showing 1 000 contacts does, so a row renders itself
    when it is first served, and keeps that.
    """

    __slots__ = ("_body", "_columns", "_sealed_text", "id", "version")

    def __init__(self, columns: tuple[Any, ...], sealed_text: bytes) -> None:
        self.id: int = columns[0]
        self.version: int = columns[3]
        self._columns = columns
        self._sealed_text = sealed_text
        self._body: bytes | None = None

    @property
    def uid(self) -> str:
        return self._columns[1]

    @property
    def created_at(self) -> int:
        return self._columns[4]

    @property
    def updated_at(self) -> int:
        return self._columns[5]

    @property
    def body(self) -> bytes:
        """The contact's JSON."""
        body = self._body
        if body is None:
            meta = Meta(*self._columns)
            rendered = orjson.dumps(as_object(meta, orjson.loads(self._sealed_text)))
            # A copy: orjson's bytes keep the 8 KiB buffer they were written in.
            body = self._body = bytes(memoryview(rendered))
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
