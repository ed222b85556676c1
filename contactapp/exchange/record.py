"""What every reader yields and every writer takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Unreadable(ValueError):
    """A file that is none of the format it is said to be, with a sentence that says why."""


class Problem(NamedTuple):
    """Why lines `line` to `end` of a file (from 1) made no contact, or a part of one was left out.
    `at` is the very line, where that is known."""

    line: int
    end: int
    code: str
    detail: str
    at: int | None = None


class Photo(NamedTuple):
    """A picture as it lay in the file; nobody has looked into it yet."""

    type: str | None
    data: bytes


@dataclass(slots=True)
class Record:
    """One contact of a file, in its lines `line` to `end`.

    `fields` has the shape of the API's contact input, arrays only (`emails`, and no `email`), each
    entry with what of `value`, `label` and `primary` the file gave. Nothing is validated: lengths
    and formats are for the API's schema to judge. `kept` are vCard lines that no field holds, to be
    written again as they were (`card["vcard"]`). `warnings` say what was left out.
    """

    line: int = 0
    end: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    photo: Photo | None = None
    uid: str | None = None
    kept: list[str] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
