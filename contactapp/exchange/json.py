"""JSON of our own: everything that an export has, and nothing that an import could not take. Pure.

One document, `{"format":"contactapp","version":1,"contacts":[…]}`, with a contact on each line, so
that any program reads it whole and anybody reads it line by line. A contact has what the API takes,
and `uid`, `notes` (texts), `photo` (`{"type","data"}`, base64) and `vcard` (kept lines). Arrays of
contacts, and a contact on each line with nothing around, are read too.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ..errors import BadRequest, InvalidFields
from ..strict_json import parse
from .record import Photo, Problem, Record, Unreadable
from .vcard.properties import may_be_kept

MAX_CONTACT = 8 * 2**20  # bytes
_BEGIN = b'{"format":"contactapp","version":1,"contacts":['
_END = b"\n]}\n"
# Whatever wrote it again may have sorted its members.
_OURS = re.compile(
    rb'\s*\{\s*(?:"format"\s*:\s*"contactapp"\s*,\s*)?(?:"version"\s*:\s*(\d+)\s*,\s*)?'
    rb'(?:"format"\s*:\s*"contactapp"\s*,\s*)?"contacts"\s*:\s*\['
)
_LOOK = 4096  # bytes that tell what kind of document it is
_MAX_DEPTH = 1000  # brackets; a contact has fewer than 32
_MARKS = re.compile(rb'["{}\[\]]')
_IN_TEXT = re.compile(rb'["\\]')


def write(records: Iterable[Record]) -> Iterator[bytes]:
    """The document, a contact at a time, in their order (an export is ordered by uid)."""
    yield _BEGIN
    comma = b"\n"
    for record in records:
        yield comma + orjson.dumps(_as_object(record))
        comma = b",\n"
    yield _END


def _as_object(record: Record) -> dict[str, Any]:
    shown: dict[str, Any] = {"uid": record.uid} if record.uid else {}
    shown |= record.fields
    if record.notes:
        shown["notes"] = record.notes
    if photo := record.photo:
        shown["photo"] = {"type": photo.type, "data": base64.b64encode(photo.data).decode()}
    if record.kept:
        shown["vcard"] = record.kept
    return shown


def read(chunks: Iterable[bytes]) -> Iterator[Record | Problem]:
    """The contacts of a document, in its order, one at a time. Raises Unreadable where it is none,
    also when its end comes too soon."""
    for line, end, text in objects(chunks):
        if text is None:
            detail = f"The contact has more than {MAX_CONTACT} bytes."
            yield Problem(line, end, "contact_too_large", detail)
            continue
        try:
            yield _record(line, end, parse(text))
        except BadRequest as error:
            yield Problem(line, end, "malformed_contact", error.detail)
        except InvalidFields as error:
            yield Problem(line, end, "invalid_text", error.errors[0].detail)
        except _Wrong as error:
            yield Problem(line, end, "malformed_contact", str(error))


class _Wrong(ValueError):
    """A member of a contact that only files have is not what it must be."""


def _record(line: int, end: int, fields: dict[str, Any]) -> Record:
    record = Record(line, end)
    uid = fields.pop("uid", None)
    if not isinstance(uid, str | None):
        raise _Wrong("uid is not a string.")
    record.uid = uid or None
    record.notes = _texts(fields.pop("notes", None), "notes")
    kept = _texts(fields.pop("vcard", None), "vcard")
    record.kept = list(filter(may_be_kept, kept))
    if len(record.kept) < len(kept):
        detail = "A line of vcard that is no property was left out."
        record.warnings.append(Problem(line, end, "left_out", detail))
    record.photo = _photo(fields.pop("photo", None))
    record.fields = fields
    return record


def _texts(value: object, name: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise _Wrong(f"{name} is not an array of strings.")
    return value


def _photo(value: object) -> Photo | None:
    if value is None:
        return None
    try:
        kind, data = value["type"], base64.b64decode(value["data"], validate=True)  # type: ignore[index]
    except (KeyError, TypeError, ValueError, IndexError):
        raise _Wrong('photo is not {"type", "data"} with data in base64.') from None
    if not isinstance(kind, str | None):
        raise _Wrong("The type of photo is not a string.")
    return Photo(kind, data)


def objects(chunks: Iterable[bytes]) -> Iterator[tuple[int, int, bytes | None]]:
    """The lines and bytes of each contact of a document; no bytes where they are too many. Raises
    Unreadable."""
    pieces = iter(chunks)
    start = b""
    while len(start) < _LOOK and (piece := next(pieces, None)) is not None:
        start += piece
    start = start.removeprefix(b"\xef\xbb\xbf")
    splitter = _Splitter(_depth(start))
    yield from splitter.feed(start)
    for piece in pieces:
        yield from splitter.feed(piece)
    splitter.finish()


def _depth(start: bytes) -> int:
    """How many brackets are open where a contact begins."""
    if match := _OURS.match(start):
        if match[1] not in (None, b"1"):
            raise Unreadable("The file was written by a later version of contactapp.")
        return 2
    first = start.lstrip()[:1]
    if first not in (b"[", b"{"):
        raise Unreadable("The file is no JSON of contacts.")
    return 1 if first == b"[" else 0


class _Splitter:
    """Finds the objects at one depth. Each byte is looked at once, whatever the pieces."""

    def __init__(self, depth: int) -> None:
        self._wanted = depth
        self._depth = 0
        self._in_text = self._escaped = False
        self._parts: list[bytes] | None = None  # of the object that is open
        self._size = 0
        self._line = self._begun = 1

    def feed(self, piece: bytes) -> Iterator[tuple[int, int, bytes | None]]:
        at = start = counted = 0
        while match := self._next_mark(piece, at):
            mark, at = match[0], match.end()
            if self._in_text:
                self._escaped = mark == b"\\"
                self._in_text = mark == b"\\"
            elif mark == b'"':
                self._in_text = True
            elif mark in b"{[":
                if self._depth == self._wanted and mark == b"{":
                    self._line += piece.count(b"\n", counted, at)
                    counted, start = at, at - 1
                    self._parts, self._size, self._begun = [], 0, self._line
                self._depth += 1
                if self._depth > _MAX_DEPTH:
                    raise Unreadable("The file is nested too deeply.")
            else:
                self._depth -= 1
                if self._depth < 0:
                    raise Unreadable("The file is no JSON: brackets do not match.")
                if self._depth == self._wanted and self._parts is not None:
                    self._line += piece.count(b"\n", counted, at)
                    counted = at
                    self._keep(piece[start:at])
                    whole = b"".join(self._parts) if self._size <= MAX_CONTACT else None
                    yield self._begun, self._line, whole
                    self._parts = None
        if self._parts is not None:
            self._keep(piece[start:])
        self._line += piece.count(b"\n", counted)

    def _next_mark(self, piece: bytes, at: int) -> re.Match[bytes] | None:
        if self._escaped and at < len(piece):  # what follows a backslash means nothing
            self._escaped, at = False, at + 1
        return (_IN_TEXT if self._in_text else _MARKS).search(piece, at)

    def _keep(self, part: bytes) -> None:
        assert self._parts is not None
        self._size += len(part)
        if self._size <= MAX_CONTACT:
            self._parts.append(part)

    def finish(self) -> None:
        if self._depth or self._in_text:
            raise Unreadable("The file ends too soon.")
