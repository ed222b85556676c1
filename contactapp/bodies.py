"""Bodies of requests: JSON, forms and files, as they were sent."""

from __future__ import annotations

from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from . import strict_json
from .answers import JSON
from .errors import BadRequest, InvalidFields, TooLarge, UnsupportedMediaType, pointer_to
from .incoming import MAX_FIELDS, MAX_ID, pairs_of

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


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
    return pairs_of(raw, "malformed_body")


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
