"""Whose birthday is next: days of the year, and the pages of who has one soon. Pure.

Somebody born on 29 February has their birthday in common years on the day that a setting says, as
`feeds.calendar` tells calendar programs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import isleap
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from ..books.view import BookView
from ..paging import CursorSeal
from .row import Row

MAX_DAYS = 366  # so everybody's next birthday is within it
_DAY = re.compile(r"(?:(\d{4})|-)-(\d\d)-(\d\d)", re.ASCII)
_LEAP_DAY = (2, 29)


class Day(NamedTuple):
    """A day somebody was born on; `year` None where it is not known."""

    year: int | None
    month: int
    day: int


class Coming(NamedTuple):
    """A contact's next birthday. `turns`: how old they are then, None where the year of their birth
    is not known, or comes later."""

    day: date
    id: int
    turns: int | None

    @property
    def place(self) -> tuple[date, int]:
        """Where it is in a list."""
        return self.day, self.id


def day_of(birthday: str | None) -> Day | None:
    """The day of `YYYY-MM-DD` or `--MM-DD`; None where no day is said."""
    found = _DAY.fullmatch(birthday or "")
    if found is None:
        return None
    year, month, day = found.groups()
    return Day(None if year is None else int(year), int(month), int(day))


def coming(
    born: Iterable[tuple[int, Day]], first: date, days: int, in_common_years: tuple[int, int]
) -> list[Coming]:
    """Whose birthday is on the first day or on one of so many after it, the next one first, those
    of one day by id. `in_common_years`: (month, day) that stands for 29 February."""
    when: dict[tuple[int, int], date] = {}
    for number in range(days + 1):
        today = first + timedelta(number)
        for birth in _birthdays_on(today, in_common_years):
            when.setdefault(birth, today)
    found = []
    for id_, (year, month, day) in born:
        birthday = when.get((month, day))
        if birthday is not None:
            found.append(Coming(birthday, id_, _turns(year, birthday)))
    return sorted(found)  # no two have the same id


def month_and_day(text: str) -> tuple[int, int]:
    """Of `MM-DD`."""
    month, day = text.split("-")
    return int(month), int(day)


def _birthdays_on(today: date, in_common_years: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """(month, day) of the births that are celebrated on a day."""
    day = (today.month, today.day)
    return (day, _LEAP_DAY) if day == in_common_years and not isleap(today.year) else (day,)


def _turns(year: int | None, today: date) -> int | None:
    return None if year is None or year > today.year else today.year - year


class BirthdayPage(NamedTuple):
    """Some of those who have a birthday soon, and where the next page starts."""

    found: list[tuple[Row, Coming]]
    next_cursor: str | None
    total: int

    @property
    def rows(self) -> list[Row]:
        """The contacts alone."""
        return [row for row, _ in self.found]

    def body(self) -> bytes:
        """The page's JSON, made of the rows' ready-made bytes."""
        items = b",".join([_item(*one) for one in self.found])
        cursor = b"null" if self.next_cursor is None else b'"%s"' % self.next_cursor.encode()
        return b'{"items":[%s],"next_cursor":%s,"total":%d}' % (items, cursor, self.total)


def _item(row: Row, birthday: Coming) -> bytes:
    turns = b"null" if birthday.turns is None else b"%d" % birthday.turns
    day = birthday.day.isoformat().encode()
    return b'%b,"next_birthday":"%b","turns":%b}' % (row.body[:-1], day, turns)


def page_of_birthdays(
    view: BookView[Row],
    query: Mapping[str, Any],
    first: date,
    seal: CursorSeal,
    in_common_years: tuple[int, int],
) -> BirthdayPage:
    """The page that the query asks for. Raises BadRequest for a cursor that is not of this list."""
    born = view.column("birthday_day", lambda row: day_of(row.value("birthday")))
    everybody = coming(born.items(), first, query["days"], in_common_years)
    limit, listing, start = query["limit"], query["listing"], query["skip"]
    if "cursor" in query:
        day, id_ = seal.open(query["cursor"], listing)
        place = date.fromisoformat(day), id_
        start = bisect_right(everybody, place, key=lambda one: one.place)
    chosen = everybody[start : start + limit]
    cursor = None
    if len(everybody) > start + limit:
        cursor = seal.seal([chosen[-1].day.isoformat(), chosen[-1].id], listing)
    return BirthdayPage([(view.rows[one.id], one) for one in chosen], cursor, len(everybody))
