"""The fields of a card that gets what another one has: that goes before, and nothing is cleared.
Pure.

Lists are united in the order of the card, so that what is there already changes nothing; what is
the same entry, as when contacts are merged, is as the other one has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .card import merged
from .entries import PARTS, SCALARS, Entry, entries_of
from .merging import check_limits, each_once, is_same_entry

_LISTS = {*PARTS, *SCALARS.values(), "labels", "e164"}


def enriched(
    card: dict[str, Any], fields: Mapping[str, Any], other: dict[str, Any]
) -> dict[str, Any]:
    """The fields, for `whole`; `other` is the card that the API's `fields` make by themselves.
    Raises InvalidFields where a list has more than a card holds."""
    patch = {name: v for name, v in fields.items() if name not in _LISTS and v not in (None, "")}
    if "custom_fields" in patch:
        patch["custom_fields"] = other.get("custom_fields", {})
    found = merged(card, patch)
    for name in PARTS:
        if entries := entries_of(other, name):
            found[name] = _united(name, entries_of(card, name), entries)
    if "labels" in other:
        found["labels"] = each_once([card, other])
    check_limits({**dict.fromkeys((*PARTS, "labels"), ()), **found})
    return found


def _united(name: str, entries: Sequence[Entry], others: Sequence[Entry]) -> list[Entry]:
    """Of which the primary one is that of the others."""
    left, united = list(others), []
    for entry in entries:
        same = next((one for one in left if is_same_entry(name, entry, one)), None)
        if same is not None:
            left.remove(same)
        united.append({**entry, "primary": False, **(same or {})})
    return united + left
