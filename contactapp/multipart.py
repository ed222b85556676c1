"""A file that comes in a multipart body, read as it comes.

werkzeug's own parser puts a large file on the disk, in the open; this one holds it in memory, in
pieces, so let few in at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from .bodies import MULTIPART
from .errors import BadRequest, InvalidFields, TooLarge, UnsupportedMediaType
from .strict_json import is_storable

_AT_ONCE = 2**16  # bytes read at a time
_BUFFER = 2**20  # of what is not told apart yet
_MAX_PARTS = 20
_MAX_FIELD = 2**16  # bytes
_MAX_NAME = 255


class Upload(NamedTuple):
    """The part `file` in pieces of one size, but for the last, and its name."""

    name: str | None
    pieces: list[bytes]
    size: int


class _Part(NamedTuple):
    name: str
    file_name: str | None
    pieces: list[bytes]


def read_upload(limit: int, piece: int) -> tuple[Upload, dict[str, str]]:
    """The file of a multipart body, and its other fields; `limit` bytes are the most that the body
    may have. Raises 415, 413, 400 or 422."""
    request.max_content_length = limit
    if request.mimetype != MULTIPART:
        raise UnsupportedMediaType(detail=f"Send the file as {MULTIPART}.")
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary or not boundary.isascii():
        raise BadRequest(detail="The body's boundary is not said.")
    try:
        parts = list(_parts(boundary.encode(), limit, piece))
    except RequestEntityTooLarge:
        raise TooLarge() from None
    except ValueError:
        raise BadRequest(detail="The body is no form.") from None
    files = [part for part in parts if part.name == "file"]
    if len(files) != 1:
        raise InvalidFields.one("/file", "required", "Send one part named file.")
    [file] = files
    upload = Upload(_clean(file.file_name), file.pieces, sum(map(len, file.pieces)))
    return upload, _fields([part for part in parts if part is not file])


def _clean(name: str | None) -> str | None:
    """A file's name as it may be shown: the last part of a path, nothing that is no text."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    text = "".join(character for character in last if character.isprintable()).strip()
    return text[:_MAX_NAME] or None


def _fields(parts: list[_Part]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        if part.name in found:
            raise BadRequest(detail="The form has a field more than once.")
        try:
            text = b"".join(part.pieces).decode()
        except UnicodeDecodeError:
            raise BadRequest(detail="A part of the form is not UTF-8.") from None
        if not is_storable(part.name + text):
            raise InvalidFields.one("", "invalid_text", "Contains NUL or a surrogate.")
        found[part.name] = text
    return found


def _parts(boundary: bytes, limit: int, piece: int) -> Iterator[_Part]:
    # A request with an Idempotency-Key was read ahead.
    keyed = "HTTP_IDEMPOTENCY_KEY" in request.environ
    stream: Any = BytesIO(request.get_data()) if keyed else request.stream
    decoder = MultipartDecoder(boundary, max_form_memory_size=_BUFFER, max_parts=_MAX_PARTS)
    part, held, room = _Part("", None, []), bytearray(), limit
    while not isinstance(event := decoder.next_event(), Epilogue):
        if isinstance(event, NeedData):
            data = stream.read(_AT_ONCE)
            room -= len(data)
            if room < 0:
                raise TooLarge()
            decoder.receive_data(data or None)
        elif isinstance(event, File | Field):
            part, held = _Part(event.name, getattr(event, "filename", None), []), bytearray()
        elif isinstance(event, Data):
            held += event.data
            while len(held) >= piece:
                part.pieces.append(bytes(held[:piece]))
                del held[:piece]
            if part.name != "file" and len(held) + len(part.pieces) * piece > _MAX_FIELD:
                raise TooLarge()
            if not event.more_data:
                part.pieces.extend([bytes(held)] if held else [])
                yield part
