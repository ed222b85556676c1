"""The columns of files that other programs write, and which program a header row tells.

Apple's Contacts writes no CSV; what people make for it has the plain names at the end.
"""

from __future__ import annotations

import re

from .own import own_target
from .target import NOTHING, SCALARS, Target, entry, line

_NAMES = {
    "first name": "first_name",
    "given name": "first_name",
    "middle name": "middle_name",
    "additional name": "middle_name",
    "last name": "last_name",
    "family name": "last_name",
    "name prefix": "prefix",
    "name suffix": "suffix",
    "nickname": "nickname",
    "birthday": "birthday",
    "anniversary": "anniversary",
    "company": "company",
    "department": "department",
    "job title": "title",
}
_GOOGLE = {
    "name": "name",
    "organization name": "company",
    "organization title": "title",
    "organization department": "department",
    "organization 1 - name": "company",
    "organization 1 - title": "title",
    "organization 1 - department": "department",
}
_GOOGLE_ENTRY = re.compile(
    r"(e-mail|phone|website|address|event|relation|custom field) (\d{1,3}) - ([a-z ]+)"
)
_GOOGLE_ADDRESS = {
    "formatted": "formatted",
    "street": "street",
    "city": "city",
    "po box": "po_box",
    "region": "region",
    "postal code": "postal_code",
    "country": "country",
    "extended address": "extended",
}
_OUTLOOK = {"title": "prefix", "suffix": "suffix"}
_OUTLOOK_PHONES = {
    "business phone": "work",
    "business phone 2": "work",
    "home phone": "home",
    "home phone 2": "home",
    "mobile phone": "mobile",
    "other phone": "other",
    "primary phone": "main",
    "pager": "pager",
    "car phone": "car",
    "business fax": "work fax",
    "home fax": "home fax",
    "other fax": "other fax",
    "company main phone": "company main",
    "assistant's phone": "assistant",
    "callback": "callback",
    "radio phone": "radio",
    "telex": "telex",
    "tty/tdd phone": "tty/tdd",
    "isdn": "isdn",
}
_OUTLOOK_ADDRESS = re.compile(
    r"(business|home|other) (street|city|state|postal code|country|address po box)"
    r"(?: [23]|/region)?"
)
_OUTLOOK_SILENT = re.compile(r"e-mail (?:\d )?(?:type|display name)|initials")
_OUTLOOK_USUAL = {"priority", "private", "sensitivity", "gender"}  # mostly as nobody chose it
_THUNDERBIRD = {"display name": "name", "organization": "company"}
_THUNDERBIRD_PHONES = {
    "work phone": "work",
    "home phone": "home",
    "fax number": "fax",
    "pager number": "pager",
    "mobile number": "mobile",
}
_THUNDERBIRD_ADDRESS = re.compile(r"(home|work) (address|city|state|zipcode|country)(?: 2)?")
_BIRTH = re.compile(r"birth (year|month|day)")
_PARTS = {"state": "region", "postal code": "postal_code", "zipcode": "postal_code"}
_PARTS |= {"address": "street", "address po box": "po_box"}
_PLAIN = {
    **{column: line(field) for column, field in _NAMES.items()},
    **{word: line("first_name") for word in ("first", "firstname", "forename")},
    **{word: line("last_name") for word in ("last", "lastname", "surname")},
    **{word: line("name") for word in ("name", "full name", "fullname", "display name", "contact")},
    **{word: line("company") for word in ("organization", "organisation", "employer")},
    **{word: line("title") for word in ("title", "position", "role")},
    **{word: line("birthday") for word in ("date of birth", "birth date", "birthdate", "dob")},
    "prefix": line("prefix"),
    "suffix": line("suffix"),
    **{word: Target("note") for word in ("note", "notes", "comment", "comments")},
    **{word: Target("labels") for word in ("labels", "label", "tags", "groups", "categories")},
    **{word: entry("address", "plain", "street") for word in ("address", "street")},
    **{word: entry("address", "plain", "postal_code") for word in ("zip", "zip code", "postcode")},
    **{word: entry("address", "plain", "region") for word in ("state", "region", "province")},
    "postal code": entry("address", "plain", "postal_code"),
    "city": entry("address", "plain", "city"),
    "country": entry("address", "plain", "country"),
}
_PLAIN_ENTRY = re.compile(
    r"(?:(home|work|business|mobile|cell|personal|other) )?"
    r"(e-?mail|mail|phone|telephone|tel|mobile|cell|website|url|web page|homepage)"
    r"(?: (?:address|number))?(?: ?\d)?(?: \((.{1,40})\))?"
)
_PLAIN_KINDS = {"e": "email", "m": "email", "w": "url", "u": "url", "h": "url"}


