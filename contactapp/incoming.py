"""What comes in: JSON and form bodies and query strings, checked against schemas.

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
from werkzeug.exceptions import RequestEntityTooLarge

from . import strict_json
from .answers import JSON
from .errors import (
    BadRequest,
    FieldError,
    InvalidFields,
    TooLarge,
    UnsupportedMediaType,
    pointer_to,
)

MAX_ID = 2**53 - 1
MAX_FIELDS = 1000
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

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


def read_json() -> Any:
    """The request's JSON body. Raises 415, 413, 400 or 422 (see strict_json)."""
    if not request.is_json:
        raise UnsupportedMediaType(detail=f"Send the body as {JSON}.")
    return strict_json.parse(_raw_body())


def read_form() -> dict[str, str]:
    """The request's form body, each name once; multipart too, as browsers' FormData is sent. Raises
    415, 413, 400 or 422."""
    if request.mimetype not in {FORM, MULTIPART}:
        raise UnsupportedMediaType(detail=f"Send the body as {JSON} or {FORM}.")
    found: dict[str, str] = {}
    for name, value in _form_parts() if request.mimetype == MULTIPART else _form_pairs():
        if name in found:
            raise BadRequest(detail="The form has a field more than once.")
        if not strict_json.is_storable(name + value):
            raise InvalidFields.one(
                pointer_to(name), "invalid_text", "Contains NUL or a surrogate."
            )
        found[name] = value
    return found


def _form_pairs() -> list[tuple[str, str]]:
    raw = _raw_body()
    if raw.count(b"&") >= MAX_FIELDS:
        raise TooLarge(detail=f"A form has at most {MAX_FIELDS} fields.")
    return _pairs(raw, "malformed_body")


def _form_parts() -> list[tuple[str, str]]:
    try:
        parts = list(request.form.items(multi=True))
        files = list(request.files)
    except RequestEntityTooLarge:
        raise TooLarge() from None
    if files:
        raise InvalidFields.one(pointer_to(files[0]), "wrong_type", "Not a text.")
    # werkzeug puts U+FFFD where a part is no UTF-8; nobody types one.
    if any("\ufffd" in name + value for name, value in parts):
        raise BadRequest(detail="A part of the form is not UTF-8.")
    return parts


def file_body(*types: str) -> dict[str, Any]:
    """How the OpenAPI document describes what `read_file` takes: a file of one of these types."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    form = {
        "type": "object",
        "properties": {"file": binary["schema"]},
        "required": ["file"],
    }
    return {
        "required": True,
        "content": {MULTIPART: {"schema": form}, **dict.fromkeys(types, binary)},
    }


def read_file(limit: int) -> bytes:
    """The one file of a multipart body's part `file`, or the body itself. Raises 415, 413, 400 or
    422; `limit` bytes are the most."""
    request.max_content_length = limit
    if request.mimetype != MULTIPART:
        if request.mimetype in {JSON, FORM}:
            raise UnsupportedMediaType(detail=f"Send the file as it is, or as {MULTIPART}.")
        return _raw_body()
    try:
        files = request.files.getlist("file")
    except RequestEntityTooLarge:
        raise TooLarge() from None
    try:
        if len(files) != 1:
            raise InvalidFields.one("/file", "required", "Send one part named file.")
        return files[0].stream.read()
    finally:
        for _, file in request.files.items(multi=True):
            file.close()


def read_ahead(times: int) -> bytes:
    """The request's body, which its view can read once more; it may have `times` the size of
    others. Raises 413."""
    request.max_content_length = times * (request.max_content_length or 0)
    return _raw_body(cache=True)


def _raw_body(*, cache: bool = False) -> bytes:
    try:
        raw = request.get_data(cache=cache)
    except RequestEntityTooLarge:
        raise TooLarge() from None
    # A body that does not say its length is cut off at the limit without an error.
    if request.content_length is None and len(raw) >= (request.max_content_length or MAX_ID):
        raise TooLarge()
    return raw


def _pairs(raw: bytes, code: str) -> list[tuple[str, str]]:
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
    for name, value in _pairs(raw, "bad_request"):
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
