"""What a contact is: its fields, its computed name, and its JSON. Dicts in, dicts out; pure, but
that where a photo is depends on the server."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, NamedTuple

from ..clock import rfc3339
from ..pictures.service import PHOTOS
from .entries import PARTS, SCALARS, Entry, edited, entries_of, primary_of, shown, stored

LINES = {
    "first_name": 100,
    "last_name": 100,
    "middle_name": 100,
    "prefix": 50,
    "suffix": 50,
    "nickname": 100,
    "email": 254,
    "phone": 50,
    "company": 200,
    "department": 200,
    "title": 200,
    "birthday": 10,
    "anniversary": 10,
}
MAX_NAME = 405  # the longest computed one, so that it can be sent back
MAX_CUSTOM_FIELDS = 100
MAX_LABELS = 50
HIDDEN = ("photo", "vcard")  # of a card, which no user's PUT or PATCH sees or changes
READ_ONLY = (
    "id",
    "uid",
    "book_id",
    "photo_url",
    "version",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
)
NAMED_BY = ("first_name", "last_name", "nickname", "company", "email", "phone")
SORTABLE = ("id", "name", *LINES, "starred", "created_at", "updated_at")
LISTS = (*PARTS, "labels")
FIELDS = (
    *("id", "uid", "book_id", "name", *LINES, *LISTS, "starred", "custom_fields"),
    *READ_ONLY[3:],
)
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_PARTIAL_DATE = re.compile(r"(?:(\d{4})|-)(?:-(\d\d))?(?:-(\d\d))?", re.ASCII)


class Meta(NamedTuple):
    """The plain columns of a contact's row, times in milliseconds."""

    id: int
    uid: str
    book_id: int
    version: int
    created_at: int
    updated_at: int
    created_by: int
    updated_by: int


def display_name(card: dict[str, Any]) -> str:
    """The name to show: prefix, given, middle, family name and suffix, else the next best."""
    get = card.get
    parts = [get("prefix"), get("first_name"), get("middle_name"), get("last_name")]
    name = " ".join([part for part in parts if part])
    if name and get("suffix"):
        name += f", {get('suffix')}"
    if name and (parts[1] or parts[3]):
        return name
    return get("nickname") or get("company") or get("email") or get("phone") or name


def split_name(name: str) -> tuple[str | None, str | None]:
    """First and last name of a full one: the last word is the last name."""
    first, _, last = " ".join(name.split()).rpartition(" ")
    return (first, last) if first else (last or None, None)


def resolve_name(
    card: dict[str, Any], name: str | None, before: dict[str, Any] | None
) -> dict[str, Any]:
    """Split `name` into first and last name where neither is given.

    Not where it is merely a computed name that came back, of the card or of the one `before`, and
    something else names the card: a company that is renamed becomes nobody's first name.
    """
    if not name or card.get("first_name") or card.get("last_name"):
        return card
    if display_name(card) and name in {display_name(card), display_name(before or {})}:
        return card
    first, last = split_name(name)
    return {**card, "first_name": first, "last_name": last}


def as_object(meta: Meta, card: dict[str, Any]) -> dict[str, Any]:
    """The contact as the API shows it, every field present, absent ones null."""
    return {
        "id": meta.id,
        "uid": meta.uid,
        "book_id": meta.book_id,
        "name": display_name(card),
        **{key: card.get(key) for key in LINES},
        "emails": emails_of(card),
        "phones": phones_of(card),
        "urls": urls_of(card),
        "addresses": addresses_of(card),
        "labels": card.get("labels", []),
        "starred": card.get("starred", False),
        "custom_fields": card.get("custom_fields", {}),
        "photo_url": PHOTOS.url(card.get("photo")),
        "version": meta.version,
        "created_at": rfc3339(meta.created_at),
        "updated_at": rfc3339(meta.updated_at),
        "created_by": meta.created_by,
        "updated_by": meta.updated_by,
    }


