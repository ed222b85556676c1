"""The filters of a contact list: which column of the view each reads, and its test. Pure.

Text is compared as people do, without case and accents; `_like` means contains, and has no wild
cards. What a contact does not have matches no filter on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from . import search
from .card import LINES
from .folding import fold
from .row import Row

TEXT = ("name", *LINES)
HAS = (*LINES, "custom_fields")
CUSTOM_ENDINGS = ("_min", "_max", "_like")


class Filter(NamedTuple):
    """What a contact's value in a column, which `of` takes from its row, must be: text that has a
    needle of each of the terms, or what passes the test. `also` are, for each term, the contacts
    that have it elsewhere."""

    column: Any
    of: Callable[[Row], Any]
    terms: tuple[tuple[str, ...], ...] = ()
    test: Callable[[Any], bool] = bool
    also: tuple[frozenset[int], ...] = ()

    def passing(self, values: Iterable[tuple[int, Any]]) -> list[int]:
        """The ids whose values pass."""
        if not self.terms:
            test = self.test
            return [i for i, value in values if test(value)]
        if any(self.also):
            return self._passing_also(list(values))
        # First what fewest are likely to have; the others are only looked for in what is left.
        for needles in sorted(self.terms, key=lambda needles: (len(needles), -len(needles[0]))):
            values = _having(values, needles)
        return [i for i, _ in values]

    def _passing_also(self, values: list[tuple[int, str]]) -> list[int]:
        for needles, also in zip(self.terms, self.also, strict=True):
            passing = {i for i, _ in _having(values, needles)} | also
            values = [value for value in values if value[0] in passing]
        return [i for i, _ in values]


class Searched(NamedTuple):
    """A column of the texts that search looks through, and how many kinds of lines they have."""

    column: str
    of: Callable[[Row], str]
    kinds: int


class Custom(NamedTuple):
    """A custom field's value as a number, where it is one, and as folded text."""

    number: float | None
    text: str


_WORDS = Searched("words", lambda row: search.words(row.card()), 1)
_HAYSTACKS = Searched("haystack", lambda row: search.haystack(row.card()), 3)


def filters(query: Mapping[str, Any]) -> tuple[Filter, ...]:
    """The filters in a parsed query; a contact must pass every one."""
    return tuple(_each(query))


def also_in_notes(
    where: tuple[Filter, ...], noted: tuple[frozenset[int], ...]
) -> tuple[Filter, ...]:
    """The filters, of which that for words passes contacts whose notes have them too."""
    columns = {_WORDS.column, _HAYSTACKS.column}
    return tuple(f._replace(also=noted) if f.column in columns else f for f in where)


def searched_texts(terms: tuple[search.Term, ...]) -> Searched:
    """The texts to look through for these terms."""
    return _WORDS if all(map(search.is_plain, search.needles_of(terms))) else _HAYSTACKS


def _having(values: Iterable[tuple[int, str]], needles: tuple[str, ...]) -> list[tuple[int, str]]:
    """Those whose text has any of the needles. One loop for each usual number of them: a call per
    contact would double what a search costs."""
    one, other = needles[0], needles[-1]
    if len(needles) == 1:
        return [value for value in values if one in value[1]]
    if len(needles) == 2:
        return [value for value in values if one in value[1] or other in value[1]]
    return [value for value in values if any(needle in value[1] for needle in needles)]


def _each(query: Mapping[str, Any]) -> Iterator[Filter]:
    for field in TEXT:
        if field in query:
            yield _phone_is(query[field]) if field == "phone" else _is(field, query[field])
        if f"{field}_like" in query:
            like = query[f"{field}_like"]
            yield _phone_like(like) if field == "phone" else _like(field, like)
    for field in ("created", "updated"):
        if f"{field}_min" in query or f"{field}_max" in query:
            least = query.get(f"{field}_min", -math.inf)
            yield _between(f"{field}_at", least, query.get(f"{field}_max", math.inf))
    if "starred" in query:
        yield _equals("starred", lambda row: row.value("starred"), query["starred"])
    if "birthday_month" in query:
        yield _equals("birthday_month", _birthday_month, query["birthday_month"])
    if "has" in query:
        wanted = sum(1 << HAS.index(field) for field in query["has"])
        yield Filter("filled", _filled, test=lambda found: found & wanted == wanted)
    for name, value in query.get("custom", {}).items():
        yield _custom(name, value)
    if "q" in query:
        texts = searched_texts(query["q"])
        yield Filter(texts.column, texts.of, tuple(term.needles for term in query["q"]))


def _folded(field: str) -> Callable[[Row], str | None]:
    return lambda row: None if (value := row.value(field)) is None else fold(value)


def _is(field: str, value: str) -> Filter:
    return _equals(field, _folded(field), fold(value))


def _like(field: str, value: str) -> Filter:
    return Filter(field, _folded(field), ((fold(value),),))


def _equals(column: str, of: Callable[[Row], Any], wanted: Any) -> Filter:
    return Filter(column, of, test=lambda found: found == wanted)


def _between(field: str, least: float, most: float) -> Filter:
    return Filter(field, lambda row: row.value(field), test=lambda found: least <= found <= most)


def _phone(row: Row) -> str | None:
    return (phone := row.value("phone")) and search.phone_lines(phone)


def _phone_is(value: str) -> Filter:
    return Filter("phone", _phone, (search.whole_number(value),))


def _phone_like(value: str) -> Filter:
    return Filter("phone", _phone, (search.term(value).needles,))


def _birthday_month(row: Row) -> int | None:
    """The month of `YYYY-MM-DD`, `YYYY-MM` and `--MM-DD`; a year alone has none."""
    day = row.value("birthday") or ""
    month = day[2:4] if day.startswith("--") else day[5:7]
    return int(month) if month else None


def _filled(row: Row) -> int:
    """Which of HAS have a value, a bit each."""
    card = row.card()
    return sum(1 << place for place, field in enumerate(HAS) if card.get(field))


def _custom(name: str, value: str) -> Filter:
    ending = next((e for e in CUSTOM_ENDINGS if name.endswith(e)), "")
    key = name.removesuffix(ending)

    def of(row: Row) -> Custom | None:
        found = row.card().get("custom_fields", {}).get(key)
        return None if found is None else Custom(_number(found), fold(search.text_of(found)))

    test = _custom_test(ending, Custom(_number(value), fold(value)))
    return Filter(("custom", key), of, test=test)


def _custom_test(ending: str, wanted: Custom) -> Callable[[Custom], bool]:
    """Numbers are compared as numbers, also where they came as text; all else as text, so that
    dates written YYYY-MM-DD are in order."""
    number, text = wanted
    if ending == "_like":
        return lambda found: text in found.text
    if not ending:
        same = number is not None
        return lambda found: found.text == text or (same and found.number == number)
    sign = 1 if ending == "_min" else -1
    if number is not None:
        bound = sign * number
        return lambda found: found.number is not None and sign * found.number >= bound
    if sign > 0:
        return lambda found: found.text >= text
    return lambda found: found.text <= text


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
    with suppress(OverflowError):
        return float(value)
    return None
