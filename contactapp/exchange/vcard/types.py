"""Labels of entries as vCard writes them: TYPE where one is known there, else Apple's X-ABLabel."""

from __future__ import annotations

from ..words import APPLE

_LABELS = {"cell": "mobile"}
# What says how and not where a number or address is used, or is so unless told otherwise.
_SILENT = {"pref", "voice", "internet", "text", "msg", "dom", "intl", "postal", "parcel", ""}
_FIRST = {"home": 0, "work": 1}
# Types that a telephone may have (RFC 6350 section 6.4.1, RFC 2426, and Apple's own).
_TELEPHONE = {
    "mobile": "cell",
    "iphone": "iphone cell",
    **{
        one: one
        for one in (
            "home",
            "work",
            "fax",
            "pager",
            "car",
            "video",
            "isdn",
            "modem",
            "main",
            "other",
        )
    },
}
_ELSEWHERE = {one: one for one in ("home", "work", "other")}


def label_of(types: list[str]) -> str | None:
    """The label that types in small letters tell: `["work", "fax"]` is `work fax`."""
    words = dict.fromkeys(_LABELS.get(one, one) for one in types if one not in _SILENT)
    if "iphone" in words:
        words.pop("mobile", None)  # Apple says of each that it is one
    return " ".join(sorted(words, key=lambda one: _FIRST.get(one, 2))) or None


def types_of(label: str, *, is_phone: bool) -> list[str] | None:
    """The types from which `label_of` makes exactly this label, or None."""
    known = _TELEPHONE if is_phone else _ELSEWHERE
    try:
        types = " ".join(known[word] for word in label.split(" ")).split(" ")
    except KeyError:
        return None
    return types if label_of(types) == label else None


def apple_name(label: str) -> str:
    """A label in X-ABLabel: Apple translates the names that it knows."""
    return f"_$!<{APPLE[label]}>!$_" if label in APPLE else label
