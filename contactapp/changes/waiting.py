"""The threads of a process that may wait for changes, in a long answer or in a stream.

Each of these keeps a thread for as long as it lasts, so some are never given to them, and nobody
gets all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from flask import Flask, current_app

from ..bounded import Bounded, Busy
from ..config import MOST_FREE, Settings

RETRY_AFTER = 5  # seconds, for whoever finds no place to wait
_ONES_OWN = 4  # a user has one in so many places, but two at least


class WaitingPlaces(Bounded):
    """The places of this process for those who wait."""

    def __init__(self, places: int) -> None:
        super().__init__(places, 0.0, 0)
        self._of_one = max(2, places // _ONES_OWN)
        self._taken: Counter[int] = Counter()
        self._lock = Lock()

    @contextmanager
    def place_of(self, user_id: int) -> Iterator[None]:
        """Hold a place for this user. Raises Busy where none is free, or they have their share."""
        with self.place():
            with self._lock:
                if self._taken[user_id] >= self._of_one:
                    raise Busy(RETRY_AFTER)
                self._taken[user_id] += 1
            try:
                yield
            finally:
                with self._lock:
                    self._taken[user_id] -= 1
                    if not self._taken[user_id]:
                        del self._taken[user_id]


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its places. Where there is one thread, nobody can wait."""
    free = max(2, min(settings.threads // 4, MOST_FREE))
    places = max(settings.threads - free, min(settings.threads - 1, 1))
    app.extensions["contactapp.waiting"] = WaitingPlaces(places)


def waiting_places() -> WaitingPlaces:
    """The places of this process for those who wait for changes."""
    return current_app.extensions["contactapp.waiting"]
