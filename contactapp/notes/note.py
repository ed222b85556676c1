"""What a note is: its fields, its text and its JSON. Pure."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from typing import Any, NamedTuple

from ..clock import rfc3339
from .extract import KINDS

MAX_BODY = 50_000  # characters
MAX_MARKS = 100  # on one letter: putting a run of them in order takes time in the square of it
STATUSES = ("pending", "processed", "failed")
READ_ONLY = (
    "id",
    "uid",
    "book_id",
    "author",
    "processing_status",
    "extracted",
    "word_count",
    "version",
    "created_at",
    "updated_at",
    "updated_by",
)
FIELDS = ("id", "uid", "book_id", "contact_id", "body", *READ_ONLY[3:])
_BREAK = re.compile("\r\n?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Meta(NamedTuple):
    """The plain columns of a note's row, times in milliseconds."""

    id: int
    uid: str
    book_id: int
    contact_id: int
    version: int
    status: str
    created_at: int
    updated_at: int
    created_by: int
    updated_by: int


def normal(text: str) -> str:
    """The text as it is kept: NFC, line breaks as LF, trimmed. Raises ValueError, with a sentence,
    for what is empty or too long and for control characters other than line breaks and tabs."""
    if len(text) > 2 * MAX_BODY or not _few_marks(text):
        raise ValueError(f"At most {MAX_BODY} characters, and {MAX_MARKS} marks on one.")
    text = unicodedata.normalize("NFC", _BREAK.sub("\n", text)).strip()
    if not text:
        raise ValueError("Empty.")
    if len(text) > MAX_BODY:
        raise ValueError(f"At most {MAX_BODY} characters.")
    if _CONTROL.search(text):
        raise ValueError("Contains control characters.")
    return text


def _few_marks(text: str) -> bool:
    if text.isascii():
        return True
    runs = groupby(text, key=lambda character: unicodedata.combining(character) != 0)
    return all(sum(1 for _ in run) <= MAX_MARKS for is_mark, run in runs if is_mark)


def as_object(meta: Meta, body: str, found: dict[str, Any] | None) -> dict[str, Any]:
    """The note as the API shows it; `found` is what its processing found, None before."""
    found = found or {}
    return {
        "id": meta.id,
        "uid": meta.uid,
        "book_id": meta.book_id,
        "contact_id": meta.contact_id,
        "body": body,
        "author": meta.created_by,
        "processing_status": meta.status,
        "extracted": {kind: found.get(kind, []) for kind in KINDS},
        "word_count": found.get("word_count"),
        "version": meta.version,
        "created_at": rfc3339(meta.created_at),
        "updated_at": rfc3339(meta.updated_at),
        "updated_by": meta.updated_by,
    }
