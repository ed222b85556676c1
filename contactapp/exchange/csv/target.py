"""Where the cells of a column go."""

from __future__ import annotations

import re
from typing import NamedTuple

from ...contacts.card import LINES
from ..entries import ADDRESS
from ..record import Unreadable

DATES = ("birthday", "anniversary")
ENTRIES = {"email": "emails", "phone": "phones", "url": "urls", "address": "addresses"}
SCALARS = tuple(field for field in LINES if field not in ("email", "phone"))
_ENTRY = re.compile(r"(email|phone|url|address)s?(?:es)?(?:\.([a-z_]+))?(?::(.+))?")


class Target(NamedTuple):
    """`kind` is line, date, day, entry, pair, labels, note, custom, unusual, starred, uid, photo or
    nothing.
    `field` says which; a slot gathers the columns of one entry, `member` tells them apart."""

    kind: str
    field: str = ""
    slot: str = ""
    member: str = "value"
    label: str | None = None


NOTHING = Target("nothing")


def line(field: str) -> Target:
    return Target("date" if field in DATES else "line", field)


def entry(field: str, slot: str, member: str = "value", label: str | None = None) -> Target:
    return Target("entry", ENTRIES[field], slot, member, label)


def of_mapping(field: str, column: int) -> Target:
    """The target that a mapping names: a field that holds a line, `email:work`, `phone`, `url`,
    `address.city:home`, `labels`, `notes`, `custom_fields.key`, `starred` or `uid`; an empty text
    is nothing. Raises Unreadable."""
    if field in SCALARS or field == "name":
        return line(field)
    if field in ("", "labels", "notes", "starred", "uid"):
        kind = {"": "nothing", "notes": "note"}.get(field, field)
        return Target(kind)
    if field.startswith("custom_fields.") and field != "custom_fields.":
        return Target("custom", field.removeprefix("custom_fields."))
    if match := _ENTRY.fullmatch(field):
        kind, member, label = match.groups()
        if kind == "address" and (member or "street") in ADDRESS:
            return entry(kind, f"={label}", member or "street", label)
        if kind != "address" and member is None:
            return entry(kind, f"={column}", "value", label)
    raise Unreadable(f"There is no field {field[:100]!r} to map a column to.")
