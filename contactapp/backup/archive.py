"""The format of a backup: one file, the same for both engines, written and read in one stream.

    a magic line | header | frame … | 0 | place and number of the last frame | SHA-256 of all that

The header is plain JSON and says what must be known to open the rest: the format's version, the
schema's revision, which master keys are needed, and the key of the backup, wrapped. Every frame is
sealed with a key that is made from that one and the whole header, for its place in the file; so
nothing of it is read, exchanged, left out or added without the master key, pictures included, which
lie in plain in their folders. The SHA-256 tells without any key whether the file is whole. Frames
hold rows, then pictures, and the last one the manifest.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from ..crypto import Cipher, SealError, derive
from .packing import Columns

MAGIC = b"contactapp backup\n"
FORMAT = 1
_LENGTH = struct.Struct(">I")
_LAST = struct.Struct(">QQ")  # where the manifest begins, and its number
_DIGEST = 32
_LARGEST = 2**28  # bytes of a frame; who changed a length must not make us take all memory
_BLOCK = 2**20
_LATEST = 253_402_300_800_000  # ms: the year 10000, which no date can be written in
_SYNCED = (
    2**23
)  # bytes between two waits for the disk: at the end, all at once would hold up others


class BadArchive(Exception):
    """What is no backup, or none that can be used; says why and what to do."""


class Frame(NamedTuple):
    """A part of a backup: `head["kind"]` is rows, file or manifest."""

    head: dict[str, Any]
    body: memoryview


class Writer:
    """Writes a backup into an empty file. `close` makes it whole; until then nobody takes it for
    one. Whoever made the file has what was written last put on the disk."""

    def __init__(self, file: BinaryIO, header: dict[str, Any], key: bytes) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._size = self._synced = 0
        text = orjson.dumps(header)
        self._seal = _Seal(key, text)
        self._put(MAGIC + _LENGTH.pack(len(text)) + text)

    def rows(self, table: str, columns: Columns, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Add packed rows of a table."""
        arrays = orjson.Fragment(b"[" + b",".join(array for array, _ in rows) + b"]")
        head = {"kind": "rows", "table": table, "columns": columns, "rows": arrays}
        self._frame(head, b"".join(blobs for _, blobs in rows))

    def file(self, name: str, content: bytes) -> None:
        """Add a picture."""
        digest = hashlib.sha256(content).hexdigest()
        self._frame({"kind": "file", "name": name, "sha256": digest}, content)

    def close(self, manifest: dict[str, Any]) -> None:
        """Add the manifest and the end."""
        start = self._size
        self._frame({"kind": "manifest", **manifest})
        self._put(_LENGTH.pack(0) + _LAST.pack(start, self._seal.number))
        self._put(self._digest.digest())

    def _frame(self, head: dict[str, Any], body: bytes = b"") -> None:
        blob = self._seal.sealed(orjson.dumps(head) + b"\n" + body)
        self._put(_LENGTH.pack(len(blob)) + blob)

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)
        if self._size - self._synced > _SYNCED:
            self._sync()

    def _sync(self) -> None:
        self._file.flush()
        os.fdatasync(self._file.fileno())
        self._synced = self._size


class _Seal:
    """Seals the frames of one backup, or opens them in the same order."""

    def __init__(self, key: bytes, header: bytes) -> None:
        self.of = hashlib.sha256(header).hexdigest()
        self._cipher = Cipher(0, derive(key, f"backup {self.of}"))
        self.number = 0

    def sealed(self, plain: bytes) -> bytes:
        self.number += 1
        return self._cipher.seal(plain, "backup", self.of, self.number)

    def opened(self, blob: bytes) -> bytes:
        self.number += 1
        return self._cipher.open(blob, "backup", self.of, self.number)


