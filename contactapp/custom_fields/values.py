"""Whether a custom field's value fits its definition, and its normal form. Pure.

What people type and what forms and files send is text, so text that says a number or a boolean is
taken for one. That is also how values are converted when a field gets another type.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from ..contacts.card import is_email, is_partial_date
from ..contacts.folding import fold
from ..contacts.search import text_of
from ..errors import FieldError, InvalidFields, pointer_to
from ..strict_json import MAX_INTEGER, has_control
from .definition import Definition

MAX_TEXT = 5000  # characters, as of any custom field
_MAX_URL = 2000
_MAX_EMAIL = 254
_MAX_NUMBER = 40
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SPACE = re.compile(r"\s")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,19}):")
# What a client may make a link of without running or reading anything on its own machine.
SCHEMES = (
    *("http", "https", "mailto", "tel", "sms", "ftp", "ftps", "sip", "sips", "xmpp", "geo"),
    *("matrix", "urn"),
)
_WITH_HOST = {"http", "https", "ftp", "ftps"}


Defined = Mapping[str, Definition]  # the definitions of a book, by key


class Unfit(Exception):
    """A value that is not of a definition's type: a stable code and a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def fitted(
    values: Mapping[str, Any] | None, card_before: Mapping[str, Any] | None, defined: Defined
) -> dict[str, Any]:
    """A card's custom fields in their normal form. Raises InvalidFields, naming each that does not
    fit.

    What a contact has already stays as it is, be it older than the definition: who changes a
    phone number must not be stopped by a field that somebody defined meanwhile.
    """
    found, problems = dict(values or {}), []
    before = (card_before or {}).get("custom_fields", {})
    for key, value in found.copy().items():
        if key not in defined or (key in before and same(before[key], value)):
            continue
        try:
            found[key] = converted(value, defined[key])
        except Unfit as error:
            pointer = pointer_to("custom_fields", key)
            problems.append(FieldError(pointer, error.code, error.detail))
    if problems:
        raise InvalidFields(errors=problems)
    return {key: value for key, value in found.items() if value is not None}


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: to Python 1, 1.0 and true are equal."""
    return orjson.dumps(one) == orjson.dumps(other)


def converted(value: Any, definition: Definition) -> Any:
    """A value as the definition's type has it; None for blank text, by which a form says that there
    is none. Raises Unfit."""
    if definition.type != "text" and isinstance(value, str) and not value.strip():
        return None
    return _OF_TYPE[definition.type](value, definition)


def _text(value: Any, _: Definition) -> str:
    return text_of(value)


def _number(value: Any, _: Definition) -> int | float:
    if isinstance(value, str):
        value = _number_in(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit("invalid_number", "Not a number.")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise Unfit("number_out_of_range", f"Beyond ±{MAX_INTEGER}.")
    if not math.isfinite(value):
        raise Unfit("number_out_of_range", "Too large.")
    return value


def _number_in(text: str) -> int | float | None:
    """The number that a text writes as JSON does; `1_000`, `inf` and other scripts' digits, which
    Python reads too, are none."""
    match = _NUMBER.fullmatch(text) if len(text) <= _MAX_NUMBER else None
    if match is None:
        return None
    return float(text) if match[1] or match[2] else int(text)


def _date(value: Any, _: Definition) -> str:
    text = text_of(value).strip()
    if isinstance(value, bool) or not is_partial_date(text):
        problem = "Not a date: YYYY-MM-DD, --MM-DD, YYYY or YYYY-MM."
        raise Unfit("invalid_date", problem)
    return text


def _boolean(value: Any, _: Definition) -> bool:
    if isinstance(value, bool):
        return value
    said = value.strip().lower() if isinstance(value, str) and len(value) < _MAX_NUMBER else ""
    if said not in {"true", "false"}:
        raise Unfit("invalid_boolean", "true or false.")
    return said == "true"


def _choice(value: Any, definition: Definition) -> str:
    """The choice as it is spelt in the definition; case and accents do not count."""
    text = text_of(value).strip()
    if text in definition.choices:
        return text
    if len(text) <= MAX_TEXT:
        wanted = fold(text)
        for choice in definition.choices:
            if fold(choice) == wanted:
                return choice
    raise Unfit("not_a_choice", "Not one of the choices.")


def _url(value: Any, _: Definition) -> str:
    text = _line(value, _MAX_URL)
    match = _SCHEME.match(text)
    if match is None or match[1].lower() not in SCHEMES or _SPACE.search(text):
        problem = f"Not a web address, or a link that begins with one of {', '.join(SCHEMES)}."
        raise Unfit("invalid_url", problem)
    scheme, rest = match[1].lower(), text[match.end() :]
    if not (_has_host(text) if scheme in _WITH_HOST else rest):
        raise Unfit("invalid_url", "The address says nothing after its beginning.")
    return f"{scheme}:{rest}"


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _email(value: Any, _: Definition) -> str:
    text = _line(value, _MAX_EMAIL)
    if not is_email(text):
        raise Unfit("invalid_email", "Not an e-mail address.")
    return text


def _line(value: Any, maximum: int) -> str:
    """One line of text, as a contact's own fields are."""
    if not isinstance(value, str):
        raise Unfit("wrong_type", "Not a string.")
    # Normalising long runs of marks takes quadratic time.
    text = unicodedata.normalize("NFC", value).strip() if len(value) <= 4 * maximum else value
    if len(text) > maximum:
        raise Unfit("too_long", f"At most {maximum} characters.")
    if has_control(text):
        raise Unfit("invalid_text", "Contains control characters.")
    return text


_OF_TYPE: dict[str, Callable[[Any, Definition], Any]] = {
    "text": _text,
    "number": _number,
    "date": _date,
    "boolean": _boolean,
    "choice": _choice,
    "url": _url,
    "email": _email,
}
