"""The calendar is what RFC 5545 says, whatever people are called."""

import re
from datetime import date, datetime, time, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from contactapp.contacts.birthdays import day_of
from contactapp.feeds.calendar import Birthday, birthday_calendar
from tests.feeds.conftest import name_of, read

CHANGED = 1_763_717_400_123  # 2025-11-21T09:30:00.123Z
BREAKS = "\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]"
HOSTILE = [
    "Grace\r\nBEGIN:VEVENT\r\nSUMMARY:forged",
    "Grace\nATTENDEE:mailto:mallory@example.com",
    "Grace\u2028END:VCALENDAR",
    "Grace\x85END:VEVENT",
    "Hopper; Grace, Rear Admiral: \\ \\n \\; \"quoted\" 'x'",
    "\\",
    "C:\\new",
    "100% {{7*7}} ${x} ^n ^' ^^",
    "名前" * 60,
    "👩‍👩‍👧‍👦" * 20,
    " leading and trailing ",
    "tab\there",
]


def birthday(name="Grace Hopper", year=1906, month=12, day=9):
    return Birthday("6d876798-8c29-4a23-8a5b-e4eb7a5bb3b0", name, year, month, day, CHANGED)


def made(*birthdays, name="Birthdays", leap_day="02-28"):
    return birthday_calendar(name, birthdays, leap_day)


def event_of(raw):
    [event] = read(raw).walk("VEVENT")
    return event


def occurrences(event, first, last):
    """The days on which an event recurs, by dateutil's reading of its rule."""
    start = datetime.combine(event["DTSTART"].dt, time())
    rule = rrulestr(event["RRULE"].to_ical().decode(), dtstart=start)
    between = rule.between(datetime(first, 1, 1), datetime(last, 12, 31), inc=True)
    return [moment.date() for moment in between]


def lines_of(raw):
    """The unfolded content lines; each physical one must be as §3.1 says."""
    assert raw.endswith(b"\r\n")
    physical = raw[:-2].split(b"\r\n")
    for line in physical:
        assert len(line) <= 75
        assert b"\r" not in line
        assert b"\n" not in line
        line.decode()  # no character was cut
    return re.sub(r"\r\n ", "", raw.decode()).removesuffix("\r\n").split("\r\n")


def plain(name):
    """What is left of a name in a calendar."""
    without = re.sub(BREAKS, "\n", name).replace("\t", " ")
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", "", without)


def test_it_is_this_to_the_letter():
    assert made(birthday()).decode().splitlines() == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//contactapp//feeds//EN",
        "CALSCALE:GREGORIAN",
        "NAME:Birthdays",
        "X-WR-CALNAME:Birthdays",
        "REFRESH-INTERVAL;VALUE=DURATION:PT12H",
        "X-PUBLISHED-TTL:PT12H",
        "BEGIN:VEVENT",
        "UID:6d876798-8c29-4a23-8a5b-e4eb7a5bb3b0-birthday",
        "DTSTAMP:20251121T093000Z",
        "DTSTART;VALUE=DATE:19061209",
        "RRULE:FREQ=YEARLY",
        "SUMMARY:Grace Hopper (1906)",
        "TRANSP:TRANSPARENT",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "DESCRIPTION:Grace Hopper (1906)",
        "TRIGGER:PT9H",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
    ]


def test_a_library_reads_the_same_in_it():
    raw = made(birthday(), name="Ours; or not, \\ours")
    assert name_of(read(raw)) == "Ours; or not, \\ours"
    event = event_of(raw)
    assert event["DTSTART"].dt == date(1906, 12, 9)
    assert event["DTSTAMP"].dt.isoformat() == "2025-11-21T09:30:00+00:00"
    [alarm] = event.walk("VALARM")
    assert alarm["TRIGGER"].dt == timedelta(hours=9)


def test_a_birthday_is_every_year_from_the_birth_on():
    event = event_of(made(birthday()))
    assert occurrences(event, 1900, 1909) == [date(y, 12, 9) for y in (1906, 1907, 1908, 1909)]
    assert occurrences(event, 2026, 2028) == [date(y, 12, 9) for y in (2026, 2027, 2028)]