class Reader:
    """A backup that was opened: `header` is read at once, and nothing else. Raises BadArchive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.size = path.stat().st_size
            with path.open("rb") as file:
                self.header, self._text = _header(file, path)
                self._start = file.tell()
        except OSError as error:
            raise BadArchive(f"{path} cannot be read: {error.strerror}.") from None
        if self.header.get("format") != FORMAT:
            raise BadArchive(f"{path} was made by a newer contactapp: upgrade, then try again.")

    def check(self, progress: Callable[[int], object] = lambda _: None) -> None:
        """That the file is whole, which needs no key. Raises BadArchive."""
        digest, left = hashlib.sha256(), self.size - _DIGEST
        with self.path.open("rb") as file:
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                digest.update(block)
                left -= len(block)
                progress(len(block))
            if left or file.read() != digest.digest():  # left < 0 where it is shorter than that
                raise self._damaged()

    def frames(self, key: bytes) -> Iterator[Frame]:
        """Every frame, the manifest last. Raises BadArchive."""
        seal, last = _Seal(key, self._text), None
        with self.path.open("rb") as file:
            file.seek(self._start)
            while length := self._length(file):
                last = self._frame(file.read(length), seal, length)
                yield last
        if last is None or last.head["kind"] != "manifest":
            raise self._damaged()

    def manifest(self, key: bytes) -> dict[str, Any]:
        """What the last frame says, without reading the others. Raises BadArchive."""
        seal = _Seal(key, self._text)
        with self.path.open("rb") as file:
            file.seek(max(0, self.size - _LAST.size - _DIGEST))
            last = file.read(_LAST.size)
            if len(last) != _LAST.size:
                raise self._damaged()
            start, number = _LAST.unpack(last)
            seal.number = number - 1
            file.seek(min(start, self.size))
            length = self._length(file)
            return self._frame(file.read(length), seal, length).head

    def _frame(self, blob: bytes, seal: _Seal, length: int) -> Frame:
        if len(blob) != length:
            raise self._damaged()
        try:
            plain = seal.opened(blob)
        except SealError:
            raise self._damaged() from None
        head, _, _ = plain.partition(b"\n")
        return Frame(orjson.loads(head), memoryview(plain)[len(head) + 1 :])

    def _length(self, file: BinaryIO) -> int:
        raw = file.read(_LENGTH.size)
        if len(raw) != _LENGTH.size or _LENGTH.unpack(raw)[0] > _LARGEST:
            raise self._damaged()
        return _LENGTH.unpack(raw)[0]

    def _damaged(self) -> BadArchive:
        return BadArchive(
            f"{self.path} is not whole: it was cut off or changed. Take another backup, or another "
            "copy of this one."
        )


def _header(file: BinaryIO, path: Path) -> tuple[dict[str, Any], bytes]:
    """What it says, and its bytes, which are a part of the key."""
    if file.read(len(MAGIC)) == MAGIC:
        raw = file.read(_LENGTH.size)
        if len(raw) == _LENGTH.size and (length := _LENGTH.unpack(raw)[0]) <= _BLOCK:
            text = file.read(length)
            try:
                header = orjson.loads(text)
            except ValueError:
                header = None
            if _is_header(header):
                return header, text
    raise BadArchive(f"{path} is no backup of contactapp, or its beginning was damaged.")


def _is_header(found: Any) -> bool:
    """Whether it says what a header does. Nothing vouches for it before the first frame is opened,
    so whoever changed one could as well leave something out."""
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        return False
    return found["format"] != FORMAT or all(is_one(found.get(n)) for n, is_one in _SAYS.items())


def _are_texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(one, str) for one in found)


def _are_wrapped(found: Any) -> bool:
    """(uid, hexadecimal digits) each, and one at least."""
    return (
        isinstance(found, list)
        and bool(found)
        and all(_are_texts(one) and len(one) == 2 and _HEX.fullmatch(one[1]) for one in found)
    )


_HEX = re.compile("(?:[0-9a-f]{2})*")
_SAYS: dict[str, Callable[[Any], bool]] = {
    "made_at": lambda found: isinstance(found, int) and 0 <= found < _LATEST,
    "engine": lambda found: isinstance(found, str),
    "revision": lambda found: isinstance(found, str),
    "master_keys": _are_texts,
    "wrapped": _are_wrapped,
    "peppers": _are_texts,
}
