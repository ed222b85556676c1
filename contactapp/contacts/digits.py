"""Phone numbers as they are looked for: by their digits, national and international. Pure.

A text that is searched has a line of digits for each number, behind marks that no contact and no
query holds: so an international needle meets only the beginning of a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from .folding import BETWEEN, CLOSED, fold

INTERNATIONAL, NATIONAL = "\x01", "\x02"
_NUMBER = re.compile(r"[+0-9()./\s-]+", re.ASCII)
_DIGIT = re.compile("[0-9]")
_NOT_DIGITS = re.compile("[^0-9]+")
# How country codes begin that have one digit or two (ITU-T E.164); all others have three.
_ONE_DIGIT = re.compile("[17]")
_TWO_DIGITS = re.compile("2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")


class Number(NamedTuple):
    """A phone number's digits: the whole with country code, if it says one, and the national
    form with the trunk prefix 0."""

    international: str | None
    national: str


def is_number(text: str) -> bool:
    """Whether it is a phone number or a part of one: digits and what people put between them."""
    folded = fold(text)
    return _NUMBER.fullmatch(folded) is not None and _DIGIT.search(folded) is not None


def number_of(text: str) -> Number:
    """The digits of a phone number. `+49 (0)151`, `0049 151` and `+49 151` are the same."""
    folded = fold(text).strip()
    digits = digits_of(folded)
    if folded.startswith("+"):
        digits = digits_of(folded.replace("(0)", ""))
    elif digits.startswith("00"):
        digits = digits[2:]
    else:
        return Number(None, digits)
    return _with_code(digits)


def digits_of(folded: str) -> str:
    """Nothing but the digits."""
    return _NOT_DIGITS.sub("", folded)


def phone_words(folded: str, entries: Iterable[dict[str, Any]]) -> str:
    """What search looks through of a contact's numbers: of each its digits, and what of its text
    is not in them. `folded` are their texts, with BETWEEN between them."""
    pairs = zip(folded.split(BETWEEN), entries, strict=True)
    return BETWEEN.join(_words(text, entry.get("e164")) for text, entry in pairs)


def phone_lines(phone: str, e164: str | None = None) -> str:
    """The lines of a phone number that filters look through, the first ones between line breaks."""
    folded = fold(phone)
    return "\n" + "\n".join(_forms(folded, e164)) + f"\n{folded}"


def whole_number(text: str) -> tuple[str, ...]:
    """Needles for phone_lines that find this number and no other. National and international forms
    of one number are equal."""
    folded = fold(text)
    [line], national = _forms(folded, None), f"{NATIONAL}{number_of(folded).national}"
    if line == national:
        return f"\n{line}\n", f" {line[1:]}\n"
    return f"\n{line}\n", f"\n{national}\n"


def _words(folded: str, e164: str | None) -> str:
    digits, closed = " ".join(_forms(folded, e164)), folded.translate(CLOSED)
    missing = any(part not in digits for part in closed.split())
    return f"{digits} {closed}" if missing else digits


def _forms(folded: str, e164: str | None) -> list[str]:
    """The digits of a number: as its text says them, and before these as its country's rules read
    it, where that is more."""
    number = number_of(folded)
    if number.national in {"", "0"}:  # written in another script's digits: as it stands
        forms = [folded]
    elif number.international is None:
        forms = [NATIONAL + number.national]
    else:
        forms = [_line(number)]
    if e164 and e164[1:] != number.international:
        read = _with_code(e164[1:])
        forms = [_line(read), *(forms if number.national != read.national else [])]
    return forms


def _line(number: Number) -> str:
    return f"{INTERNATIONAL}{number.international} {number.national}"


def _with_code(digits: str) -> Number:
    length = 1 if _ONE_DIGIT.match(digits) else 2 if _TWO_DIGITS.match(digits) else 3
    return Number(digits, "0" + digits[length:])
