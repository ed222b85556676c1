"""Work that would keep everybody else waiting, a bounded number at a time (ASVS 15.2.2)."""

from __future__ import annotations

import fcntl
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

_PAUSE = 0.002  # seconds between two looks whether another process has made room


class Busy(Exception):
    """Too much of it is being done; try again after `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"busy, retry after {retry_after} s")
        self.retry_after = retry_after


class Bounded:
    """The places of this process for one kind of work.

    :param places: how many may be at it
    :param max_wait: seconds that a caller waits for a place
    :param max_waiting: callers that may wait at once; None: as many as come. Keep it below the
        server's threads, or a burst of them holds all.
    :param host: the places of all processes of this host; with it, `places` is 1
    """

    def __init__(
        self, places: int, max_wait: float, max_waiting: int | None, host: HostPlaces | None = None
    ) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._line = None
        if max_waiting is not None:
            self._line = threading.BoundedSemaphore(places + max_waiting)
        self._max_wait = max_wait
        self._host = host

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place. Raises Busy."""
        busy, until = Busy(max(1, math.ceil(self._max_wait))), time.monotonic() + self._max_wait
        if self._line is not None and not self._line.acquire(blocking=False):
            raise busy
        try:
            if not self._places.acquire(timeout=self._max_wait):
                raise busy
            try:
                with self._host.place(until, busy) if self._host else nullcontext():
                    yield
            finally:
                self._places.release()
        finally:
            if self._line is not None:
                self._line.release()


class HostPlaces:
    """Places that the processes of one host share: who has the nth has locked the nth byte of a
    file. The system frees what a killed process held."""

    def __init__(self, path: Path, places: int) -> None:
        self._path = path
        self._places = range(places)
        self._file = -1  # opened by the first who asks

    @contextmanager
    def place(self, until: float, busy: Busy) -> Iterator[None]:
        """Hold a place, for one thread of the process at a time. Raises `busy` after `until`."""
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while (place := self._taken()) is None:
            if time.monotonic() > until:
                raise busy
            time.sleep(_PAUSE)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def _taken(self) -> int | None:
        for place in self._places:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                return place
            except BlockingIOError:
                continue
        return None


def usable_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
