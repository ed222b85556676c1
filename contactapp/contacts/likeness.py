"""How much two contacts look like the same person, and why. Pure.

A score is between 0 and 1. Each thing that agrees closes a part of the distance to 1 that the
others left (`1 - (1 - a)(1 - b)…`), and what contradicts it takes its share off the whole:

| reason | weight |
|---|---|
| `same_email` | 0.8 |
| `same_phone` | 0.7 |
| `same_birthday` | 0.6; 0.3 where one of them has no year |
| `same_name` | 0.5, also with first and last name the other way round |
| `similar_name` | 0.4: one slip of the pen, an initial, further names, or a nickname of theirs |
| `same_company` | 0.2 |
| `different_name` | times 0.5: people of a household, or of an office |
| `different_birthday` | times 0.6 |

So a name alone is 0.5, and only what is nobody else's reaches 0.8.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .digits import number_of
from .entries import entries_of
from .folding import CLOSED, fold

_WEIGHTS = {
    "same_email": 0.8,
    "same_phone": 0.7,
    "same_birthday": 0.6,
    "same_name": 0.5,
    "similar_name": 0.4,
    "same_company": 0.2,
}
_FACTORS = {"different_name": 0.5, "different_birthday": 0.6}
_SAME_DAY = 0.3  # of a birthday without its year
_SLIPPED = range(4, 25)  # letters of a word in which one slip is still the same word
_MIN_DIGITS = 6  # of a phone number that is not everybody's, as 112 is


class Reason(NamedTuple):
    """One thing that speaks for or against: its code, and the values that it is about, once where
    they are written alike."""

    code: str
    values: tuple[str, ...]


class Birthday(NamedTuple):
    """What of a birthday is known, each as it is written, else empty."""

    year: str
    month: str
    day: str


_UNKNOWN = Birthday("", "", "")


class Traits(NamedTuple):
    """What of a contact is compared, folded. `names` has the name in one order, whichever is the
    first one, and the same with the nickname for the first; `short` is the first word of the first
    name and the last of the last one. `emails` and `phones` are by their folded form the text that
    the contact has; of a number also the country's form, where it says one."""

    id: int
    first: str
    last: str
    names: tuple[str, ...]
    short: tuple[str, str]
    personal: bool  # named by first or last name
    emails: dict[str, str]
    phones: dict[str, tuple[str | None, str]]
    birthday: Birthday
    company: str
    shown: tuple[str, str, str]  # name, birthday and company as the contact has them


def traits(contact_id: int, card: dict[str, Any]) -> Traits:
    """What of a card is compared."""
    get = card.get
    first, last = _plain(get("first_name")), _plain(get("last_name"))
    nickname, company = _plain(get("nickname")), _plain(get("company"))
    personal = bool(first or last)
    if not personal:
        first, nickname, company = nickname or company, "", nickname and company
    named = (
        [get("first_name"), get("last_name")] if personal else [get("nickname") or get("company")]
    )
    shown = " ".join(part for part in named if part)
    return Traits(
        contact_id,
        first,
        last,
        _names_of(first, last, nickname),
        (first.split(" ", 1)[0], last.rsplit(" ", 1)[-1]),
        personal,
        {fold(entry["value"]): entry["value"] for entry in entries_of(card, "emails")},
        dict(_numbers(card)),
        _birthday(get("birthday") or ""),
        company,
        (shown, get("birthday") or "", get("company") or ""),
    )


def _plain(text: str | None) -> str:
    """Words as people compare them: `O'Neil-Smith ` is `oneilsmith`, `Anna  Maria` `anna maria`."""
    return " ".join(fold(text).translate(CLOSED).split()) if text else ""


def _names_of(first: str, last: str, nickname: str) -> tuple[str, ...]:
    given = (first, nickname) if nickname and last else (first,) if first or last else ()
    return tuple(f"{name} {last}" if name <= last else f"{last} {name}" for name in given)


def _numbers(card: dict[str, Any]) -> Iterator[tuple[str, tuple[str | None, str]]]:
    """The numbers by their national digits, which each way of writing has."""
    for entry in entries_of(card, "phones"):
        number = number_of(entry.get("e164") or entry["value"])
        digits = number.national.lstrip("0")
        if len(digits) >= _MIN_DIGITS:
            yield digits, (number.international, entry["value"])


def _birthday(text: str) -> Birthday:
    """The parts of `YYYY-MM-DD`, `--MM-DD`, `YYYY` and `YYYY-MM`."""
    if not text:
        return _UNKNOWN
    if text.startswith("--"):
        return Birthday("", text[2:4], text[5:7])
    return Birthday(text[:4], text[5:7], text[8:10])


