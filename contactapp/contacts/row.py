"""A contact in memory: ready to be served, searched, filtered and sorted. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from .card import Meta, as_object
from .search import haystack

# Bytes of the objects of a row besides its two texts: tuple, card, times, and its slots in the
# view's dict and orders. Measured with tracemalloc over contacts of twelve fields.
_OBJECTS = 900


class Row(NamedTuple):
    """One live contact. `card` has what is filled and the computed `name`; `text` is what search
    looks through; times in milliseconds."""

    id: int
    version: int
    created_at: int
    updated_at: int
    body: bytes
    text: str
    card: dict[str, Any]

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        # The card's strings are in the body once more, and each is an object of its own.
        return _OBJECTS + 2 * len(self.body) + len(self.text) * (1 if self.text.isascii() else 2)


def open_row(columns: tuple[Any, ...], sealed_text: bytes) -> Row:
    """The row of a contact from its plain columns and its opened blob."""
    meta = Meta(*columns)
    card = orjson.loads(sealed_text)
    shown = as_object(meta, card)
    card["name"] = shown["name"]
    text = haystack(card)
    return Row(
        meta.id,
        meta.version,
        meta.created_at,
        meta.updated_at,
        orjson.dumps(shown),
        text,
        card,
    )