@pytest.mark.parametrize("year", [None, 1904, 2000])
def test_29_february_is_kept_on_the_28th_in_common_years(year):
    event = event_of(made(birthday(year=year, month=2, day=29)))
    assert event["DTSTART"].dt == date(year or 1972, 2, 29)
    days = [date(2096, 2, 29), date(2097, 2, 28), date(2098, 2, 28), date(2099, 2, 28)]
    days += [date(2100, 2, 28), date(2101, 2, 28)]  # 2100 is a common year
    assert occurrences(event, 2096, 2101) == days


def test_29_february_is_kept_on_1_march_where_the_setting_says_so():
    event = event_of(made(birthday(year=2000, month=2, day=29), leap_day="03-01"))
    days = [date(2096, 2, 29), date(2097, 3, 1), date(2098, 3, 1), date(2099, 3, 1)]
    assert occurrences(event, 2096, 2100) == [*days, date(2100, 3, 1)]


@pytest.mark.parametrize(("year", "day"), [(1904, 28), (1905, 28), (None, 28)])
def test_28_february_is_never_moved(year, day):
    event = event_of(made(birthday(year=year, month=2, day=day)))
    assert occurrences(event, 2023, 2025) == [date(y, 2, 28) for y in (2023, 2024, 2025)]


def test_without_a_year_none_is_shown():
    event = event_of(made(birthday(year=None)))
    assert event["SUMMARY"] == "Grace Hopper"
    assert event["DTSTART"].dt == date(1972, 12, 9)


def test_the_first_year_there_is_has_four_digits():
    assert b"DTSTART;VALUE=DATE:00010101\r\n" in made(birthday(year=1, month=1, day=1))


def test_a_calendar_of_nobody_is_read_too():
    assert name_of(read(made())) == "Birthdays"
    assert read(made()).walk("VEVENT") == []


# IV-7, OB-1
@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_ends_its_line(name):
    raw = made(birthday(name=name, year=None), name=name)
    lines = lines_of(raw)
    assert len(lines) == len(lines_of(made(birthday(year=None))))
    assert [line.partition(":")[0] for line in lines].count("SUMMARY") == 1
    assert not any(set(line) & set("\u2028\u2029\x85\v\f") for line in lines)
    assert str(event_of(raw)["SUMMARY"]) == plain(name)
    assert name_of(read(raw)) == plain(name)


# IV-7
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=120))
def test_any_name_comes_back_as_it_was(name):
    raw = made(birthday(name=name, year=None))
    assert len(lines_of(raw)) == len(lines_of(made(birthday(year=None))))
    [summary] = [line for line in lines_of(raw) if line.startswith("SUMMARY:")]
    unescaped = re.sub(
        r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), summary[len("SUMMARY:") :]
    )
    assert unescaped == plain(name)


@pytest.mark.parametrize("before", range(60, 76))
@pytest.mark.parametrize("character", ["a", "é", "名", "🎂"])
def test_no_character_is_cut_wherever_the_line_is_folded(before, character):
    name = "x" * (before - len("SUMMARY:")) + character * 40
    raw = made(birthday(name=name, year=None))
    assert f"SUMMARY:{name}" in lines_of(raw)
    assert str(event_of(raw)["SUMMARY"]) == name


def test_lines_are_as_long_as_they_may_be():
    """75 octets, and 74 after the space of a continuation."""
    raw = made(birthday(name="x" * 300, year=None))
    start = raw.index(b"SUMMARY:")
    first, second, third = raw[start:].split(b"\r\n")[:3]
    assert [len(first), len(second), len(third)] == [75, 75, 75]
    assert b"\r\n \r\n" not in made(birthday(name="x" * (75 + 74 - len("SUMMARY:")), year=None))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1906-12-09", (1906, 12, 9)),
        ("--02-29", (None, 2, 29)),
        ("0001-01-01", (1, 1, 1)),
        ("1906", None),
        ("1906-12", None),
        ("", None),
        (None, None),
    ],
)
def test_what_says_no_day_has_no_event(text, day):
    assert day_of(text) == day
