"""The filters of a contact list: which column of the view each reads, and its test. Pure.

Text is compared as people do, without case and accents; `_like` means contains, and has no wild
cards. What a contact does not have matches no filter on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from . import columns, search
from .card import LINES
from .columns import HAS, Days
from .digits import whole_number
from .folding import fold
from .row import Row

TEXT = ("name", *LINES)
DATES = ("birthday", "anniversary")


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


_WORDS = Searched("words", lambda row: search.words(row.card()), 1)
_HAYSTACKS = Searched("haystack", lambda row: search.haystack(row.card()), 3)


def filters(query: Mapping[str, Any]) -> tuple[Filter, ...]:
    """The filters in a parsed query, of which a contact must pass every one. Those by custom fields
    depend on the book (`custom`)."""
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
            yield _is(field, query[field])
        if f"{field}_like" in query:
            yield _like(field, query[f"{field}_like"])
    if "label" in query:
        needles = tuple((columns.whole(label),) for label in query["label"])
        yield Filter("label_lines", columns.labels, needles)
    if "label_like" in query:
        yield Filter("label_lines", columns.labels, ((fold(query["label_like"]),),))
    yield from _bounds(query)
    if "starred" in query:
        yield _equals("starred", lambda row: row.value("starred"), query["starred"])
    if "birthday_month" in query:
        yield _equals("birthday_month", columns.birthday_month, query["birthday_month"])
    if "has" in query:
        wanted = sum(1 << HAS.index(field) for field in query["has"])
        yield Filter("filled", columns.filled, test=lambda found: found & wanted == wanted)
    if "q" in query:
        texts = searched_texts(query["q"])
        yield Filter(texts.column, texts.of, tuple(term.needles for term in query["q"]))


def _is(field: str, value: str) -> Filter:
    """Of those that a contact may have several of, any one."""
    if field == "phone":
        return Filter(field, columns.phones, (whole_number(value),))
    if field == "email":
        return Filter(field, columns.emails, ((columns.whole(value),),))
    return _equals(field, columns.folded(field), fold(value))


def _like(field: str, value: str) -> Filter:
    if field == "phone":
        return Filter(field, columns.phones, (search.term(value).needles,))
    of = columns.emails if field == "email" else columns.folded(field)
    return Filter(field, of, ((fold(value),),))


def _equals(column: str, of: Callable[[Row], Any], wanted: Any) -> Filter:
    return Filter(column, of, test=lambda found: found == wanted)


def _bounds(query: Mapping[str, Any]) -> Iterator[Filter]:
    for name in ("created", "updated"):
        if f"{name}_min" in query or f"{name}_max" in query:
            least = query.get(f"{name}_min", -math.inf)
            yield _between(f"{name}_at", least, query.get(f"{name}_max", math.inf))
    for field in DATES:
        if f"{field}_min" in query or f"{field}_max" in query:
            yield _within(field, query.get(f"{field}_min"), query.get(f"{field}_max"))


def _between(field: str, least: float, most: float) -> Filter:
    return Filter(field, lambda row: row.value(field), test=lambda found: least <= found <= most)


def _within(field: str, least: Days | None, most: Days | None) -> Filter:
    """Only who was surely born between the two is: of a year alone all its days must be."""
    first, last = least.first if least else "", most.last if most else "9999-12-31"
    days = columns.days(field)
    return Filter(("days", field), days, test=lambda on: first <= on.first and on.last <= last)
