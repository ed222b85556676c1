"""iCalendar (RFC 5545, and RFC 7986 for what is said of a whole calendar). Pure: birthdays in,
bytes out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..clock import rfc3339

_LINE = 75  # octets without the line break (RFC 5545 §3.1)
# A birthday of an unknown year begins in a leap year, or 29 February would have no first day. Not
# all programs show what was before 1970.
_SOME_LEAP_YEAR = 1972
_REFRESH = "PT12H"
_DAY = re.compile(r"(?:(\d{4})|-)-(\d\d)-(\d\d)", re.ASCII)
# Whatever some reader takes for the end of a line; no text may end its line and begin another.
_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ESCAPED = str.maketrans({"\\": r"\\", ";": r"\;", ",": r"\,"})


class Birthday(NamedTuple):
    """Somebody's day: `uid` is the contact's, `year` None where it is not known, `changed_at` in
    milliseconds."""

    uid: str
    name: str
    year: int | None
    month: int
    day: int
    changed_at: int


def day_of(birthday: str | None) -> tuple[int | None, int, int] | None:
    """(year or None, month, day) of `YYYY-MM-DD` or `--MM-DD`; None where no day is said."""
    found = _DAY.fullmatch(birthday or "")
    if found is None:
        return None
    year, month, day = found.groups()
    return None if year is None else int(year), int(month), int(day)


def birthday_calendar(name: str, birthdays: Iterable[Birthday]) -> bytes:
    """The calendar with an event a year for each. Without any it has no component, which the
    grammar wants (RFC 5545 §3.6) and no program misses."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//contactapp//feeds//EN",
        "CALSCALE:GREGORIAN",
        f"NAME:{_text(name)}",
        f"X-WR-CALNAME:{_text(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{_REFRESH}",
        f"X-PUBLISHED-TTL:{_REFRESH}",
    ]
    for birthday in birthdays:
        lines += _event(birthday)
    return b"".join([_folded(line) for line in (*lines, "END:VCALENDAR")])


def _event(birthday: Birthday) -> Iterator[str]:
    uid, name, year, month, day, changed_at = birthday
    summary = _text(name if year is None else f"{name} ({year})")
    yield "BEGIN:VEVENT"
    yield f"UID:{uid}-birthday"
    # Without a METHOD it is the time of the last change (§3.8.7.2): the same bytes until the next.
    yield f"DTSTAMP:{re.sub('[-:]', '', rfc3339(changed_at))}"
    yield f"DTSTART;VALUE=DATE:{_SOME_LEAP_YEAR if year is None else year:04}{month:02}{day:02}"
    # A rule of 29 February alone would skip the common years (§3.3.10); the last day does not.
    leap = ";BYMONTH=2;BYMONTHDAY=-1" if (month, day) == (2, 29) else ""
    yield f"RRULE:FREQ=YEARLY{leap}"
    yield f"SUMMARY:{summary}"
    yield "TRANSP:TRANSPARENT"  # a day of somebody's is no time that is taken
    yield "BEGIN:VALARM"
    yield "ACTION:DISPLAY"
    yield f"DESCRIPTION:{summary}"
    yield "TRIGGER:PT9H"  # after the day's beginning, where the reader is
    yield "END:VALARM"
    yield "END:VEVENT"


def _text(value: str) -> str:
    """A TEXT value (§3.3.11)."""
    lines = _BREAK.split(value.translate(_ESCAPED))
    return _CONTROL.sub("", r"\n".join(lines).replace("\t", " "))


def _folded(line: str) -> bytes:
    """The content line with its breaks; no character of several octets is cut, as §3.1 allows and
    not all readers mend."""
    raw = line.encode()
    parts, start, room = [], 0, _LINE
    while len(raw) - start > room:
        end = start + room
        while raw[end] & 0b1100_0000 == 0b1000_0000:
            end -= 1
        parts.append(raw[start:end])
        start, room = end, _LINE - 1  # the space that continues a line counts
    return b"\r\n ".join([*parts, raw[start:]]) + b"\r\n"
