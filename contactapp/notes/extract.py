r"""What a text mentions: addresses, numbers, links, tags, people and days. Pure.

Each kind is looked for in what the ones before it left, so that the digits of a link are no phone
number and the host of an address is nobody. Every pattern is linear: what repeats is possessive or
of characters that cannot begin what follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial

KINDS = ("emails", "phones", "urls", "hashtags", "mentions", "dates")

_URL = re.compile(r"(?<![\w@.+-])(?:https?://|www\.)[^\s<>\"'`{}|\\^]++", re.IGNORECASE)
_AFTER_URL = ".,;:!?)]»”’*_~"
_EMAIL = re.compile(
    r"(?<![\w.+%-])[A-Za-z0-9][\w.+%-]{0,63}+@"
    r"(?:[^\W_][^\W_-]{0,61}+(?:-++[^\W_]++)*+\.(?=[^\W_]))++[^\W\d_]{2,24}\b"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<![\w./-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d/-]|\.\d)", re.A), "ymd"),
    # 3.11.2026 is the third of November wherever points are used; 3/11/2026 may be either.
    (re.compile(r"(?<![\w./-])(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})(?![\w/-]|\.\d)", re.A), "dmy"),
    (re.compile(rf"(?<!\w)(\d{{1,2}})(?:st|nd|rd|th|\.)? {_MONTH},? (\d{{4}})(?!\w)", re.I), "dmy"),
    (re.compile(rf"(?<!\w){_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})(?!\w)", re.I), "mdy"),
)
# At most so many digits, or text of digits and spaces would be read from each of them to its end.
_PHONE = re.compile(r"(?<![\w#@.,/-])\+?\(?\d(?:[ ./()-]{0,2}+\d){5,20}+(?![\w@]|[.,]\d)", re.ASCII)
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15  # ITU-T E.164; fewer are a house number or a year
_FEWEST_BARE = 10
_HASHTAG = re.compile(r"(?<![\w&#/])#(\w{1,100}+)")
_MENTION = re.compile(r"(?<![\w@./])@([^\W_](?:[\w.-]{0,62}[^\W_])?)")
_WORD = re.compile(r"\S++")
_DIGIT = re.compile("[0-9]")


def extracted(text: str) -> dict[str, list[str]]:
    """Lists by KINDS, each value once: days as YYYY-MM-DD and in their order, tags and people
    without their sign, all else as it stands, in the order of the text."""
    found: dict[str, list[str]] = {}
    found["urls"], text = _taken(_URL, text, _url)
    found["emails"], text = _taken(_EMAIL, text, lambda match: match[0])
    days: list[str] = []
    for pattern, order in _DATES:
        some, text = _taken(pattern, text, partial(_day, order))
        days += some
    found["dates"] = sorted(set(days))
    found["phones"], text = _taken(_PHONE, text, _phone)
    found["hashtags"], text = _taken(_HASHTAG, text, _tag)
    found["mentions"], text = _taken(_MENTION, text, lambda match: match[1])
    return found


def phones(text: str) -> list[str]:
    """Only the phone numbers."""
    return extracted(text)["phones"] if _DIGIT.search(text) else []


def word_count(text: str) -> int:
    """How many words it has: what stands between spaces and has a letter or digit."""
    return sum(1 for word in _WORD.findall(text) if any(map(str.isalnum, word)))


def _taken(
    pattern: re.Pattern[str], text: str, value_of: Callable[[re.Match[str]], str | None]
) -> tuple[list[str], str]:
    """What the pattern finds, and the text with spaces where that stood."""
    found: dict[str, None] = {}
    parts, end = [], 0
    for match, value in _matches(pattern, text, value_of):
        found[value] = None
        parts += [text[end : match.start()], " " * (match.end() - match.start())]
        end = match.end()
    return list(found), "".join([*parts, text[end:]])


def _matches(
    pattern: re.Pattern[str], text: str, value_of: Callable[[re.Match[str]], str | None]
) -> Iterator[tuple[re.Match[str], str]]:
    for match in pattern.finditer(text):
        value = value_of(match)
        if value is not None:
            yield match, value


def _url(match: re.Match[str]) -> str | None:
    """Without the marks that end a sentence; a bracket stays where one was opened inside."""
    url = match[0]
    end, unopened = len(url), url.count(")") - url.count("(")
    while end and url[end - 1] in _AFTER_URL:
        if url[end - 1] == ")":
            if unopened <= 0:
                break
            unopened -= 1
        end -= 1
    url = url[:end]
    return url if "." in url or "localhost" in url else None


def _day(order: str, match: re.Match[str]) -> str | None:
    parts = [part for part in match.groups() if part not in {"-", "/", "."}]
    part = dict(zip(order, parts, strict=True))
    try:
        return date(int(part["y"]), _month(part["m"]), int(part["d"])).isoformat()
    except ValueError:
        return None


def _month(text: str) -> int:
    return int(text) if text.isdigit() else _MONTHS.index(text[:3].lower()) + 1


def _phone(match: re.Match[str]) -> str | None:
    """The number, unless it counts something else: bare digits are a number from ten on only."""
    number = match[0].strip()
    if number.count("(") != number.count(")"):
        number = number.strip("()")
    fewest = _FEWEST_BARE if number.isdigit() and number[0] != "0" else _FEWEST_DIGITS
    digits = len(_DIGIT.findall(number))
    if not fewest <= digits <= _MOST_DIGITS or _IPV4.fullmatch(number):
        return None
    return number


def _tag(match: re.Match[str]) -> str | None:
    return match[1] if any(character.isalpha() for character in match[1]) else None
