"""The names under which a note's text and contact are sent. Pure.

Clients of several systems send `noteBody`, `NOTE-TEXT` or `personId`; a name counts by its letters
and digits alone, in any case.
"""

from __future__ import annotations

from typing import Any

import orjson

ALIASES = {
    "body": (
        "body",
        "content",
        "text",
        "message",
        "note",
        "notes",
        "description",
        "note_body",
        "note_text",
        "note_content",
        "note_message",
        "note_description",
    ),
    "contact_id": ("contact_id", "contact", "person_id"),
}


class AliasConflict(Exception):
    """Two names of one field with different values: `field` is the field, `names` are as sent."""

    def __init__(self, field: str, names: tuple[str, str]) -> None:
        self.field = field
        self.names = names
        super().__init__(field)


def plain(name: str) -> str:
    """A name's letters and digits, without case."""
    return "".join(character for character in name.casefold() if character.isalnum())


_FIELDS = {plain(alias): field for field, aliases in ALIASES.items() for alias in aliases}


def resolved(data: dict[str, Any]) -> dict[str, Any]:
    """The same members, aliases under the name of what they mean. Raises AliasConflict."""
    found: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, value in data.items():
        field = _FIELDS.get(plain(name), name)
        if field in found and _text(found[field]) != _text(value):
            raise AliasConflict(field, (names[field], name))
        found.setdefault(field, value)
        names.setdefault(field, name)
    return found


def _text(value: Any) -> bytes:
    """One text per value: to Python 1 and true are equal, in JSON they are not."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
