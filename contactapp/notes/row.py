"""A note in memory, for search. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from ..contacts.digits import phone_lines
from ..contacts.folding import CLOSED, SPACED, fold
from .extract import phones
from .note import Meta

COLUMNS = Meta._fields
_OBJECTS = 500  # bytes besides its text, once searched in


class NoteRow:
    """One live note: its text, and of its columns what search needs."""

    __slots__ = ("contact_id", "id", "sealed_text")

    def __init__(self, columns: tuple[Any, ...], sealed_text: bytes) -> None:
        self.id: int = columns[0]
        self.contact_id: int = columns[3]
        self.sealed_text = sealed_text

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory, once searched in."""
        return _OBJECTS + 4 * len(self.sealed_text)

    def haystack(self) -> str:
        """What search looks through: the text with punctuation as spaces, as it stands, and with
        punctuation taken out, where they differ, then its phone numbers in both forms."""
        body = orjson.loads(self.sealed_text)["body"]
        literal = " ".join(fold(body).split())
        forms = (" ".join(literal.translate(SPACED).split()), literal, literal.translate(CLOSED))
        numbers = map(phone_lines, phones(body))
        return "\n".join((*dict.fromkeys(forms), *numbers))
