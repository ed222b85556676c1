"""Files of any format, as imports and exports use them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from . import csv, json, vcard
from .formats import FORMATS, guess
from .kept import source_uid, united, with_source_uid, without_uid
from .record import Photo, Problem, Record, Unreadable
from .rejected import Place, only
from .vcard.writing import VERSIONS

MEDIA_TYPES = {
    "vcard": "text/vcard; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
ENDINGS = {"vcard": "vcf", "csv": "csv", "json": "json"}
_PACKED = re.compile(rb"PK[\3\5\7]|\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd|MSCF")


def read(
    format_: str, chunks: Iterable[bytes], mapping: Mapping[str, str] | None = None
) -> Iterator[Record | Problem]:
    """The contacts of a file, one at a time; `mapping` is for CSV. Raises Unreadable."""
    if format_ == "csv":
        return csv.read(chunks, mapping)
    return vcard.read(chunks) if format_ == "vcard" else json.read(chunks)


def write(
    format_: str, records: Callable[[], Iterable[Record]], version: str = "3.0"
) -> Iterator[bytes]:
    """A file of these records, in their order. For CSV, whose header says how wide the widest of
    them is, they are asked for twice."""
    if format_ == "csv":
        return csv.write(records(), csv.Layout.of(records()))
    if format_ == "vcard":
        return vcard.write(records(), version)
    return json.write(records())


def is_packed(start: bytes) -> bool:
    """Whether a file is an archive or compressed. None is unpacked, so none can be a bomb."""
    return _PACKED.match(start) is not None or start[257:262] == b"ustar"


__all__ = [
    "ENDINGS",
    "FORMATS",
    "MEDIA_TYPES",
    "VERSIONS",
    "Photo",
    "Place",
    "Problem",
    "Record",
    "Unreadable",
    "guess",
    "is_packed",
    "only",
    "read",
    "source_uid",
    "united",
    "with_source_uid",
    "without_uid",
    "write",
]
