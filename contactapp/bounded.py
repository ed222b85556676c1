"""Work that would keep everybody else waiting, a bounded number at a time (ASVS 15.2.2)."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
    """

    def __init__(self, places: int, max_wait: float, max_waiting: int | None) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._line = None
        if max_waiting is not None:
            self._line = threading.BoundedSemaphore(places + max_waiting)
        self._max_wait = max_wait

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place. Raises Busy."""
        busy = Busy(max(1, math.ceil(self._max_wait)))
        if self._line is not None and not self._line.acquire(blocking=False):
            raise busy
        try:
            if not self._places.acquire(timeout=self._max_wait):
                raise busy
            try:
                yield
            finally:
                self._places.release()
        finally:
            if self._line is not None:
                self._line.release()