def canonical(fields: dict[str, Any]) -> dict[str, Any]:
    """The card to store of fields as the API or the change log has them: what is filled, and of two
    ways to say a thing the shorter one. A list goes before the field of its primary entry."""
    card = {key: value for key, value in fields.items() if key not in PARTS and key != "e164"}
    custom = fields.get("custom_fields") or {}
    card["custom_fields"] = {key: value for key, value in custom.items() if value is not None}
    for name in PARTS:
        entries = stored(name, entries_of(fields, name))
        primary = primary_of(entries)
        if name in SCALARS:
            card[SCALARS[name]] = primary and primary["value"]
            if name == "phones" and primary:
                card["e164"] = primary.get("e164")
            if len(entries) == 1 and "label" not in entries[0]:
                continue
        card[name] = entries
    return {key: value for key, value in card.items() if value}


def told(card: dict[str, Any]) -> dict[str, Any]:
    """What the change log keeps of a card: the lists of e-mail addresses and numbers too where the
    card has only a value. `canonical` makes the same card of it again."""
    full = {key: value for key, value in card.items() if key != "e164"}
    return full | {name: found for name in SCALARS if (found := entries_of(card, name))}


def merged(card: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The fields that a merge patch makes of a card. `email` and `phone` alone edit the primary
    entry; custom fields are merged by key, lists are replaced."""
    fields = {**card, **patch}
    for name, scalar in SCALARS.items():
        if name not in patch and scalar in patch:
            value = patch[scalar]
            entry: Entry | None = {"value": value} if value else None
            if entry and name == "phones" and patch.get("e164"):
                entry["e164"] = patch["e164"]
            fields[name] = edited(name, entries_of(card, name), entry)
        if name in patch or scalar in patch:
            fields[scalar] = None  # of the list now, if there is anything in it
    if isinstance(patch.get("custom_fields"), dict):
        fields["custom_fields"] = {**card.get("custom_fields", {}), **patch["custom_fields"]}
    return fields


def hidden(card: dict[str, Any]) -> dict[str, Any]:
    """What of a card no user's body holds."""
    return {key: card[key] for key in HIDDEN if key in card}


def comparable(card: dict[str, Any]) -> dict[str, Any]:
    """A card without what is worked out from the rest: numbers may be read otherwise after an
    update, and sending back what one has got is no change for that."""
    plain = {key: value for key, value in card.items() if key != "e164"}
    if "phones" in card:
        plain["phones"] = [
            {key: value for key, value in entry.items() if key != "e164"}
            for entry in card["phones"]
        ]
    return plain


def emails_of(card: dict[str, Any]) -> list[Entry]:
    """The e-mail addresses of a card as the API shows them, with all members."""
    return shown("emails", entries_of(card, "emails"))


def phones_of(card: dict[str, Any]) -> list[Entry]:
    """The phone numbers of a card, likewise."""
    return shown("phones", entries_of(card, "phones"))


def urls_of(card: dict[str, Any]) -> list[Entry]:
    """The links of a card, likewise."""
    return shown("urls", entries_of(card, "urls"))


def addresses_of(card: dict[str, Any]) -> list[Entry]:
    """The postal addresses of a card, likewise."""
    return shown("addresses", entries_of(card, "addresses"))


def is_email(text: str) -> bool:
    """Whether the text may be an e-mail address."""
    return _ADDRESS.fullmatch(text) is not None


def is_partial_date(text: str) -> bool:
    """Whether the text is `YYYY-MM-DD`, `--MM-DD`, `YYYY` or `YYYY-MM` and a real date."""
    match = _PARTIAL_DATE.fullmatch(text)
    if match is None:
        return False
    year, month, day = match.groups()
    if year is None and (month is None or day is None):
        return False
    try:
        # 2000 stands for an unknown year: 29 February is a birthday.
        date(int(year or 2000), int(month or 1), int(day or 1))
    except ValueError:
        return False
    return True
