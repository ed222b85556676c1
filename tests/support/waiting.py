"""Requests that wait for something to happen, in threads of their own."""

from __future__ import annotations

import threading
import time

from contactapp.changes import feed

PATIENCE = 45


class Waiting:
    """A person's request that waits. It waits by the time that this is made, in an application
    with one place to wait (THREADS=3)."""

    def __init__(self, person, path):
        self._answer = None
        self._thread = threading.Thread(target=self._ask, args=(person, path), daemon=True)
        self._thread.start()
        for _ in range(2000):
            if not self._thread.is_alive() or is_full(person.app):
                break
            time.sleep(0.005)
        assert self._answer is None, self._answer.text
        assert is_full(person.app)

    def _ask(self, person, path):
        self._answer = person.get(path)

    @property
    def waits(self):
        """Whether it has no answer yet."""
        return self._thread.is_alive()

    def answer(self):
        """Its answer, once it has one."""
        self._thread.join(PATIENCE)
        assert self._answer is not None
        return self._answer


def is_full(app):
    """Whether somebody has the application's one place to wait. Trying to get it would be in the
    way of who comes for it."""
    with app.app_context():
        return feed.waiting_places()._places._value == 0
