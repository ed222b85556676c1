"""Webhooks that await a turn."""

from __future__ import annotations

import threading


class Line:
    """The first has the first turn, but of each user one at a time: else whoever has ten receivers
    that hang would have all threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[int, int] = {}  # webhooks and their users, in order
        self._served: set[int] = set()
        self._ended = False

    def put(self, webhook_id: int, user_id: int) -> None:
        """Have a webhook wait at the end."""
        with self._changed:
            self._waiting[webhook_id] = user_id
            self._changed.notify()

    def get(self) -> tuple[int, int] | None:
        """The next webhook and its user, who has no other turn until `done`; waits for one. None
        after the end."""
        with self._changed:
            while not self._ended:
                if found := self._next():
                    return found
                self._changed.wait()
        return None

    def done(self, user_id: int) -> None:
        """The turn of one of their webhooks is over."""
        with self._changed:
            self._served.discard(user_id)
            self._changed.notify()

    def end(self) -> None:
        """Give nobody a turn any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _next(self) -> tuple[int, int] | None:
        for webhook_id, user_id in self._waiting.items():
            if user_id not in self._served:
                del self._waiting[webhook_id]
                self._served.add(user_id)
                return webhook_id, user_id
        return None
