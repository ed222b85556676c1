"""Whose turn it is to write, and when it is committed.

On PostgreSQL every write is a transaction on its thread's own connection. On SQLite, where one may
write at a time and a commit waits for the disk, a process writes on one connection: threads take
turns on it, and those that queue for it share one commit. Each write is still undone or done as a
whole (a savepoint) and answered only when it is on the disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Protocol, TypeVar

from .connection import Connection
from .engine import DatabaseBusy, DatabaseFailure, DatabaseUnavailable, RetryTransaction
from .lane import Lane
from .sql import Sql

R = TypeVar("R")

log = logging.getLogger("contactapp")

_TRIES = 2
_LARGEST = 32  # writes that share one commit; other processes wait for all of them
_SAVEPOINT = Sql("SAVEPOINT write")
_UNDO = Sql("ROLLBACK TO write")
_RELEASE = Sql("RELEASE write")


class Writer(Protocol):
    """Runs calls as write transactions."""

    def write(self, call: Callable[[], R]) -> R:
        """Commit when the call returns, roll back when it raises. Raises DatabaseFailure."""


class PostgresWriter:
    """A transaction per call; after a deadlock or serialisation failure it is run once more."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def write(self, call: Callable[[], R]) -> R:
        """See Writer."""
        for _ in range(_TRIES):
            self._lane.begin()
            try:
                result = call()
                self._lane.commit()
                return result
            except RetryTransaction:
                self._lane.rollback()
            except BaseException:
                self._lane.rollback()
                raise
        raise DatabaseBusy("two writers keep getting in each other's way")


class _Group:
    """Writes that are committed together."""

    def __init__(self) -> None:
        self.size = 0
        self._ended = threading.Event()
        self._failure: DatabaseFailure | None = None

    def end(self, error: BaseException | None) -> None:
        """Tell every member how the commit went."""
        if isinstance(error, DatabaseFailure):
            self._failure = error
        elif error is not None:
            log.error("a shared commit failed: %s", type(error).__name__)
            self._failure = DatabaseUnavailable("the commit that this write shared was undone")
        self._ended.set()

    def wait(self) -> None:
        """Return when the group is on the disk; raise why it is not."""
        self._ended.wait()
        if self._failure is not None:
            raise copy(self._failure)


class SqliteWriter:
    """One connection and one queue for all writers of a process.

    Who has the turn writes, and hands it to the next in the queue together with the open
    transaction; who finds nobody waiting commits for all. Nobody waits for company: a write that
    is alone commits at once.
    """

    def __init__(self, lane: Lane, patience: float) -> None:
        self._lane = lane
        self._patience = patience
        self._mutex = threading.Lock()
        self._taken = False
        self._queue: deque[threading.Event] = deque()
        # Both belong to whoever has the turn.
        self._group: _Group | None = None
        self._connection: Connection | None = None

    def write(self, call: Callable[[], R]) -> R:
        """See Writer."""
        group = None
        try:
            with self._turn() as group:
                result = call()
        except Exception:
            if group is not None and group.size:
                group.wait()  # what this call was refused for may be what the others wrote
            raise
        group.wait()
        return result

    @contextmanager
    def _turn(self) -> Iterator[_Group]:
        until = time.monotonic() + self._patience
        self._take_turn()
        try:
            self._lane.writing(self._connection)
            group = self._join(until - time.monotonic())
            try:
                yield group
                if group.size:
                    self._lane.run(_RELEASE, ())
            except BaseException as error:
                self._undo(group, error)
                raise
            group.size += 1
        finally:
            self._end_turn()

    def _take_turn(self) -> None:
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            go = threading.Event()
            self._queue.append(go)
        if go.wait(self._patience):
            return
        with self._mutex:
            if go not in self._queue:  # the turn came in the last moment
                return
            self._queue.remove(go)
        raise DatabaseBusy("the writers of this process queue for longer than we wait")

    def _end_turn(self) -> None:
        """Give the turn to the next, having committed where nobody is there to do so."""
        with self._mutex:
            full = self._group is not None and self._group.size >= _LARGEST
            next_ = self._queue.popleft() if self._queue and not full else None
        try:
            if next_ is None:
                self._commit()
        finally:
            self._connection = self._lane.reading()
            with self._mutex:
                if next_ is None and self._queue:
                    next_ = self._queue.popleft()
                self._taken = next_ is not None
            if next_ is not None:
                next_.set()

    def _join(self, patience: float) -> _Group:
        if self._group is None:
            self._lane.begin(patience)
            self._group = _Group()
        else:
            self._lane.run(_SAVEPOINT, ())
        return self._group

    def _undo(self, group: _Group, error: BaseException) -> None:
        """Undo one write of the group; all of them where SQLite has done so already, as it does
        when the disk is full."""
        if group.size:
            try:
                self._lane.run(_UNDO, ())
                self._lane.run(_RELEASE, ())
                return
            except Exception:
                group.end(error)
        self._group = None
        self._lane.rollback()

    def _commit(self) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        failure: BaseException | None = None
        try:
            self._lane.commit()
        except BaseException as error:
            failure = error
            self._lane.rollback()
        finally:
            group.end(failure)
