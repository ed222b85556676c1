"""What a contact is: its fields, its computed name, and its JSON. Pure: dicts in, dicts out."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, NamedTuple

from ..clock import rfc3339

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
READ_ONLY = (
    "id",
    "uid",
    "book_id",
    "version",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
)
NAMED_BY = ("first_name", "last_name", "nickname", "company", "email", "phone")
SORTABLE = ("id", "name", *LINES, "starred", "created_at", "updated_at")
FIELDS = ("id", "uid", "book_id", "name", *LINES, "starred", "custom_fields", *READ_ONLY[3:])
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
    shown: dict[str, Any] = {
        "id": meta.id,
        "uid": meta.uid,
        "book_id": meta.book_id,
        "name": display_name(card),
    }
    shown.update((key, card.get(key)) for key in LINES)
    shown["starred"] = card.get("starred", False)
    shown["custom_fields"] = card.get("custom_fields", {})
    shown["version"] = meta.version
    shown["created_at"] = rfc3339(meta.created_at)
    shown["updated_at"] = rfc3339(meta.updated_at)
    shown["created_by"] = meta.created_by
    shown["updated_by"] = meta.updated_by
    return shown


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
