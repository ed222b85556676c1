"""Text as people compare it: case, accents and, for search, punctuation do not count. Pure."""

from __future__ import annotations

import unicodedata
from typing import Any

SORTED_CHARACTERS = 64
_REMEMBERED = 10_000  # characters per table; hostile text may hold a million different ones


def fold(text: str) -> str:
    """Compatibility decomposition, case folded, marks off (Unicode TR 15 and CaseFolding)."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return decomposed.translate(_MARKS_OFF).casefold()


def sort_key(value: Any) -> tuple[Any, ...]:
    """A key that puts accents beside their letters and ignores case, ties by the exact text.

    The first 64 characters decide, so that a cursor stays short enough for a URL.
    """
    if isinstance(value, str):
        start = value[:SORTED_CHARACTERS]
        return (fold(start), start)
    return (value,)


class _Table(dict[int, str | None]):
    """A table for str.translate that works a character out when it first comes."""

    def __missing__(self, code: int) -> str | None:
        found = self.replacement(chr(code))
        if len(self) < _REMEMBERED:
            self[code] = found
        return found

    def replacement(self, character: str) -> str | None:
        raise NotImplementedError


class _MarksOff(_Table):
    def replacement(self, character: str) -> str | None:
        return None if unicodedata.combining(character) else character


class _Spaced(_Table):
    def replacement(self, character: str) -> str | None:
        return character if _is_word_part(character) else " "


class _Closed(_Table):
    def replacement(self, character: str) -> str | None:
        return character if _is_word_part(character) or character.isspace() else None


def _is_word_part(character: str) -> bool:
    # Vowel signs (Mc) are no letters to Python; without them Hindi and Thai fall apart. "\n"
    # divides the fields of a haystack.
    return character.isalnum() or character == "\n" or unicodedata.category(character)[0] == "M"


_MARKS_OFF = _MarksOff()
SPACED = _Spaced()
"""Every run of punctuation and symbols becomes a space: `O'Neil` is `O Neil`."""
CLOSED = _Closed()
"""Punctuation and symbols fall out: `O'Neil` is `ONeil`."""
