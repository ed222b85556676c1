"""What comes in, checked against schemas: the data of bodies (see `bodies`), and query strings.

Parsed queries are kept, because clients repeat them and parsing one costs more than the list it
asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from flask import request
from marshmallow import EXCLUDE, Schema, ValidationError, fields

from . import strict_json
from .errors import BadRequest, FieldError, InvalidFields, pointer_to

MAX_ID = 2**53 - 1
MAX_FIELDS = 1000

# marshmallow's own sentences, by which its errors get a stable code.
_CODES_BY_MESSAGE = {
    "Missing data for required field.": "required",
    "Unknown field.": "unknown_field",
    "Field may not be null.": "null",
}


class Problem(str):
    """A validation message with a stable code of its own."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, code: str, message: str) -> Problem:
        self = super().__new__(cls, message)
        self.code = code
        return self


def path_text(text: str, pointer: str) -> str:
    """A part of this request's path, which werkzeug has made text with U+FFFD for what is not.
    Raises InvalidFields where that was so."""
    if "\ufffd" in text:
        try:
            request.environ["PATH_INFO"].encode("latin-1").decode()
        except UnicodeDecodeError:
            problem = "Not percent-encoded UTF-8."
            raise InvalidFields.one(pointer, "invalid_text", problem) from None
    return text


def pairs_of(raw: bytes, code: str) -> list[tuple[str, str]]:
    """The names and values of a query string or form. Raises BadRequest for what is not ASCII
    percent-encoding of UTF-8; werkzeug would put U+FFFD in its place."""
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadRequest(code, "Not percent-encoded UTF-8.") from None


def loaded(schema: Schema, data: Any) -> dict[str, Any]:
    """Check data against a schema; raise InvalidFields with every error at once."""
    if not isinstance(data, Mapping):
        raise BadRequest(detail="The body must be a JSON object.")
    if len(data) > MAX_FIELDS:  # each unknown one would be an error to keep
        raise InvalidFields.one("", "too_many", f"At most {MAX_FIELDS} fields.")
    try:
        return schema.load(data)
    except ValidationError as error:
        raise InvalidFields(errors=list(field_errors(error.messages))) from None


def field_errors(messages: Any, pointer: str = "") -> list[FieldError]:
    """Flatten marshmallow's nested messages into pointers, codes and sentences."""
    if isinstance(messages, dict):
        found = []
        for key, value in messages.items():
            place = pointer if key == "_schema" else pointer + pointer_to(key)
            found += field_errors(value, place)
        return found
    texts = messages if isinstance(messages, list) else [messages]
    return [FieldError(pointer, _code_of(text), str(text)) for text in texts]


def _code_of(text: str) -> str:
    return getattr(text, "code", None) or _CODES_BY_MESSAGE.get(text, "invalid")


def parsed_query(schema: Schema, raw: bytes) -> dict[str, Any]:
    """Parse a query string against a schema. Raises BadRequest for repeated names, and for unknown
    ones unless the schema excludes them, InvalidFields for wrong values. The result is shared:
    treat it as read-only."""
    return _cached_query(schema, raw) if len(raw) <= 256 else _parse_query(schema, raw)


@lru_cache(maxsize=256)
def _by_data_key(schema: Schema) -> dict[str, fields.Field]:
    return {field.data_key or name: field for name, field in schema.fields.items()}


def _parse_query(schema: Schema, raw: bytes) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, value in pairs_of(raw, "bad_request"):
        _put(schema, data, name, value)
        if not strict_json.is_storable(name + value):
            where = f"?{name}" if strict_json.is_storable(name) else "?"
            raise InvalidFields.one(where, "invalid_text", "Contains NUL or a surrogate.")
    try:
        return schema.load(data)
    except ValidationError as error:
        found = field_errors(error.messages)
        names = ["?" + e.pointer.lstrip("/").replace("./", ".") for e in found]
        raise InvalidFields(
            errors=[e._replace(pointer=name) for e, name in zip(found, names, strict=True)]
        ) from None


def _put(schema: Schema, data: dict[str, Any], name: str, value: str) -> None:
    """Add one parameter to the data. A field called `custom.` takes all names that begin so, one
    that is `repeatable` a list of values."""
    known = _by_data_key(schema)
    prefix, dot, rest = name.partition(".")
    if dot and prefix + dot in known:
        place, key = data.setdefault(prefix + dot, {}), rest
    elif name in known:
        place, key = data, name
    elif schema.unknown == EXCLUDE:
        return
    else:
        unknown = "A query parameter is not known here."
        raise BadRequest("unknown_parameter", unknown, parameter=_shown(name))
    if getattr(known.get(name), "repeatable", False):
        place.setdefault(key, []).append(value)
        return
    if key in place:
        problem = f"{_shown(name)} came more than once."
        raise BadRequest("repeated_parameter", problem, parameter=_shown(name))
    place[key] = value


def _shown(name: str) -> str:
    return name[:80].encode("utf-8", "replace").decode()


_cached_query = lru_cache(maxsize=4096)(_parse_query)


def refuse_query() -> None:
    """For views that take no query string: any parameter is an unknown one."""
    name = request.query_string.split(b"=")[0].split(b"&")[0][:80].decode("ascii", "replace")
    raise BadRequest("unknown_parameter", "This route takes no query parameters.", parameter=name)
