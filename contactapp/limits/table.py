"""A hash table in a file that all processes of one host map into their memory.

Whatever the bytes of the file are, they are counts. So a power cut, a damaged disk or a kill in the
middle of a write can make some wrong, which heals when their windows end, and can break nothing.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
from hashlib import blake2b
from pathlib import Path

from .verdict import MAX_WINDOWS

PATIENCE = 1.0  # seconds to wait for a lock, our threads' or another process's
FIRST_BUCKETS, MOST_BUCKETS = 256, 65_536  # 384 KiB, 96 MiB
_PAUSE = 0.00005  # between two tries; who holds the lock needs a tenth of that

# The file: a head, then buckets of slots. A slot is a key's hash and, for every window, its end in
# milliseconds since the epoch and the requests in it, then when a penalty is forgiven and how often
# there was one; a slot in which all of that has ended is free. The number in the name counts up
# when the shape changes.
_HEAD = struct.Struct("=20sI")
_NAME = b"contactapp limits 2\n"
_START = 64
_HASH = 16
COUNTS = struct.Struct(f"={2 * MAX_WINDOWS + 2}q")
PENALTY = 2 * MAX_WINDOWS  # where in them a penalty stands
_SLOT = _HASH + COUNTS.size
_BUCKET = 16 * _SLOT

# One lock for all threads of a process: its locks on a file are all one to the system. Held over a
# fork, so that no child finds it taken.
_lock = threading.Lock()
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
)


class Table:
    """The table in the file `path`. Between `enter` and `leave` nobody else uses it; `bytes` is the
    mapped file then. Any method may raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1  # opened by the first call
        self._head = b""
        self._buckets = 0
        self.bytes: mmap.mmap

    def enter(self) -> None:
        """Wait for the table, at most twice `PATIENCE`. Raises TimeoutError."""
        if not _lock.acquire(timeout=PATIENCE):
            raise TimeoutError("the rate limit file is busy")
        try:
            if self._file < 0:
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _lock_file(self._file)
            # Another process may have made the table larger.
            if not self._head or self.bytes[: _HEAD.size] != self._head:
                self._attach()
        except BaseException:
            self._close()  # and with the file its lock
            _lock.release()
            raise

    def leave(self) -> None:
        """Let the others in."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1)
        _lock.release()

    def find(self, key: str) -> int:
        """Where in `bytes` the key's `COUNTS` are, or 0."""
        return self._find(_hash(key))

    def place(self, key: str, now_ms: int) -> int:
        """Where they are, or, all of them 0, shall be."""
        digest = _hash(key)
        while True:
            at = self._find(digest)
            if at:
                return at
            start = self._start(digest)
            ends, at = min((self._ends(at), at) for at in range(start, start + _BUCKET, _SLOT))
            if ends <= now_ms or 2 * self._buckets > MOST_BUCKETS:
                break  # beyond the most, who asks from a million addresses at once is forgiven some
            self._grow(now_ms)
        self.bytes[at : at + _SLOT] = digest + bytes(COUNTS.size)
        return at + _HASH

    def forget(self, key: str) -> None:
        """Free the key's slot."""
        at = self.find(key)
        if at:
            self.bytes[at - _HASH : at - _HASH + _SLOT] = bytes(_SLOT)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with _lock:
            self._close()

    def _attach(self) -> None:
        """Map the file as it is now; made anew where it is no table, or one of another shape."""
        size = os.fstat(self._file).st_size
        if size >= _START:
            self.bytes = mmap.mmap(self._file, size)
            name, self._buckets = _HEAD.unpack_from(self.bytes)
            self._head = self.bytes[: _HEAD.size]
            if name == _NAME and 1 <= self._buckets <= (size - _START) // _BUCKET:
                return
        self._write(FIRST_BUCKETS, bytes(FIRST_BUCKETS * _BUCKET))

    def _write(self, buckets: int, slots: bytes) -> None:
        """Put these slots in the place of all. The file never gets shorter: that would kill every
        process that has mapped it."""
        # Written and not only made longer: on a full disk, who touches a hole is killed as well.
        with open(self._file, "ab", closefd=False) as file:
            file.write(bytes(max(0, _START + len(slots) - file.tell())))
        self.bytes = mmap.mmap(self._file, 0)
        self.bytes[_START : _START + len(slots)] = slots
        _HEAD.pack_into(self.bytes, 0, _NAME, buckets)
        self._head, self._buckets = self.bytes[: _HEAD.size], buckets

    def _grow(self, now_ms: int) -> None:
        """Twice as many buckets, without what has ended. A key's new bucket has the number of its
        old one, or that and the old number of buckets, so none has more than it can hold."""
        buckets = 2 * self._buckets
        slots, ends = bytearray(buckets * _BUCKET), [n * _BUCKET for n in range(buckets)]
        for at in range(_START, _START + self._buckets * _BUCKET, _SLOT):
            if self._ends(at) > now_ms:
                bucket = _number(self.bytes[at : at + _HASH]) % buckets
                slots[ends[bucket] : ends[bucket] + _SLOT] = self.bytes[at : at + _SLOT]
                ends[bucket] += _SLOT
        self._write(buckets, bytes(slots))

    def _find(self, digest: bytes) -> int:
        start = self._start(digest)
        at = self.bytes.find(digest, start, start + _BUCKET)
        while at >= 0 and (at - start) % _SLOT:  # across two slots, by an unlikely chance
            at = self.bytes.find(digest, at + 1, start + _BUCKET)
        return at + _HASH if at >= 0 else 0

    def _start(self, digest: bytes) -> int:
        return _START + _number(digest) % self._buckets * _BUCKET

    def _ends(self, at: int) -> int:
        """When the last window of a slot ends."""
        return max(COUNTS.unpack_from(self.bytes, at + _HASH)[::2])

    def _close(self) -> None:
        file, self._file, self._head = self._file, -1, b""
        if file >= 0:
            os.close(file)


def _hash(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=_HASH).digest()


def _number(digest: bytes) -> int:
    return int.from_bytes(digest[:4], "big")


def _lock_file(file: int) -> None:
    until = 0.0
    while True:
        try:
            return fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        except BlockingIOError:
            until = until or time.monotonic() + PATIENCE
            if time.monotonic() > until:
                raise TimeoutError("the rate limit file is busy") from None
        time.sleep(_PAUSE)
