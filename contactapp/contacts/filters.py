"""The filters of a contact list: which column of the view each reads, and its test. Pure.

Text is compared as people do, without case and accents; `_like` means contains, and has no wild
cards. What a contact does not have matches no filter on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from . import search
from .card import LINES
from .folding import fold
from .row import Row

TEXT = ("name", *LINES)
HAS = (*LINES, "custom_fields")


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
