"""Days as files write them, in the API's form: `YYYY-MM-DD`, `--MM-DD`, `YYYY` or `YYYY-MM`."""

from __future__ import annotations

import re

from ..contacts.card import is_partial_date

_MAX = 40  # characters; the longest is a time with its zone
_DAY = re.compile(
    r"(?P<year>\d{4}|--)-?(?P<month>\d\d)-?(?P<day>\d\d)(?:[T ].*)?|"
    r"(?P<only>\d{4}(?:-\d\d)?)",
    re.ASCII,
)
_SPREADSHEET = re.compile(r"(\d{1,2})([/.])(\d{1,2})\2(\d{4})(?: .*)?", re.ASCII)


def partial_date(text: str, without_year: str | None = None) -> str | None:
    """The day of a vCard's date or date and time (RFC 6350 section 4.3, ISO 8601), else None.

    `without_year` is the year that stands for none (Apple's X-APPLE-OMIT-YEAR, mostly 1604).
    """
    match = _DAY.fullmatch(text) if len(text) <= _MAX else None
    if match is None:
        return None
    year, month, day, only = match.group("year", "month", "day", "only")
    if only is None:
        year = "-" if year == without_year or year == "--" else year
        only = f"{year}-{month}-{day}"
    return only if is_partial_date(only) else None


def spreadsheet_date(text: str) -> str | None:
    """The day of a cell: as in a vCard, or `4/12/1985` (month first, as Outlook writes it, unless
    only the day can be first), or `12.4.1985`."""
    match = _SPREADSHEET.fullmatch(text) if len(text) <= _MAX else None
    if match is None:
        return partial_date(text)
    first, dot, second, year = match.groups()
    month, day = (second, first) if dot == "." or int(first) > 12 else (first, second)
    found = f"{year}-{month:0>2}-{day:0>2}"
    return found if is_partial_date(found) else None
