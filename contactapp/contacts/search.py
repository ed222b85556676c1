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
from typing import Any, NamedTuple

from .card import display_name
from .folding import CLOSED, SPACED, fold

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
)
MAX_TERMS = 20
_PHONE = FIELDS.index("phone")
_NO_CUSTOM: dict[str, Any] = {}
_QUOTES = str.maketrans(dict.fromkeys("“”„«»", '"'))
# What follows +49 in digits belongs to the same number.
_TERM = re.compile(r'"([^"]*)"|(\+[0-9][0-9()./\s-]*(?![^\s"])|[^\s"]+)')
_SPACES = re.compile(" {2,}")
_NUMBER = re.compile(r"[+0-9()./\s-]+", re.ASCII)
_DIGIT = re.compile("[0-9]")
_NOT_DIGITS = re.compile("[^0-9]+")
# Marks before a number in a haystack; neither contacts nor queries may hold control characters
# there, so an international needle meets only the beginning of a number.
_INTERNATIONAL, _NATIONAL = "\x01", "\x02"
# How country codes begin that have one digit or two (ITU-T E.164); all others have three.
_ONE_DIGIT = re.compile("[17]")
_TWO_DIGITS = re.compile("2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")


class Term(NamedTuple):
    """One word or quoted phrase: it matches where any of its needles is in a line."""

    needles: tuple[str, ...]


class Number(NamedTuple):
    """A phone number's digits: the whole with country code, if it says one, and the national
    form with the trunk prefix 0."""

    international: str | None
    national: str


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
    if phone:
        first[_PHONE], second[_PHONE], third[_PHONE] = _phone_words(phone), phone, ""
    return "\n".join((*first, *second, *third))


def words(card: dict[str, Any]) -> str:
    """What search looks through for plain words: the same with punctuation taken out."""
    literal = _literal(card)
    lines = literal.translate(CLOSED).split("\n")
    if lines[_PHONE]:
        lines[_PHONE] = _phone_words(literal.split("\n")[_PHONE])
    return "\n".join(lines)


def _phone_words(phone: str) -> str:
    """A number's digits, and what is not in them of the number without its punctuation."""
    digits, closed = _phone_line(phone), phone.translate(CLOSED)
    missing = any(part not in digits for part in closed.split())
    return f"{digits} {closed}" if missing else digits


def is_plain(needle: str) -> bool:
    """Whether words() has it wherever haystack() does: letters and digits, and nothing between."""
    bare = needle.lstrip(_INTERNATIONAL + _NATIONAL)
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
            needles.append(_INTERNATIONAL + number.international)
            if len(number.national) > 1:
                needles.append(_NATIONAL + number.national)
        elif " " in spaced:
            needles.append(_NOT_DIGITS.sub("", literal))
    return Term(tuple(dict.fromkeys(needles)))


def is_number(text: str) -> bool:
    """Whether it is a phone number or a part of one: digits and what people put between them."""
    folded = fold(text)
    return _NUMBER.fullmatch(folded) is not None and _DIGIT.search(folded) is not None


def number_of(text: str) -> Number:
    """The digits of a phone number. `+49 (0)151`, `0049 151` and `+49 151` are the same."""
    folded = fold(text).strip()
    digits = _NOT_DIGITS.sub("", folded)
    if folded.startswith("+"):
        digits = _NOT_DIGITS.sub("", folded.replace("(0)", ""))
    elif digits.startswith("00"):
        digits = digits[2:]
    else:
        return Number(None, digits)
    return Number(digits, "0" + digits[_country_code_length(digits) :])


def needles_of(wanted: tuple[Term, ...]) -> tuple[str, ...]:
    """What the terms are looked for as, each once."""
    return tuple({needle: None for term in wanted for needle in term.needles})


def matched_in(
    text: str, kinds: int, needles: tuple[str, ...], card: Callable[[], dict[str, Any]]
) -> list[str]:
    """The fields in which a contact's text, of so many kinds of lines, has any of the needles."""
    count = (text.count("\n") + 1) // kinds
    found = set()
    for needle in needles:
        line = 0
        for before in text.split(needle)[:-1]:  # a third of the time of looking for one by one
            line += before.count("\n")
            found.add(line % count)
    places = sorted(found)
    if not places or places[-1] < len(FIELDS):
        return [FIELDS[place] for place in places]
    names = [*FIELDS, *(f"custom_fields.{key}" for key in card().get("custom_fields", _NO_CUSTOM))]
    return [names[place] for place in places]


def phone_lines(phone: str) -> str:
    """The lines of a phone number in a haystack, the first between line breaks."""
    folded = fold(phone)
    return f"\n{_phone_line(folded)}\n{folded}"


def whole_number(text: str) -> tuple[str, ...]:
    """Needles for phone_lines that find this number and no other. National and international forms
    of one number are equal."""
    folded = fold(text)
    line, national = _phone_line(folded), f"{_NATIONAL}{number_of(folded).national}"
    if line == national:
        return f"\n{line}\n", f" {line[1:]}\n"
    return f"\n{line}\n", f"\n{national}\n"


def _literal(card: dict[str, Any]) -> str:
    """The folded fields that are searched, a line each."""
    values = [card.get(field, "") for field in FIELDS]
    values[0] = display_name(card)
    values += map(text_of, card.get("custom_fields", _NO_CUSTOM).values())
    joined = "\n".join(values)
    if joined.count("\n") >= len(values):  # long texts have lines of their own
        joined = "\n".join(value.replace("\n", " ") for value in values)
    return fold(joined)


def _phone_line(folded: str) -> str:
    number = number_of(folded)
    if number.national in {"", "0"}:  # written in another script's digits: as it stands
        return folded
    if number.international is None:
        return _NATIONAL + number.national
    return f"{_INTERNATIONAL}{number.international} {number.national}"


def _country_code_length(digits: str) -> int:
    if _ONE_DIGIT.match(digits):
        return 1
    return 2 if _TWO_DIGITS.match(digits) else 3