def _google(column: str) -> Target | None:
    if column in _NAMES or column in _GOOGLE:
        return line(_NAMES.get(column) or _GOOGLE[column])
    simple = {"group membership": "labels", "labels": "labels", "notes": "note", "photo": "photo"}
    if column in simple:
        return Target(simple[column], ":::")
    match = _GOOGLE_ENTRY.fullmatch(column)
    if match is None:
        return NOTHING if column == "organization 1 - type" else None
    kind, slot, member = match.groups()
    member = "label" if member == "type" else member
    if kind in ("event", "relation", "custom field"):
        return Target("pair", kind, slot, member) if member in ("label", "value") else None
    if kind == "address" and member != "label":
        member = _GOOGLE_ADDRESS.get(member, "")
    if not member:
        return None
    return entry({"e-mail": "email", "website": "url"}.get(kind, kind), slot, member)


def _outlook(column: str) -> Target | None:
    if column in _OUTLOOK or column in _NAMES:
        return line(_OUTLOOK.get(column) or _NAMES[column])
    if column in ("e-mail address", "e-mail 2 address", "e-mail 3 address"):
        return entry("email", column)
    if column in _OUTLOOK_PHONES:
        return entry("phone", column, "value", _OUTLOOK_PHONES[column])
    if column in ("web page", "personal web page"):
        return entry("url", column, "value", "homepage" if column == "web page" else "personal")
    if column in ("notes", "categories"):
        return Target("note") if column == "notes" else Target("labels", ";")
    if match := _OUTLOOK_ADDRESS.fullmatch(column):
        where, part = match.groups()
        label = "work" if where == "business" else where
        return entry("address", label, _PARTS.get(part, part), label)
    if column in _OUTLOOK_USUAL:
        return Target("unusual", column)
    return NOTHING if _OUTLOOK_SILENT.fullmatch(column) else None


def _thunderbird(column: str) -> Target | None:
    if column in _THUNDERBIRD or column in _NAMES:
        return line(_THUNDERBIRD.get(column) or _NAMES[column])
    if column in ("primary email", "secondary email"):
        return entry("email", column)
    if column in _THUNDERBIRD_PHONES:
        return entry("phone", column, "value", _THUNDERBIRD_PHONES[column])
    if column in ("web page 1", "web page 2"):
        return entry("url", column, "value", "work" if column.endswith("1") else "home")
    if match := _BIRTH.fullmatch(column):
        return Target("day", "birthday", "birth", match[1])
    if match := _THUNDERBIRD_ADDRESS.fullmatch(column):
        return entry("address", match[1], _PARTS.get(match[2], match[2]), match[1])
    return Target("note") if column == "notes" else None


def _plain(column: str) -> Target | None:
    column = column.replace("_", " ")
    if column in _PLAIN:
        return _PLAIN[column]
    match = _PLAIN_ENTRY.fullmatch(column)
    if match is None:
        return None
    before, word, label = match.groups()
    kind = "phone" if word in ("mobile", "cell") else _PLAIN_KINDS.get(word[0], "phone")
    label = label or before or (word if word in ("mobile", "cell", "homepage") else None)
    return entry(
        kind, column, "value", {"cell": "mobile", "business": "work"}.get(label or "", label)
    )


OWN = "contactapp"
PRESETS = {
    OWN: own_target,
    "google": _google,
    "outlook": _outlook,
    "thunderbird": _thunderbird,
    "plain": _plain,
}


def recognised(columns: list[str]) -> str | None:
    """Which program wrote a header row, of columns in small letters; `plain` where some columns
    have names that anybody would give, None where none has."""
    names = set(columns)
    if "uid" in names and (names.issuperset(SCALARS) or all(map(own_target, columns))):
        return OWN  # also where somebody added columns
    if "primary email" in names and {"display name", "screen name"} & names:
        return "thunderbird"
    if any(_GOOGLE_ENTRY.fullmatch(name) for name in names) or {"file as", "labels"} <= names:
        return "google"
    if {"given name", "family name", "group membership"} <= names:
        return "google"
    if "e-mail address" in names and any(map(_OUTLOOK_ADDRESS.fullmatch, names)):
        return "outlook"
    return "plain" if any(map(_plain, columns)) else None
