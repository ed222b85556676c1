"""What filters look at in a contact: each of these takes a column's value from a row. Pure.

A contact that has no value is not in the column. Of a list the column has a line for every entry,
between line breaks, which no query holds: `\\nada@x.example\\n` is a whole entry, `ada` a part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .card import LINES
from .digits import phone_lines
from .entries import entries_of
from .folding import fold
from .row import Row

LISTED = {"address": "addresses", "url": "urls", "label": "labels"}
HAS = (*LINES, "custom_fields", "photo", *LISTED)


class Days(NamedTuple):
    """The first and the last day that a date may be; text, which is in order as days are."""

    first: str
    last: str


def folded(field: str) -> Callable[[Row], str | None]:
    """A field as people compare it."""
    return lambda row: None if (value := row.value(field)) is None else fold(value)


def whole(text: str) -> str:
    """What finds a whole entry of a column of lists."""
    return f"\n{fold(text)}\n"


def emails(row: Row) -> str | None:
    """All e-mail addresses."""
    return _lines([entry["value"] for entry in entries_of(row.card(), "emails")])


def phones(row: Row) -> str | None:
    """All phone numbers, by their digits and as they are written."""
    entries = entries_of(row.card(), "phones")
    return "\n".join(phone_lines(e["value"], e.get("e164")) for e in entries) or None


def labels(row: Row) -> str | None:
    """All labels."""
    return _lines(row.card().get("labels", ()))


def _lines(texts: Any) -> str | None:
    return "\n".join(("", *map(fold, texts), "")) if texts else None


def birthday_month(row: Row) -> int | None:
    """The month of `YYYY-MM-DD`, `YYYY-MM` and `--MM-DD`; a year alone has none."""
    day = row.value("birthday") or ""
    month = day[2:4] if day.startswith("--") else day[5:7]
    return int(month) if month else None


def days(field: str) -> Callable[[Row], Days | None]:
    """A date's days; none where the year is not known."""
    return lambda row: days_of(row.value(field))


def days_of(date: str | None) -> Days | None:
    """The days of `YYYY`, `YYYY-MM` or `YYYY-MM-DD`."""
    if date is None or date.startswith("-"):
        return None
    return Days(date + "-01-01"[len(date) - 4 :], date + "-12-31"[len(date) - 4 :])


def filled(row: Row) -> int:
    """Which of HAS have a value, a bit each."""
    card = row.card()
    return sum(1 << place for place, name in enumerate(HAS) if card.get(LISTED.get(name, name)))
