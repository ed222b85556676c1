"""Strict JSON in (RFC 8259, I-JSON of RFC 7493): what one engine or client would read otherwise
than another is refused before anything is stored.

Read with the standard library: orjson keeps the last of duplicate keys, nests to 1024, passes NUL
and turns integers from 2^64 into floats.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from .errors import MAX_ERRORS, BadRequest, FieldError, InvalidFields

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1  # beyond it JavaScript clients lose digits
_TOO_LARGE = MAX_INTEGER + 1
# A string that never ends is taken to the end of the body: looking for its end again from every
# quote inside it would take time in the square of the body's length.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# NUL and surrogates come only as escapes, a number over 2^53 - 1 has at least 16 digits.
_SUSPICIOUS = re.compile(rb"\\u|[0-9]{16}")


def parse(raw: bytes) -> Any:
    """Parse one JSON text.

    Raises BadRequest (`malformed_body`) for anything but UTF-8 JSON of at most 32 levels with
    unique keys and finite numbers; InvalidFields for NUL, lone surrogates and integers beyond
    2^53 - 1, naming each place.
    """
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise BadRequest(detail="The body starts with a byte order mark; send plain UTF-8.")
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and not _is_shallow(raw):
        raise BadRequest(detail=f"Brackets do not match, or nest deeper than {MAX_DEPTH} levels.")
    try:
        value = _DECODER.decode(raw.decode())
    except UnicodeDecodeError:
        raise BadRequest(detail="The body is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(detail=f"The body is not valid JSON ({where}).") from None
    if _SUSPICIOUS.search(raw):
        problems: list[FieldError] = []
        _check(value, "", problems)
        if problems:
            raise InvalidFields(errors=problems)
    return value


def is_storable(text: str) -> bool:
    """Whether both engines can store the text: no NUL and no lone surrogate."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def has_control(text: str) -> bool:
    """Whether the text has control characters (Unicode's category Cc)."""
    return _CONTROL.search(text) is not None


def _is_shallow(raw: bytes) -> bool:
    """Whether at most MAX_DEPTH brackets are open anywhere: each round takes the innermost away."""
    brackets = _STRING.sub(b"", raw).translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
    return not brackets


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise BadRequest(detail="An object in the body has the same key twice.")
    return result


def _integer(text: str) -> int:
    # Longer numbers are all the same to us, and int() refuses more than 4 300 digits.
    return int(text) if len(text) <= 17 else _TOO_LARGE


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadRequest(detail="A number in the body is too large.")
    return value


def _constant(text: str) -> Any:
    raise BadRequest(detail=f"{text} is not JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=_constant,
)


def _check(value: Any, pointer: str, problems: list[FieldError]) -> None:
    if len(problems) >= MAX_ERRORS:
        return
    if isinstance(value, str):
        if not is_storable(value):
            problems.append(
                FieldError(pointer, "invalid_text", "Contains NUL or a lone surrogate.")
            )
    elif isinstance(value, dict):
        for key, member in value.items():
            # The pointer shows the key escaped (RFC 6901), so that a broken key can be answered.
            place = f"{pointer}/{_printable(key)}"
            if not is_storable(key):
                problems.append(FieldError(place, "invalid_text", "A key has NUL or a surrogate."))
            _check(member, place, problems)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            _check(member, f"{pointer}/{index}", problems)
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        problems.append(
            FieldError(pointer, "number_out_of_range", f"Integers go to ±{MAX_INTEGER}.")
        )


def _printable(key: str) -> str:
    cleaned = key.replace("~", "~0").replace("/", "~1").replace("\0", "\ufffd")
    return cleaned.encode("utf-8", "replace").decode()
