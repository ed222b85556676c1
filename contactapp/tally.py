"""Numbers that one process adds to and every other process of the server can read.

A file for each process, which it maps into its memory: so adding to a number is no system call, and
what a killed process counted stays. Not prometheus_client, whose files are much the same: counting
a list of contacts and its view took it 18 µs, and takes this a third of that.
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from array import array
from collections.abc import Iterator
from pathlib import Path

import orjson

PLACES = 2**14  # numbers of a process, eight bytes each
_SPARE = 64  # the first of them are for what finds no room any more
_NUMBERS = 8 * PLACES
_FILE = _NUMBERS + 2**17  # behind them their names, a line each: how many numbers it has, its words

Name = tuple[str, ...]


class Tally:
    """The numbers of this process; without a folder they are in its memory alone.

    `process` names it among those that live. Who takes the place of one that ended adds to its
    numbers, or there would be more files with every restart. Hold `lock` to change `numbers`.
    Raises OSError where the file cannot be made.
    """

    def __init__(self, folder: Path | None = None, process: str = "") -> None:
        self.lock = threading.Lock()
        self._bytes = bytearray(_FILE) if folder is None else _mapped(folder / process)
        self.numbers = memoryview(self._bytes)[:_NUMBERS].cast("d")
        self._places: dict[Name, tuple[int, int]] = {}
        self._end, self._names_end = _SPARE, _NUMBERS
        for line in _lines(self._bytes[_NUMBERS:]):
            self._add(line)

    def place(self, name: Name, size: int = 1) -> int:
        """Where the numbers of this name begin, `size` of them; all 0 at first."""
        line = orjson.dumps([size, *name])
        with self.lock:
            if name in self._places:
                return self._places[name][0]
            at, end = self._names_end, self._names_end + len(line)
            if self._end + size > PLACES or end >= _FILE:
                return 0
            self._bytes[at:end] = line
            self._bytes[end : end + 1] = b"\n"  # not before: from now on it counts
            return self._add(line)

    def _add(self, line: bytes) -> int:
        size, *name = orjson.loads(line)
        place = self._end
        self._places[tuple(name)] = place, size
        self._end += size
        self._names_end += len(line) + 1
        return place

    def __iter__(self) -> Iterator[tuple[Name, list[float]]]:
        """Every name and its numbers."""
        return _read(bytes(self._bytes))


def shared(folder: Path) -> Iterator[tuple[Name, list[float]]]:
    """Every name and its numbers, of one process after the other."""
    for path in sorted(folder.glob("*")):
        yield from _read(path.read_bytes())


def _read(content: bytes) -> Iterator[tuple[Name, list[float]]]:
    place, numbers = _SPARE, array("d", content[:_NUMBERS])
    for line in _lines(content[_NUMBERS:]):
        size, *name = orjson.loads(line)
        yield tuple(name), numbers[place : place + size].tolist()
        place += size


def _lines(names: bytes | bytearray) -> list[bytes]:
    """The whole lines: one may be half written, by who is at it now or was killed."""
    return bytes(names).partition(b"\0")[0].split(b"\n")[:-1]


def _mapped(path: Path) -> mmap.mmap:
    """The file in memory. It is filled at once: with a hole in it, a full disk would kill who first
    counts there."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        missing = _FILE - os.fstat(file).st_size
        if missing and os.pwrite(file, bytes(missing), _FILE - missing) != missing:
            raise OSError(errno.ENOSPC, "the file cannot be filled")
        return mmap.mmap(file, _FILE)
    finally:
        os.close(file)
