"""Writing on PostgreSQL: every write is a transaction on its thread's own connection."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from .engine import DatabaseBusy, RetryTransaction
from .lane import Lane

R = TypeVar("R")

# Before a transaction is run again: else it can take back the row that the winner is just waking up
# to, and the two meet once more.
_PAUSES = (0.02, 0.1)  # seconds, of which half to all


class PostgresWriter:
    """A transaction per call; after a deadlock or serialisation failure it is run again, twice at
    most."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def write(self, call: Callable[[], R]) -> R:
        """See Writer."""
        return self._run(call, self._lane.commit)

    def hold(self, call: Callable[[], R]) -> R:
        """See Writer."""
        return self._run(call, lambda: None)

    def settle(self) -> None:
        """See Writer."""
        try:
            self._lane.commit()
        except RetryTransaction as error:  # too late: what read its result cannot be run again
            self._lane.rollback()
            raise DatabaseBusy("another writer got in the way") from error
        except BaseException:
            self._lane.rollback()
            raise

    def drop(self) -> None:
        """See Writer."""
        self._lane.rollback()

    def _run(self, call: Callable[[], R], end: Callable[[], None]) -> R:
        for pause in (*_PAUSES, None):
            self._lane.begin()
            try:
                result = call()
                end()
                return result
            except RetryTransaction:
                self._lane.rollback()
                if pause is not None:
                    time.sleep(pause * random.uniform(0.5, 1.0))
            except BaseException:
                self._lane.rollback()
                raise
        raise DatabaseBusy("two writers keep getting in each other's way")
