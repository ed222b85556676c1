"""A write transaction that is held open until the answer to its request is known.

So an answer can be stored with the effect that it tells of, in one commit.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from .engine import DatabaseBusy, RetryTransaction
from .lane import Lane
from .sql import Sql
from .writer import Writer

R = TypeVar("R")

_SAVEPOINT = Sql("SAVEPOINT joined")
_UNDO = Sql("ROLLBACK TO SAVEPOINT joined")
_RELEASE = Sql("RELEASE SAVEPOINT joined")


class Held:
    """The one transaction of a request: its first write begins it, with what `first` does, and
    later ones join it. `is_open` once there is something to `settle` or to `drop`."""

    def __init__(self, writer: Writer, lane: Lane, first: Callable[[], object]) -> None:
        self.is_open = False
        self.inside = False  # a write is at work
        self.afterwards: list[Callable[[], object]] = []
        self._writer = writer
        self._lane = lane
        self._first = first

    def write(self, call: Callable[[], R]) -> R:
        """Run a call in the transaction; what raises is undone alone."""
        self.inside = True
        try:
            if self.is_open:
                return self._join(call)
            result = self._writer.hold(lambda: (self._first(), call())[1])
            self.is_open = True
            return result
        finally:
            self.inside = False

    def settle(self) -> None:
        """Commit, and do what was to be done after that. Raises DatabaseFailure."""
        self.is_open = False
        self._writer.settle()
        for afterwards in self.afterwards:
            afterwards()

    def drop(self) -> None:
        """Undo what is not settled."""
        if self.is_open:
            self.is_open = False
            self._writer.drop()

    def _join(self, call: Callable[[], R]) -> R:
        self._lane.run(_SAVEPOINT, ())
        try:
            result = call()
        except BaseException as error:
            with suppress(Exception):  # where all is undone already the error says why
                self._lane.run(_UNDO, ())
                self._lane.run(_RELEASE, ())
            # It cannot be run again without what came before it.
            if isinstance(error, RetryTransaction):
                raise DatabaseBusy("another writer got in the way") from error
            raise
        self._lane.run(_RELEASE, ())
        return result