def score(one: Traits, other: Traits) -> float:
    """How alike they are."""
    open_, factor = 1.0, 1.0
    for code, weight in _found(one, other):
        if code in _FACTORS:
            factor *= weight
        else:
            open_ *= 1 - weight
    return round((1 - open_) * factor, 2)


def reasons(one: Traits, other: Traits) -> list[Reason]:
    """What the score is made of, what weighs most first."""
    return [
        Reason(code, tuple(dict.fromkeys(_values(code, one, other))))
        for code, _ in _found(one, other)
    ]


def _values(code: str, one: Traits, other: Traits) -> list[str]:
    if code == "same_email":
        shared = one.emails.keys() & other.emails.keys()
        return [who.emails[key] for key in sorted(shared) for who in (one, other)]
    if code == "same_phone":
        return [who.phones[key][1] for key in _same_numbers(one, other) for who in (one, other)]
    place = 1 if "birthday" in code else 2 if "company" in code else 0
    return [one.shown[place], other.shown[place]]


def _found(one: Traits, other: Traits) -> Iterator[tuple[str, float]]:
    """The codes that hold of two contacts, each with its weight or factor."""
    if not one.emails.keys().isdisjoint(other.emails):
        yield "same_email", _WEIGHTS["same_email"]
    if not one.phones.keys().isdisjoint(other.phones) and _same_numbers(one, other):
        yield "same_phone", _WEIGHTS["same_phone"]
    birthday = _birthdays(one.birthday, other.birthday)
    if birthday > 0:
        yield "same_birthday", birthday
    name = _names(one, other)
    if name in _WEIGHTS:
        yield name, _WEIGHTS[name]
    if one.company and one.company == other.company:
        yield "same_company", _WEIGHTS["same_company"]
    if name in _FACTORS:
        yield name, _FACTORS[name]
    if birthday < 0:
        yield "different_birthday", _FACTORS["different_birthday"]


def _same_numbers(one: Traits, other: Traits) -> list[str]:
    """The numbers of both: national digits may be two countries', where both say which."""
    shared = one.phones.keys() & other.phones.keys()
    countries = ((key, {one.phones[key][0], other.phones[key][0]} - {None}) for key in shared)
    return sorted(key for key, said in countries if len(said) < 2)


def _birthdays(one: Birthday, other: Birthday) -> float:
    """What the same birthday weighs; negative where they contradict each other."""
    if one is _UNKNOWN or other is _UNKNOWN:
        return 0
    for a, b in zip(one, other, strict=True):
        if a != b and a and b:
            return -1
    if not (one.day and other.day):
        return 0  # a year alone is that of thousands
    return _WEIGHTS["same_birthday"] if one.year and other.year else _SAME_DAY


def _names(one: Traits, other: Traits) -> str:
    """Which code their names give, or none: who has half a name may be anybody."""
    ones, others = one.names, other.names
    if not (ones and others):
        return ""
    if ones[0] == others[0]:
        return "same_name"
    if any(name in others for name in ones) or _similar(one, other):
        return "similar_name"
    if not (one.personal and other.personal):
        return ""
    # Who marries keeps the first name; who shares the last one is a relative.
    if one.first and other.first:
        return "" if one.first == other.first else "different_name"
    return "different_name" if one.last and other.last and one.last != other.last else ""


def _similar(one: Traits, other: Traits) -> bool:
    if one.first == other.first:
        return is_slip(one.last, other.last)
    if one.last == other.last and is_slip(one.first, other.first):
        return True
    if one.last and one.last == other.last and _is_initial(one.first, other.first):
        return True
    return all(one.short) and one.short == other.short


def _is_initial(one: str, other: str) -> bool:
    return bool(one and other) and one[0] == other[0] and 1 in {len(one), len(other)}


def is_slip(one: str, other: str) -> bool:
    """Whether one letter is missing, too many or another one, or two neighbours are swapped."""
    if len(one) < len(other):
        one, other = other, one
    if len(one) not in _SLIPPED or len(one) - len(other) > 1:
        return False
    start = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other)
    )
    if len(one) > len(other):
        return one[start + 1 :] == other[start:]
    swapped = other[start + 1 : start + 2] + other[start : start + 1] + other[start + 2 :]
    return one[start + 1 :] == other[start + 1 :] or one[start:] == swapped


def slips(word: str) -> list[str]:
    """What two words of which one is a slip of the other have in common: a word, and each form of
    it with a letter less."""
    if len(word) + 1 not in _SLIPPED and len(word) not in _SLIPPED:
        return []
    return [word, *dict.fromkeys(word[:n] + word[n + 1 :] for n in range(len(word)))]
