"""How lists are filtered and sorted by custom fields, as the book defines them. Pure.

A field with a type is compared by it: dates as days, numbers as numbers, choices in their order.
Without one, numbers are compared as numbers, also where they came as text, and all else as text, so
that dates written YYYY-MM-DD are in order.
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any, NamedTuple

from ..custom_fields.definition import Definition
from ..custom_fields.values import Defined, Unfit, converted
from ..errors import InvalidFields
from .filters import Filter
from .folding import SORTED_CHARACTERS, fold
from .row import Row
from .search import text_of

PREFIX = "custom."
ENDINGS = ("_min", "_max", "_like")
_BY_NUMBER = {"number", "boolean", "choice"}


class Custom(NamedTuple):
    """A custom field's value as a number, where it is compared as one, and as folded text."""

    number: float | None
    text: str


def by_custom_fields(query: Mapping[str, Any]) -> bool:
    """Whether a parsed query filters or sorts by any."""
    return "custom" in query or any(PREFIX in name for name in query["sort"])


def custom_filters(asked: Mapping[str, str], defined: Defined) -> tuple[Filter, ...]:
    """The filters on custom fields, by what stands after `custom.`. Raises InvalidFields where a
    value is not of its field's type."""
    return tuple(_filter(name, text, defined) for name, text in asked.items())


def _filter(name: str, text: str, defined: Defined) -> Filter:
    ending = "" if name in defined else next((e for e in ENDINGS if name.endswith(e)), "")
    key = name.removesuffix(ending)
    definition = defined.get(key)

    def of(row: Row) -> Custom | None:
        found = row.card().get("custom_fields", {}).get(key)
        return None if found is None else _custom(found, definition)

    try:
        test = _test(ending, text, definition)
    except Unfit as error:
        raise InvalidFields.one(f"?{PREFIX}{name}", error.code, error.detail) from None
    return Filter(("custom", key, _version(definition)), of, test=test)


def _version(definition: Definition | None) -> tuple[int, int]:
    """What a field was when something was worked out by it."""
    return (0, 0) if definition is None else (definition.id, definition.meta.version)


def _custom(value: Any, definition: Definition | None) -> Custom:
    return Custom(_number_of(value, definition), fold(text_of(value)))


def _number_of(value: Any, definition: Definition | None) -> float | None:
    """What a value is compared by, if it is a number. What is older than its definition, and does
    not fit it, is compared as text."""
    if definition is None:
        return _number_in(value)
    with suppress(Unfit):
        fitting = converted(value, definition)
        if definition.type == "date":
            days = _days(fitting or "")
            return None if days is None else days[0]
        if definition.type == "choice":
            return definition.choices.index(fitting) if fitting else None
        if definition.type in _BY_NUMBER:
            return None if fitting is None else float(fitting)
    return None


def _test(ending: str, text: str, definition: Definition | None) -> Callable[[Custom], bool]:
    folded = fold(text)
    if ending == "_like":
        return lambda found: folded in found.text
    if definition is not None and definition.type == "date":
        return _date_test(ending, converted(text, definition))
    if definition is not None and definition.type in _BY_NUMBER:
        number: float | None = _number_of(converted(text, definition), definition)
    else:
        number = _number_of(text, definition)
    if not ending:
        same = number is not None
        return lambda found: found.text == folded or (same and found.number == number)
    return _bound(1 if ending == "_min" else -1, number, folded)


def _bound(sign: int, number: float | None, text: str) -> Callable[[Custom], bool]:
    if number is not None:
        bound = sign * number
        return lambda found: found.number is not None and sign * found.number >= bound
    if sign > 0:
        return lambda found: found.text >= text
    return lambda found: found.text <= text


def _date_test(ending: str, day: str) -> Callable[[Custom], bool]:
    """A partial date stands for its first day, as an upper bound for its last. Those without a year
    are compared with each other."""
    if not ending:
        return lambda found: found.text == day
    days = _days(day)
    if days is None:
        least, most = (day, "--99") if ending == "_min" else ("--", day)
        return lambda found: found.number is None and least <= found.text <= most
    return _bound(*((1, days[0]) if ending == "_min" else (-1, days[1])), day)


def _days(day: str) -> tuple[int, int] | None:
    """The first and the last day of a partial date, by their numbers; None without a year."""
    if not day[:4].isdigit():
        return None
    year, month, exact = int(day[:4]), int(day[5:7] or 0), int(day[8:10] or 0)
    first = date(year, month or 1, exact or 1)
    last = date(year, month or 12, exact or monthrange(year, month or 12)[1])
    return first.toordinal(), last.toordinal()


class Sorting(NamedTuple):
    """An order of a list: the names of its keys, what the values of custom fields among them are
    compared by, and what a view keeps it under."""

    names: tuple[str, ...]
    of_custom: Mapping[str, Callable[[Any], list[Any] | None]]
    kept_as: Any

    def values(self, row: Row) -> list[Any]:
        """What a row is sorted by, as a cursor may remember it."""
        bare = tuple(name.removeprefix("-") for name in self.names)
        found = row.values(bare)
        if not self.of_custom:
            return found
        custom = row.card().get("custom_fields", {})
        for place, name in enumerate(bare):
            if name in self.of_custom:
                found[place] = self.of_custom[name](custom.get(name.removeprefix(PREFIX)))
        return found


def sorting(names: tuple[str, ...], defined: Defined) -> Sorting:
    """The order of a list that is sorted by these names."""
    keys = [bare for name in names if (bare := name.removeprefix("-")).startswith(PREFIX)]
    if not keys:
        return Sorting(names, {}, names)
    by = {name: defined.get(name.removeprefix(PREFIX)) for name in keys}
    versions = tuple(map(_version, by.values()))
    return Sorting(names, {n: _comparing(d) for n, d in by.items()}, (names, versions))


def _comparing(definition: Definition | None) -> Callable[[Any], list[Any] | None]:
    return lambda value: _comparable(value, definition)


def _comparable(value: Any, definition: Definition | None) -> list[Any] | None:
    """Numbers come first, and texts after them: without a type, or with values that are older than
    it, a field may have both."""
    if value is None:
        return None
    number = _number_of(value, definition)
    if number is not None and math.isfinite(number):
        return [0, number]
    return [1, text_of(value)[:SORTED_CHARACTERS]]


def _number_in(value: Any) -> float | None:
    """The number that a value is, or that its text says."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        # Not `inf`, `nan` and `1_000`, which Python takes for numbers too.
        if not value[-1:].isdigit() or "_" in value:
            return None
        with suppress(ValueError):
            return float(value)
        return None
    with suppress(OverflowError):
        return float(value)
    return None
