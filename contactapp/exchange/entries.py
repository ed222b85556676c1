"""The lists of a contact, as files need them. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from ..contacts.card import display_name
from ..contacts.entries import ADDRESS, Entry, entries_of, primary_of, sameness

__all__ = ["ADDRESS", "Entry", "entries_of", "is_same_as", "primary", "shown_name"]

_MAX_COMPARED = 1000  # characters; folding long runs of marks takes quadratic time


def primary(entries: Sequence[Entry]) -> Entry | None:
    """The entry that is marked, else the first one."""
    return primary_of(entries) or (entries[0] if entries else None)


def is_same_as(kind: str, entry: Entry) -> Hashable:
    """Equal for two entries of a list that the API would take for one thing."""
    parts = tuple(entry.get(part) or "" for part in ("value", *ADDRESS))
    if sum(map(len, parts)) > _MAX_COMPARED:
        return parts
    return kind, sameness(kind, entry)


def shown_name(fields: dict[str, Any]) -> str:
    """The name that the contact will show, by the card's own rule."""
    card = {key: value for key, value in fields.items() if value and isinstance(value, str)}
    for kind in ("email", "phone"):
        if entry := primary(entries_of(fields, f"{kind}s")):
            card[kind] = entry["value"]
    return display_name(card) or ""
