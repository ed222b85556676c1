"""What a custom field is: its key, its type, and how it is shown. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from ..clock import rfc3339
from ..errors import InvalidFields
from ..strict_json import has_control

TYPES = ("text", "number", "date", "boolean", "choice", "url", "email")
MAX_KEY = 64  # characters
MAX_DEFINITIONS = 100  # of a book, as a contact has at most so many custom fields
MAX_CHOICES = 100
MAX_CHOICE = 200  # characters
MAX_POSITION = 1_000_000
FIELDS = ("key", "label", "type", "choices", "position")
_OBJECTS = 1500  # bytes in memory besides its texts


class Meta(NamedTuple):
    """The plain columns of a definition's row, times in milliseconds."""

    id: int
    uid: str
    book_id: int
    version: int
    created_at: int
    updated_at: int
    created_by: int
    updated_by: int


class Definition(NamedTuple):
    """A custom field of a book's contacts. `choices`: of the type choice, in their order."""

    meta: Meta
    key: str
    type: str
    label: str | None = None
    choices: tuple[str, ...] = ()
    position: int | None = None

    @classmethod
    def of(cls, meta: Meta, fields: Mapping[str, Any]) -> Definition:
        """The definition with these fields."""
        given = {name: fields[name] for name in FIELDS if fields.get(name) is not None}
        return cls(meta, **{**given, "choices": tuple(given.get("choices", ()))})

    @classmethod
    def opened(cls, columns: tuple[Any, ...], plaintext: bytes) -> Definition:
        """That of a row."""
        return cls.of(Meta(*columns), orjson.loads(plaintext))

    @property
    def id(self) -> int:
        return self.meta.id

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        texts = (self.key, self.label or "", *self.choices)
        return _OBJECTS + sum(80 + 4 * len(text) for text in texts)

    def check(self) -> None:
        """Raise InvalidFields where the type lacks choices, or takes none."""
        if (self.type == "choice") == bool(self.choices):
            return
        if self.choices:
            problem = "Only of the type choice."
            raise InvalidFields.one("/choices", "unknown_field", problem)
        raise InvalidFields.one("/choices", "required", "The type choice needs some.")

    def told(self) -> dict[str, Any]:
        """What is sealed, and what the change log keeps of it: what is filled."""
        fields = {name: getattr(self, name) for name in FIELDS}
        return {name: value for name, value in fields.items() if value not in (None, ())}

    def shown(self, used: int) -> dict[str, Any]:
        """The definition as the API shows it, of which so many contacts have a value."""
        meta = self.meta
        return {
            "id": meta.id,
            "uid": meta.uid,
            "book_id": meta.book_id,
            "key": self.key,
            "label": self.label,
            "type": self.type,
            "choices": list(self.choices),
            "position": self.position,
            "used": used,
            "version": meta.version,
            "created_at": rfc3339(meta.created_at),
            "updated_at": rfc3339(meta.updated_at),
            "created_by": meta.created_by,
            "updated_by": meta.updated_by,
        }


def checked_key(key: str, pointer: str = "/key") -> str:
    """A key in NFC, so that two ways to write a text are one key. Raises InvalidFields."""
    # Normalising long runs of marks takes quadratic time.
    normal = unicodedata.normalize("NFC", key) if len(key) <= 4 * MAX_KEY else key
    if not 1 <= len(normal) <= MAX_KEY:
        problem = f"A key has 1 to {MAX_KEY} characters."
        raise InvalidFields.one(pointer, "invalid_key", problem)
    if has_control(normal):
        raise InvalidFields.one(pointer, "invalid_key", "The key contains control characters.")
    return normal
