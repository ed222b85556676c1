"""iCalendar (RFC 5545, and RFC 7986 for what is said of a whole calendar). Pure: birthdays in,
bytes out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ..clock import rfc3339

_LINE = 75  # octets without the line break (RFC 5545 §3.1)
# A birthday of an unknown year begins in a leap year, or 29 February would have no first day. Not
# all programs show what was before 1970.
_SOME_LEAP_YEAR = 1972
# A rule of 29 February alone would skip the common years (§3.3.10); the month's last day does not,
# nor does the year's 60th day. By the day that stands for it.
_LEAP_DAY = {"02-28": ";BYMONTH=2;BYMONTHDAY=-1", "03-01": ";BYYEARDAY=60"}
# Whatever some reader takes for the end of a line: no text may end its line and begin another.
_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SPECIAL = re.compile(r"[\\;,\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ESCAPED = str.maketrans({"\\": r"\\", ";": r"\;", ",": r"\,", "\t": " "})

_BEGIN = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//contactapp//feeds//EN
CALSCALE:GREGORIAN
{name}
{old_name}
REFRESH-INTERVAL;VALUE=DURATION:PT12H
X-PUBLISHED-TTL:PT12H
"""
# Without a METHOD, DTSTAMP is the time of the last change (§3.8.7.2). Somebody's day is no time
# that is taken. The reminder is 9 hours after the day's beginning, wherever its reader is.
_EVENT = """\
BEGIN:VEVENT
UID:{uid}-birthday
DTSTAMP:{changed}
DTSTART;VALUE=DATE:{year:04}{month:02}{day:02}
RRULE:FREQ=YEARLY{rule}
{summary}
TRANSP:TRANSPARENT
BEGIN:VALARM
ACTION:DISPLAY
{description}
TRIGGER:PT9H
END:VALARM
END:VEVENT
"""
_END = "END:VCALENDAR\n"


class Birthday(NamedTuple):
    """Somebody's day: `uid` is the contact's, `year` None where it is not known, `changed_at` in
    milliseconds."""

    uid: str
    name: str
    year: int | None
    month: int
    day: int
    changed_at: int


def birthday_calendar(name: str, birthdays: Iterable[Birthday], in_common_years: str) -> bytes:
    """The calendar with an event a year for each. Without any it has no component, which the
    grammar wants (RFC 5545 §3.6) and no program misses. `in_common_years`: `02-28` or `03-01`,
    which stands for 29 February."""
    text = _text(name)
    begin = _BEGIN.format(name=_folded(f"NAME:{text}"), old_name=_folded(f"X-WR-CALNAME:{text}"))
    events = [_event(birthday, _LEAP_DAY[in_common_years]) for birthday in birthdays]
    return "".join([begin, *events, _END]).replace("\n", "\r\n").encode()


def _event(birthday: Birthday, leap_day: str) -> str:
    uid, name, year, month, day, changed_at = birthday
    text = _text(name if year is None else f"{name} ({year})")
    return _EVENT.format(
        uid=uid,
        changed=rfc3339(changed_at).replace("-", "").replace(":", ""),
        year=_SOME_LEAP_YEAR if year is None else year,
        month=month,
        day=day,
        rule=leap_day if (month, day) == (2, 29) else "",
        summary=_folded(f"SUMMARY:{text}"),
        description=_folded(f"DESCRIPTION:{text}"),
    )


def _text(value: str) -> str:
    """A TEXT value (§3.3.11)."""
    if _SPECIAL.search(value) is None:
        return value
    lines = _BREAK.split(value.translate(_ESCAPED))
    return _CONTROL.sub("", r"\n".join(lines))


def _folded(line: str) -> str:
    """The content line in parts of up to 75 octets. No character of several octets is cut: §3.1
    allows it, and not all readers mend it."""
    raw = line.encode()
    parts, start, room = [], 0, _LINE
    while len(raw) - start > room:
        end = start + room
        while raw[end] & 0b1100_0000 == 0b1000_0000:
            end -= 1
        parts.append(raw[start:end])
        start, room = end, _LINE - 1  # the space that continues a line counts
    return b"\n ".join([*parts, raw[start:]]).decode()
