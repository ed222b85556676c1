"""A row of a file as a contact of the API, or what keeps it from being one. No database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from ..contacts.schemas import ContactInput
from ..contacts.service import comparable, display_name, numbered_here
from ..errors import InvalidFields
from ..exchange.service import Photo, Problem, Record, without_uid
from ..incoming import loaded
from ..notes.note import normal
from ..strict_json import has_control

MAX_UID = 255
MAX_KEPT = 65_536  # characters
MAX_NOTES = 1000
MAX_PROBLEMS = 20  # told of a row
_INPUT = ContactInput()
_OUR_UID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)
_NEVER_TOLD = ("photo", "vcard")


class Checked(NamedTuple):
    """A row: `fields` as the API takes them, None where the row is refused; `problems` say why, or
    what of it was left out."""

    row: int
    line: int
    end: int
    name: str | None
    fields: dict[str, Any] | None
    problems: list[dict[str, Any]]
    uid: str | None = None
    kept: list[str] = []
    notes: list[str] = []
    photo: Photo | None = None

    @property
    def own_uid(self) -> str | None:
        """Its UID where it is one that a contact can have here."""
        return self.uid if self.uid and _OUR_UID.fullmatch(self.uid) else None


def check(row: int, found: Record | Problem) -> Checked:
    """Hold a row against the schema that the API's own bodies are held against."""
    if isinstance(found, Problem):
        return Checked(row, found.line, found.end, None, None, [_of_file(found)])
    problems = [_of_file(warning) for warning in found.warnings]
    place = (row, found.line, found.end)
    try:
        fields = numbered_here(loaded(_INPUT, found.fields))
        notes = _notes(found)
    except InvalidFields as error:
        name = str(found.fields.get("name") or found.fields.get("last_name") or "")[:100] or None
        told = [{"line": found.line, **one._asdict()} for one in error.errors[:MAX_PROBLEMS]]
        return Checked(*place, name, None, told)
    uid = _uid(found, problems)
    kept = _kept(found, problems)
    name = display_name({**fields, **_first(fields)}) or fields.get("name")
    return Checked(*place, name, fields, problems[:MAX_PROBLEMS], uid, kept, notes, found.photo)


def _first(fields: Mapping[str, Any]) -> dict[str, Any]:
    lists = {"emails": "email", "phones": "phone"}
    return {one: fields[many][0]["value"] for many, one in lists.items() if fields.get(many)}


def _of_file(problem: Problem) -> dict[str, Any]:
    line = problem.at or problem.line
    return {"line": line, "pointer": "", "code": problem.code, "detail": problem.detail}


def _notes(found: Record) -> list[str]:
    """The texts as notes keep them. Raises InvalidFields."""
    if len(found.notes) > MAX_NOTES:
        raise InvalidFields.one("/notes", "too_many", f"At most {MAX_NOTES}.")
    notes = []
    for place, text in enumerate(found.notes):
        if not text.strip():
            continue
        try:
            notes.append(normal(text))
        except ValueError as error:
            raise InvalidFields.one(f"/notes/{place}", "invalid_text", str(error)) from None
    return notes


def _uid(found: Record, problems: list[dict[str, Any]]) -> str | None:
    uid = (found.uid or "").strip()
    if len(uid) > MAX_UID or has_control(uid):
        problems.append(_left_out(found, "/uid", f"A UID has at most {MAX_UID} characters."))
        return None
    return uid or None


def _kept(found: Record, problems: list[dict[str, Any]]) -> list[str]:
    kept, room = [], MAX_KEPT
    for line in without_uid(found.kept):
        if len(line) <= room:
            room -= len(line)
            kept.append(line)
    if len(kept) < len(found.kept):
        problems.append(_left_out(found, "/vcard", "Further UIDs, or more than is kept."))
    return kept


def _left_out(found: Record, pointer: str, detail: str) -> dict[str, Any]:
    return {"line": found.line, "pointer": pointer, "code": "left_out", "detail": detail}


def identity(card: Mapping[str, Any]) -> bytes:
    """Equal for two cards of which everything is equal that people see but the picture."""
    told = {name: value for name, value in card.items() if name not in _NEVER_TOLD}
    text = orjson.dumps(comparable(told), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=16).digest()
