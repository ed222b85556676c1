"""Which format a file is in. Pure."""

from __future__ import annotations

import codecs
import re

from .csv import header
from .record import Unreadable

FORMATS = ("vcard", "csv", "json")
LOOKED_AT = 65_536  # bytes from a file's beginning that are enough to tell
_ENDINGS = {"vcf": "vcard", "vcard": "vcard", "csv": "csv", "tsv": "csv", "tab": "csv"}
_ENDINGS |= {"json": "json", "jsonl": "json", "ndjson": "json"}
_VCARD = re.compile(r"\s*BEGIN\s*:\s*VCARD\b", re.IGNORECASE)


def guess(start: bytes, file_name: str | None = None) -> str | None:
    """`vcard`, `csv` or `json` by a file's first bytes; by its name only where they do not tell;
    None where nothing does."""
    text = _text(start[:LOOKED_AT])
    if _VCARD.match(text):
        return "vcard"
    if text.lstrip()[:1] in ("{", "["):
        return "json"
    ending = _ENDINGS.get((file_name or "").rpartition(".")[2].lower())
    if ending == "csv":
        return ending
    try:
        preset = header([start[:LOOKED_AT]]).preset
    except Unreadable:
        preset = None
    return "csv" if preset else ending


def _text(start: bytes) -> str:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return start.decode("utf-16", "replace")
    return start.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
