"""What each property adds to a contact. A function says whether it took it; else it is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from ...strict_json import MAX_INTEGER, is_storable
from ..dates import partial_date
from .draft import NAMES, Draft
from .properties import Property, unescape

CUSTOM = "X-CONTACTAPP-FIELD"
STARRED = "X-CONTACTAPP-STARRED"
ADDRESS = ("po_box", "extended", "street", "city", "region", "postal_code", "country")
_OF_LINES = {"street", "extended"}  # the others are one line each
_Taking = Callable[[Draft, Property], bool]


def _name(draft: Draft, one: Property) -> bool:
    if any(field in draft.fields for field in NAMES):
        return False
    for field, part in zip(NAMES, one.parts(), strict=False):
        # RFC 6350 section 6.2.2 divides several by commas, which few programs escape.
        text = ", ".join(map(str.strip, unescape(part).split("\n")))
        draft.single(field, text)
    return True


def _full_name(draft: Draft, one: Property) -> bool:
    if draft.full_name is not None:
        return False
    draft.full_name = " ".join(unescape(one.text()).split())
    return True


def _line(field: str) -> _Taking:
    return lambda draft, one: draft.single(field, unescape(one.text()))


def _organisation(draft: Draft, one: Property) -> bool:
    company, *units = (unescape(part).strip() for part in one.parts())
    department = ", ".join(filter(None, units))
    if {"company", "department"} & set(draft.fields):
        return not (company or department)
    return draft.single("company", company) and draft.single("department", department)


def _date(field: str) -> _Taking:
    def take(draft: Draft, one: Property) -> bool:
        day = partial_date(one.text().strip(), one.parameters.get("X-APPLE-OMIT-YEAR"))
        return day is not None and draft.single(field, day)

    return take


_anniversary = _date("anniversary")


def _apple_date(draft: Draft, one: Property) -> bool:
    if draft.apple_labels.get(one.group) != "anniversary" or not _anniversary(draft, one):
        return False
    draft.labelled.add(one.group)
    return True


def _valued(kind: str, scheme: str = "") -> _Taking:
    def take(draft: Draft, one: Property) -> bool:
        value = unescape(one.text()).strip()
        if scheme and value[: len(scheme)].lower() == scheme:
            value = value[len(scheme) :].replace(";ext=", " x")
        value = " ".join(value.split("\n"))
        return not value or draft.entry(kind, one, {"value": value})

    return take


def _address(draft: Draft, one: Property) -> bool:
    address = {}
    for field, part in zip(ADDRESS, map(unescape, one.parts()), strict=False):
        lines = [line.strip() for line in part.strip().split("\n")]
        if text := ("\n" if field in _OF_LINES else ", ").join(filter(None, lines)):
            address[field] = text
    if not address and (text := unescape(one.parameters.get("LABEL", "")).strip()):
        address["street"] = text  # RFC 6350 section 6.3.1: an address that is not in parts
    return not address or draft.entry("addresses", one, address)


def _categories(draft: Draft, one: Property) -> bool:
    draft.labels += map(unescape, one.parts(","))
    return True


def _note(draft: Draft, one: Property) -> bool:
    if text := unescape(one.text()).strip():
        draft.record.notes.append(text)
    return True


def _uid(draft: Draft, one: Property) -> bool:
    if draft.record.uid is not None:
        return False
    uid = unescape(one.text()).strip()
    is_urn = uid[:9].lower() == "urn:uuid:"
    draft.record.uid = (uid[9:] if is_urn else uid) or None
    return True


def _photo(draft: Draft, one: Property) -> bool:
    if draft.record.photo is None and (photo := one.photo()):
        draft.record.photo = photo
        return True
    return False


def _starred(draft: Draft, one: Property) -> bool:
    if one.value.strip().lower() != "true":
        return False
    draft.fields["starred"] = True
    return True


def _custom_field(draft: Draft, one: Property) -> bool:
    try:
        key, value = json.loads(unescape(one.text()))
    except (ValueError, TypeError, RecursionError):
        return False
    fields = draft.fields.setdefault("custom_fields", {})
    if not isinstance(key, str) or key in fields or not is_custom_value(value):
        return False
    if not (is_storable(key) and is_storable(str(value))):
        return False
    fields[key] = value
    return True


def is_custom_value(value: object) -> bool:
    """Whether a custom field may hold it: text, a number that every client reads, or a boolean."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) <= MAX_INTEGER
    return isinstance(value, str)


TAKING: dict[str, _Taking] = {
    "N": _name,
    "FN": _full_name,
    "NICKNAME": _line("nickname"),
    "ORG": _organisation,
    "TITLE": _line("title"),
    "EMAIL": _valued("emails", "mailto:"),
    "TEL": _valued("phones", "tel:"),
    "ADR": _address,
    "URL": _valued("urls"),
    "BDAY": _date("birthday"),
    "ANNIVERSARY": _anniversary,
    "X-ANNIVERSARY": _anniversary,
    "X-EVOLUTION-ANNIVERSARY": _anniversary,
    "X-MS-ANNIVERSARY": _anniversary,
    "X-ABDATE": _apple_date,
    "CATEGORIES": _categories,
    "NOTE": _note,
    "UID": _uid,
    "PHOTO": _photo,
    CUSTOM: _custom_field,
    STARRED: _starred,
}
