"""The filters of a contact list, as predicates over rows. Pure.

Text is compared as people do, without case and accents; `_like` means contains, and has no wild
cards. What a contact does not have matches no filter on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from . import search
from .card import LINES
from .folding import fold
from .row import Row
from .search import text_of

Predicate = Callable[[Row], bool]

TEXT = ("name", *LINES)
HAS = (*LINES, "custom_fields")
CUSTOM_ENDINGS = ("_min", "_max", "_like")
SECOND = 1000  # milliseconds; times are compared as they are shown


def predicates(query: Mapping[str, Any]) -> tuple[Predicate, ...]:
    """One predicate per filter in a parsed query; a row must pass every one."""
    return tuple(_each(query))


def _each(query: Mapping[str, Any]) -> Iterator[Predicate]:
    for field in TEXT:
        if field in query:
            yield _phone_is(query[field]) if field == "phone" else _is(field, query[field])
        if f"{field}_like" in query:
            like = query[f"{field}_like"]
            yield _phone_like(like) if field == "phone" else _like(field, like)
    for name in ("created", "updated"):
        if f"{name}_min" in query or f"{name}_max" in query:
            yield _between(name, query.get(f"{name}_min"), query.get(f"{name}_max"))
    if "starred" in query:
        yield lambda row, wanted=query["starred"]: row.card.get("starred", False) is wanted  # type: ignore[misc]
    if "birthday_month" in query:
        yield _born_in(query["birthday_month"])
    for field in query.get("has", ()):
        yield lambda row, field=field: bool(row.card.get(field))  # type: ignore[misc]
    for name, value in query.get("custom", {}).items():
        yield _custom(name, value)
    for term in query.get("q", ()):
        yield _has_term(term)


def _has_term(term: search.Term) -> Predicate:
    if len(term.needles) == 1:
        [needle] = term.needles
        return lambda row: needle in row.text
    return lambda row: term.within(row.text)


def _is(field: str, value: str) -> Predicate:
    wanted = fold(value)
    return lambda row: (found := row.card.get(field)) is not None and fold(found) == wanted


def _like(field: str, value: str) -> Predicate:
    wanted = fold(value)
    return lambda row: (found := row.card.get(field)) is not None and wanted in fold(found)


def _phone_is(value: str) -> Predicate:
    """National and international forms of one number are equal."""
    wanted, like = search.number_of(value), search.term(value)

    def same(row: Row) -> bool:
        # The haystack first: taking a number apart costs ten times as much.
        if not like.within(row.text) or not (phone := row.card.get("phone")):
            return False
        found = search.number_of(phone)
        if wanted.international and found.international:
            return wanted.international == found.international
        return wanted.national == found.national

    return same


def _phone_like(value: str) -> Predicate:
    wanted = search.term(value)
    return lambda row: wanted.within(row.text) and search.phone_has(row.text, wanted)


def _between(name: str, least: int | None, most: int | None) -> Predicate:
    low = -math.inf if least is None else least
    high = math.inf if most is None else most
    if name == "created":
        return lambda row: low <= row.created_at // SECOND <= high
    return lambda row: low <= row.updated_at // SECOND <= high


def _born_in(month: int) -> Predicate:
    """The month of `YYYY-MM-DD`, `YYYY-MM` and `--MM-DD`; a year alone has none."""
    with_year, without = f"-{month:02}", f"--{month:02}"

    def born(row: Row) -> bool:
        day = row.card.get("birthday")
        return day is not None and (day[4:7] == with_year or day[:4] == without)

    return born


def _custom(name: str, value: str) -> Predicate:
    ending = next((e for e in CUSTOM_ENDINGS if name.endswith(e) and name != e), "")
    key = name.removesuffix(ending)
    if ending in {"_min", "_max"}:
        return _custom_bound(key, value, 1 if ending == "_min" else -1)
    wanted, number = fold(value), _number(value)

    def same(found: Any) -> bool:
        if number is not None and _number(found) == number:
            return True
        return fold(text_of(found)) == wanted

    judge = same if not ending else lambda found: wanted in fold(text_of(found))
    return lambda row: (found := _custom_value(row, key)) is not None and judge(found)


def _custom_bound(key: str, value: str, sign: int) -> Predicate:
    """Numbers are compared as numbers, also where they came as text; all else as text, so that
    dates written YYYY-MM-DD are in order."""
    number, text = _number(value), fold(value)

    def within(row: Row) -> bool:
        found = _custom_value(row, key)
        if found is None:
            return False
        if number is not None:
            other = _number(found)
            return other is not None and sign * other >= sign * number
        folded = fold(text_of(found))
        return folded >= text if sign > 0 else folded <= text

    return within


def _custom_value(row: Row, key: str) -> Any:
    custom = row.card.get("custom_fields")
    return None if custom is None else custom.get(key)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        # Not `inf`, `nan` and `1_000`, which Python takes for numbers too.
        if not value[-1:].isdigit() or "_" in value:
            return None
        with suppress(ValueError):
            return float(value)
        return None
    return float(value)
