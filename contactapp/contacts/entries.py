"""The lists of a contact: e-mail addresses, phone numbers, links and postal addresses. Pure.

Stored, an entry holds only what is filled, and exactly one of a list is marked primary. Most people
have one e-mail address and one number without a label; of those a card keeps the value alone (see
`card`), so that a book of a thousand stays small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .folding import CLOSED, fold

Entry = dict[str, Any]

MAX_ENTRIES = 20  # of each list
SCALARS = {"emails": "email", "phones": "phone"}
"""The lists whose primary entry's value is a field of its own too."""
ADDRESS = {
    "street": 200,
    "extended": 200,
    "po_box": 100,
    "city": 100,
    "region": 100,
    "postal_code": 50,
    "country": 100,
}
"""The parts of a postal address (RFC 6350 §6.3.1), and how long they may be."""
PARTS: dict[str, tuple[str, ...]] = {
    "emails": ("value", "label"),
    "phones": ("value", "label", "e164"),
    "urls": ("value", "label"),
    "addresses": (*ADDRESS, "label"),
}


def entries_of(card: Mapping[str, Any], name: str) -> list[Entry]:
    """A list of a card, its entries as they are stored."""
    entries = card.get(name)
    if entries:
        return entries
    value = card.get(SCALARS.get(name, ""))
    if not value:
        return []
    entry = {"value": value, "primary": True}
    if name == "phones" and card.get("e164"):
        entry["e164"] = card["e164"]
    return [entry]


def stored(name: str, entries: Sequence[Entry]) -> list[Entry]:
    """Entries as they are stored; the first is the primary one where none is marked."""
    primary = next((i for i, entry in enumerate(entries) if entry.get("primary")), 0)
    kept = [{part: e[part] for part in PARTS[name] if e.get(part)} for e in entries]
    for entry in kept[primary : primary + 1]:
        entry["primary"] = True
    return kept


def shown(name: str, entries: Sequence[Entry]) -> list[Entry]:
    """Stored entries as the API shows them: all members, null where there is nothing."""
    parts = PARTS[name]
    return [
        {**{part: e.get(part) for part in parts}, "primary": e.get("primary", False)}
        for e in entries
    ]


def primary_of(entries: Sequence[Entry]) -> Entry | None:
    """The primary one of stored entries."""
    return next((entry for entry in entries if entry.get("primary")), None)


def edited(name: str, entries: Sequence[Entry], entry: Entry | None) -> list[Entry]:
    """The list when its primary entry gets another value, or goes (None) and the first of the
    others takes its place. Where another entry has that value already, that becomes the primary
    one: nothing is lost, and nothing is there twice."""
    if entry is None:
        return [other for other in entries if not other.get("primary")]
    wanted = sameness(name, entry)
    same = next((e for e in entries if sameness(name, e) == wanted), primary_of(entries))
    if same is None:
        return [{**entry, "primary": True}]
    bare = {part: value for part, value in same.items() if part != "e164"}
    return [
        {**bare, **entry, "primary": True} if other is same else {**other, "primary": False}
        for other in entries
    ]


def sameness(name: str, entry: Entry) -> object:
    """Equal for two entries of a list that are the same thing to people: case and accents do not
    count, in a number nor what stands between its digits. What follows a link's host may differ in
    case alone, so links are compared as they are."""
    if name == "addresses":
        return tuple(fold(entry.get(part) or "") for part in ADDRESS)
    value = entry["value"]
    if name == "urls":
        return value
    folded = fold(value)
    if name == "phones":
        return folded[:1] == "+", "".join(folded.translate(CLOSED).split())
    return folded
