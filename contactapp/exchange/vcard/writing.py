"""vCards out: 3.0 (RFC 2426), which most programs read, or 4.0 (RFC 6350). Pure.

The same record always makes the same bytes: no REV, no version in PRODID, one order of properties.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence

from ..entries import Entry, entries_of, shown_name
from ..record import Record
from .draft import NAMES
from .fields import ADDRESS, CUSTOM, STARRED
from .properties import KEPT, may_be_kept
from .types import apple_name, types_of

PRODUCT = "-//contactapp//contactapp//EN"
VERSIONS = ("3.0", "4.0")
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", ",": "\\,", ";": "\\;", "\r": None})
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)
_NO_YEAR = "1604"  # a leap year, and Apple's


def write(records: Iterable[Record], version: str = "3.0") -> Iterator[bytes]:
    """One card of bytes for each record, in their order (an export is ordered by uid)."""
    writer = _Writer3 if version == "3.0" else _Writer4
    for record in records:
        yield writer(record).card()


def escaped(text: str) -> str:
    return text.translate(_ESCAPES)


class _Writer3:
    """Version 3.0."""

    version = "3.0"

    def __init__(self, record: Record) -> None:
        self.record = record
        self.fields = record.fields
        self.kept = [line for line in record.kept if may_be_kept(line)]
        matches = (KEPT.fullmatch(line) for line in self.kept)
        self._groups = {match[1].lower() for match in matches if match and match[1]}
        self._group = 0
        self.lines: list[str] = []

    def card(self) -> bytes:
        fields, add = self.fields, self.lines.append
        self.lines += ["BEGIN:VCARD", f"VERSION:{self.version}", f"PRODID:{PRODUCT}"]
        if uid := self.record.uid or "":
            add(f"UID:{self.uid(uid)}")
        add(f"FN:{escaped(shown_name(fields) or fields.get('name') or uid or '')}")
        add("N:" + ";".join(escaped(fields.get(part) or "") for part in NAMES))
        self._text("NICKNAME", fields.get("nickname"))
        units = [escaped(fields.get(unit) or "") for unit in ("company", "department")]
        if any(units):
            add("ORG:" + ";".join(units if units[1] else units[:1]))
        self._text("TITLE", fields.get("title"))
        self._entries()
        self._days()
        if labels := fields.get("labels"):
            add("CATEGORIES:" + ",".join(map(escaped, labels)))
        if fields.get("starred"):
            add(f"{STARRED}:true")
        for key, value in (fields.get("custom_fields") or {}).items():
            # As JSON, which tells text from numbers and has no control characters.
            add(f"{CUSTOM}:" + escaped(json.dumps([key, value], ensure_ascii=False)))
        self.lines += [f"NOTE:{escaped(note)}" for note in self.record.notes]
        if photo := self.record.photo:
            add(self.photo(photo.type or "image/jpeg", base64.b64encode(photo.data).decode()))
        self.lines += [*self.kept, "END:VCARD"]
        return b"".join(map(folded, self.lines))

    def _text(self, name: str, text: str | None) -> None:
        if text:
            self.lines.append(f"{name}:{escaped(text)}")

    def _entries(self) -> None:
        for entry, marked in _marked(entries_of(self.fields, "emails")):
            self.labelled("EMAIL", entry, marked, escaped(entry["value"]))
        for entry, marked in _marked(entries_of(self.fields, "phones")):
            self.labelled("TEL", entry, marked, escaped(entry["value"]))
        for entry, marked in _marked(self.fields.get("addresses") or ()):
            value = ";".join(escaped(entry.get(part) or "") for part in ADDRESS)
            self.labelled("ADR", entry, marked, value)
        for entry, marked in _marked(self.fields.get("urls") or ()):
            # A URI and no text: its commas and semicolons are its own.
            value = entry["value"].replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n")
            self.labelled("URL", entry, marked, value)

    def labelled(self, name: str, entry: Entry, primary: bool, value: str) -> None:
        label = entry.get("label")
        types = types_of(label, is_phone=name == "TEL") if label else []
        head = name + self.parameters(types or [], primary)
        if types is not None:
            self.lines.append(f"{head}:{value}")
        else:
            self.grouped(f"{head}:{value}", label or "")

    def grouped(self, line: str, label: str) -> None:
        """A line with its label, under a group that no kept line is in."""
        self._group += 1
        while f"item{self._group}" in self._groups:
            self._group += 1
        group = f"item{self._group}"
        self.lines += [f"{group}.{line}", f"{group}.X-ABLabel:{escaped(apple_name(label))}"]

    def parameters(self, types: Sequence[str], primary: bool) -> str:
        return "".join(f";TYPE={one}" for one in (*types, *(["pref"] if primary else [])))

    def _days(self) -> None:
        if birthday := self.fields.get("birthday"):
            self.lines.append(f"BDAY{self.day(birthday)}")
        if anniversary := self.fields.get("anniversary"):
            self.anniversary(anniversary)

    def anniversary(self, day: str) -> None:
        self.grouped(f"X-ABDATE{self.day(day)}", "anniversary")

    def day(self, day: str) -> str:
        if day.startswith("--"):
            return f";X-APPLE-OMIT-YEAR={_NO_YEAR}:{_NO_YEAR}-{day[2:]}"
        return f":{day}"

    def uid(self, uid: str) -> str:
        return escaped(uid)

    def photo(self, media_type: str, data: str) -> str:
        kind = media_type.rpartition("/")[2].upper()
        return f"PHOTO;ENCODING=b;TYPE={kind}:{data}"


class _Writer4(_Writer3):
    """Version 4.0."""

    version = "4.0"

    def parameters(self, types: Sequence[str], primary: bool) -> str:
        preferred = ";PREF=1" if primary else ""
        return preferred + "".join(f";TYPE={one}" for one in types)

    def day(self, day: str) -> str:
        # RFC 6350 section 4.3.1 has no hyphens but where a part is missing.
        is_whole = len(day) == 10 or day.startswith("--")
        return f":{day[:2]}{day[2:].replace('-', '')}" if is_whole else f":{day}"

    def anniversary(self, day: str) -> None:
        self.lines.append(f"ANNIVERSARY{self.day(day)}")

    def uid(self, uid: str) -> str:
        return f"urn:uuid:{uid}" if _UUID.fullmatch(uid) else escaped(uid)

    def photo(self, media_type: str, data: str) -> str:
        return f"PHOTO:data:{media_type};base64,{data}"


def _marked(entries: Sequence[Entry]) -> Iterator[tuple[Entry, bool]]:
    """Each entry, and whether it must be marked as the primary one: the only one need not be."""
    for entry in entries:
        yield entry, bool(entry.get("primary")) and len(entries) > 1


def folded(line: str) -> bytes:
    """The line as bytes, none longer than 75 octets, no character cut (RFC 6350 section 3.2)."""
    data = line.encode()
    if len(data) <= 75:
        return data + b"\r\n"
    pieces, at, width = [], 0, 75
    while len(data) - at > width:
        end = at + width
        while data[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(data[at:end])
        at, width = end, 74
    pieces.append(data[at:])
    return b"\r\n ".join(pieces) + b"\r\n"
