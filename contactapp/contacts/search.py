"""Search in memory: case-, accent- and punctuation-blind, phones by their digits. Pure.

A contact's searchable fields are folded into one haystack of lines, which the view then keeps:
all fields with punctuation as spaces, then as folded, then with punctuation taken out, the latter
two empty where they would say the same. So `jean-luc` and `"jean luc"` find Jean-Luc, `oneil` and
`o'neil` find O'Neil, `%` finds a per cent sign and nothing else, and a word is one `in`.

Nearly all searches are for plain words, which stand in the third kind of lines wherever they stand
in another; for those there is a text of these lines alone, half as long to look through.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from .card import display_name
from .digits import INTERNATIONAL, NATIONAL, digits_of, is_number, number_of, phone_words
from .entries import ADDRESS, Entry, entries_of
from .folding import BETWEEN, CLOSED, SPACED, fold

FIELDS = (
    "name",
    "first_name",
    "last_name",
    "phone",
    "email",
    "company",
    "nickname",
    "middle_name",
    "prefix",
    "suffix",
    "department",
    "title",
    "addresses",
    "urls",
    "labels",
)
"""What `matched_in` calls what is searched: `email` and `phone` are any of a contact's."""
MAX_TERMS = 20
_LISTS = tuple(
    (name, FIELDS.index({"emails": "email", "phones": "phone"}.get(name, name)))
    for name in ("emails", "phones", "addresses", "urls", "labels")
)
_PHONE = FIELDS.index("phone")
_NO_CUSTOM: dict[str, Any] = {}
_QUOTES = str.maketrans(dict.fromkeys("“”„«»", '"'))
# What follows +49 in digits belongs to the same number.
_TERM = re.compile(r'"([^"]*)"|(\+[0-9][0-9()./\s-]*(?![^\s"])|[^\s"]+)')
_SPACES = re.compile(" {2,}")


class Term(NamedTuple):
    """One word or quoted phrase: it matches where any of its needles is in a line."""

    needles: tuple[str, ...]


def haystack(card: dict[str, Any]) -> str:
    """What search looks through in a contact."""
    literal = _literal(card)
    spaced = _SPACES.sub(" ", literal.translate(SPACED))
    first, second = spaced.split("\n"), literal.split("\n")
    third = literal.translate(CLOSED).split("\n")
    phone = second[_PHONE]
    for place, (plain, folded) in enumerate(zip(first, second, strict=True)):
        if plain == folded:
            second[place] = third[place] = ""
    if "phone" in card:
        numbers = phone_words(phone, entries_of(card, "phones"))
        first[_PHONE], second[_PHONE], third[_PHONE] = numbers, phone, ""
    return "\n".join((*first, *second, *third))


def words(card: dict[str, Any]) -> str:
    """What search looks through for plain words: the same with punctuation taken out."""
    literal = _literal(card)
    lines = literal.translate(CLOSED).split("\n")
    if "phone" in card:
        numbers = literal.split("\n")[_PHONE]
        lines[_PHONE] = phone_words(numbers, entries_of(card, "phones"))
    return "\n".join(lines)


def is_plain(needle: str) -> bool:
    """Whether words() has it wherever haystack() does: letters and digits, and nothing between."""
    bare = needle.lstrip(INTERNATIONAL + NATIONAL)
    return bare.translate(CLOSED) == bare and len(bare.split()) == 1


def text_of(value: Any) -> str:
    """A custom field's value as text: numbers and booleans as JSON writes them."""
    if isinstance(value, str):
        return value
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


def terms(query: str) -> tuple[Term, ...]:
    """The words and quoted phrases of a query; a contact must have every one."""
    parts = _TERM.findall(query.translate(_QUOTES))
    wanted = (" ".join((phrase or word).split()) for phrase, word in parts)
    found = (term(part) for part in wanted if part)
    return tuple(term for term in found if any(term.needles))  # bare marks fold to nothing


def term(part: str) -> Term:
    """One word or phrase."""
    literal = fold(part)
    spaced = " ".join(literal.translate(SPACED).split())
    if not spaced:
        return Term((literal,))  # nothing but punctuation: as it stands
    needles = [spaced]
    if spaced != literal:
        needles.append(literal.translate(CLOSED))
    if is_number(literal):
        number = number_of(literal)
        if number.international is not None:
            # Not the bare digits: +49 is a country, and no part of any number.
            needles = [literal] if literal[0] == "+" else needles
            needles.append(INTERNATIONAL + number.international)
            if len(number.national) > 1:
                needles.append(NATIONAL + number.national)
        elif " " in spaced:
            needles.append(digits_of(literal))
    return Term(tuple(dict.fromkeys(needles)))


def needles_of(wanted: tuple[Term, ...]) -> tuple[str, ...]:
    """What the terms are looked for as, each once."""
    return tuple({needle: None for term in wanted for needle in term.needles})


def matched_in(
    text: str, kinds: int, needles: tuple[str, ...], card: Callable[[], dict[str, Any]]
) -> tuple[str, ...]:
    """The fields in which a contact's text, of so many kinds of lines, has any of the needles."""
    count = (text.count("\n") + 1) // kinds
    found = set()
    for needle in needles:
        line = 0
        for before in text.split(needle)[:-1]:  # a third of the time of looking for one by one
            line += before.count("\n")
            found.add(line % count)
    places = tuple(sorted(found))
    if not places or places[-1] < len(FIELDS):
        return _names(places)
    names = [*FIELDS, *(f"custom_fields.{key}" for key in card().get("custom_fields", _NO_CUSTOM))]
    return tuple(names[place] for place in places)


@lru_cache(maxsize=1024)
def _names(places: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(FIELDS[place] for place in places)


def _literal(card: dict[str, Any]) -> str:
    """The folded fields that are searched, a line each."""
    values = [card.get(field, "") for field in FIELDS]
    values[0] = display_name(card)
    for name, place in _LISTS:
        if name in card:
            values[place] = BETWEEN.join(map(_text, card[name]))
    values += map(text_of, card.get("custom_fields", _NO_CUSTOM).values())
    joined = "\n".join(values)
    if joined.count("\n") >= len(values):  # long texts have lines of their own
        joined = "\n".join(value.replace("\n", " ") for value in values)
    return fold(joined)


def _text(item: Entry | str) -> str:
    """What of an entry is searched: not its label, which half of all entries share."""
    if isinstance(item, str):
        return item
    if "value" in item:
        return item["value"]
    return " ".join(item[part] for part in ADDRESS if part in item)
