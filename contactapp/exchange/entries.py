"""What the fields of a record say, whether as arrays or as scalars. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..contacts.card import display_name

Entry = dict[str, Any]


def entries_of(fields: dict[str, Any], kind: str) -> list[Entry]:
    """The entries of `email` or `phone`, also where only the scalar is given."""
    entries = fields.get(f"{kind}s")
    if entries is None:
        return [{"value": fields[kind]}] if fields.get(kind) else []
    return list(entries)


def primary(entries: Sequence[Entry]) -> Entry | None:
    """The entry that is marked, else the first one."""
    first = entries[0] if entries else None
    return next((entry for entry in entries if entry.get("primary")), first)


def shown_name(fields: dict[str, Any]) -> str:
    """The name that the contact will show, by the card's own rule."""
    card = {key: value for key, value in fields.items() if value and isinstance(value, str)}
    for kind in ("email", "phone"):
        if entry := primary(entries_of(fields, kind)):
            card[kind] = entry["value"]
    return display_name(card) or ""
