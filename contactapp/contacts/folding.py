"""Text as people compare it: case, accents and, for search, punctuation do not count. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

SORTED_CHARACTERS = 64
BETWEEN = "\x03"
"""Stands between the entries of a list in one line: no query holds it, so no phrase is found that
begins in one and ends in another."""
_REMEMBERED = 10_000  # characters per table; hostile text may hold a million different ones


def fold(text: str) -> str:
    """Compatibility decomposition, case folded, marks and strokes off (Unicode TR 15 and
    CaseFolding): the same whatever language the server speaks."""
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
    if isinstance(value, list):  # a kind of value, and one of that kind (`custom`)
        return (value[0], *sort_key(value[1]))
    return (value,)


class _Table(dict[int, str | None]):
    """A table for str.translate that works a character out when it first comes; None drops it."""

    def __init__(self, replacement: Callable[[str], str | None]) -> None:
        self._replacement = replacement

    def __missing__(self, code: int) -> str | None:
        found = self._replacement(chr(code))
        if len(self) < _REMEMBERED:
            self[code] = found
        return found


def _is_word_part(character: str) -> bool:
    # Vowel signs (Mc) are no letters to Python; without them Hindi and Thai fall apart. "\n"
    # divides the fields of a haystack, BETWEEN the entries of one.
    if character.isalnum() or character in {"\n", BETWEEN}:
        return True
    return unicodedata.category(character)[0] == "M"


# Letters whose stroke is no mark to Unicode: who searches for Lukasz or Ostergard finds them.
_STROKED = dict(zip("øłđħŧƀɨıðæœþ", (*"oldhtbiid", "ae", "oe", "th"), strict=True))
_MARKS_OFF = _Table(lambda c: None if unicodedata.combining(c) else _STROKED.get(c, c))
SPACED = _Table(lambda c: c if _is_word_part(c) else " ")
"""Punctuation and symbols become spaces: `O'Neil` is `O Neil`."""
CLOSED = _Table(lambda c: c if _is_word_part(c) or c.isspace() else None)
"""Punctuation and symbols fall out: `O'Neil` is `ONeil`."""
