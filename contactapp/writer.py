"""Who writes when, and when it is committed.

On PostgreSQL every write is a transaction on its thread's own connection (`postgres_writer`). On
SQLite, where one may write at a time and a commit waits for the disk, a process writes on one
connection, and what queues for it shares one commit. Each write is still undone or done as a whole
(a savepoint) and answered only when it is on the disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from copy import copy
from typing import Any, Generic, Protocol, TypeVar, cast

from . import metrics
from .connection import Connection
from .engine import DatabaseBusy, DatabaseFailure, DatabaseUnavailable
from .lane import Lane
from .sql import Sql

R = TypeVar("R")

log = logging.getLogger("contactapp")

_LARGEST = 32  # writes that share one commit; other processes wait for all of them
_SAVEPOINT = Sql("SAVEPOINT write")
_UNDO = Sql("ROLLBACK TO write")
_RELEASE = Sql("RELEASE write")


class Writer(Protocol):
    """Runs calls as write transactions."""

    def write(self, call: Callable[[], R]) -> R:
        """Commit when the call returns, roll back when it raises. Raises DatabaseFailure."""

    def hold(self, call: Callable[[], R]) -> R:
        """As `write`, but where the call returns, its transaction stays open on this thread until
        `settle` or `drop`; every other write may have to wait for that."""

    def settle(self) -> None:
        """Commit what is held. Raises DatabaseFailure."""

    def drop(self) -> None:
        """Roll back what is held."""


class _Write(Generic[R]):
    """A call that waits to be run, and then to be on the disk."""

    def __init__(self, call: Callable[[], R], patience: float, *, held: bool = False) -> None:
        self.leads = False
        self.held = held  # by its own thread, which alone may run it
        self._waited: float | None = None  # seconds until it was run
        self._began = time.monotonic()
        self.until = self._began + patience
        self._call = call
        self._context = copy_context()  # whoever runs the call does it as this request
        self._result: R | None = None
        self._error: BaseException | None = None
        self._wake = threading.Lock()
        self._wake.acquire()

    def run(self) -> None:
        """Run the call, and keep what it returns."""
        self._waited = time.monotonic() - self._began
        self._result = self._context.run(self._call)

    def refuse(self, error: BaseException) -> None:
        """Keep what the call raised, or why it was not run."""
        self._error = error

    def wake(self) -> None:
        """Let `wait` return."""
        self._wake.release()

    def wait(self, patience: float = -1) -> bool:
        """Whether it was woken in time."""
        return self._wake.acquire(timeout=patience)

    def count(self) -> None:
        """Tell the metrics how long it waited to be run, or in vain."""
        waited = self._waited
        metrics.count_wait("writer", time.monotonic() - self._began if waited is None else waited)

    def outcome(self) -> R:
        """What the call returned; raises what it raised, or why it did not come to be."""
        if self._error is None:
            return cast(R, self._result)
        try:
            raise self._error
        finally:
            self._error = None  # else the error and its frames would keep each other


class SqliteWriter:
    """One connection and one queue for all writers of a process.

    Who finds nobody writing leads: it runs what queues, its own call first, in one transaction,
    each call in its own context, and commits for all. So a write is handed to another thread only
    to be run, and each thread sleeps once: on a connection that every thread used in turn, most of
    the time went into waking the next. Nobody waits for company: a write that is alone commits at
    once.
    """

    def __init__(self, lane: Lane, patience: float) -> None:
        self._lane = lane
        self._patience = patience
        self._mutex = threading.Lock()
        self._taken = False
        self._queue: deque[_Write[Any]] = deque()
        self._connection: Connection | None = None  # belongs to who leads, as does:
        self._held: _Write[Any] | None = None

    def write(self, call: Callable[[], R]) -> R:
        """See Writer."""
        write = _Write(call, self._patience)
        try:
            self._queue_up(write)
            if write.leads:
                self._lane.lend(self._connection)
                self._lead([])
        finally:
            write.count()
        return write.outcome()

    def hold(self, call: Callable[[], R]) -> R:
        """See Writer. Who holds a transaction leads, and what queued meanwhile shares its commit;
        but two that are held never share one."""
        write = _Write(call, self._patience, held=True)
        try:
            self._queue_up(write)
            with self._mutex:
                self._queue.popleft()  # who leads is the first in it
            self._lane.lend(self._connection)
            self._held = write
            try:
                self._lane.begin(write.until - time.monotonic())
                write.run()
            except BaseException:
                self.drop()
                raise
        finally:
            write.count()
        return write.outcome()

    def settle(self) -> None:
        """See Writer."""
        held, self._held = self._held, None
        if held is not None:
            self._lead([held])
            held.outcome()

    def drop(self) -> None:
        """See Writer."""
        self._held = None
        try:
            self._lane.rollback()
        finally:
            self._step_down()

    def _queue_up(self, write: _Write[Any]) -> None:
        """Return when the write is done, or has to lead."""
        with self._mutex:
            self._queue.append(write)
            leads = write.leads = not self._taken
            self._taken = True
        if not leads:  # `write.leads` may differ by now: who was told to lead was woken too
            self._wait(write)

    def _wait(self, write: _Write[Any]) -> None:
        if write.wait(self._patience):
            return
        with self._mutex:
            if write in self._queue and not write.leads:
                self._queue.remove(write)
                raise DatabaseBusy("the writers of this process queue for longer than we wait")
        write.wait()  # it was taken up in the last moment

    def _lead(self, group: list[_Write[Any]]) -> None:
        """Run what queues and commit it with the group: what a commit would put on the disk, and
        who waits for that."""
        try:
            try:
                while write := self._next(group):
                    self._run(write, group)
                if group:
                    self._lane.commit()
            except BaseException as error:
                try:
                    self._lane.rollback()
                finally:
                    _end(group, error)
            else:
                _end(group, None)
        finally:
            self._step_down()

    def _next(self, group: list[_Write[Any]]) -> _Write[Any] | None:
        with self._mutex:
            if not self._queue or self._queue[0].held or len(group) >= _LARGEST:
                return None
            return self._queue.popleft()

    def _run(self, write: _Write[Any], group: list[_Write[Any]]) -> None:
        """Run a write and add it to the group, or undo it alone."""
        try:
            if group:
                self._lane.run(_SAVEPOINT, ())
            else:
                self._lane.begin(write.until - time.monotonic())
            write.run()
            if group:
                self._lane.run(_RELEASE, ())
        except BaseException as error:
            write.refuse(error)
            if not self._undone(group, error):
                return write.wake()
        # A refused one waits too: what it was refused for may be what the others wrote.
        return group.append(write)

    def _undone(self, group: list[_Write[Any]], error: BaseException) -> bool:
        """Undo the last write of the group; all of them, and say so, where SQLite has done that
        already, as it does when the disk is full."""
        if group:
            try:
                self._lane.run(_UNDO, ())
                self._lane.run(_RELEASE, ())
                return True
            except Exception:
                _end(group, error)
                group.clear()
        self._lane.rollback()
        return False

    def _step_down(self) -> None:
        """Let the next in the queue lead: this thread has an answer to give."""
        self._connection = self._lane.take_back()
        with self._mutex:
            self._taken = bool(self._queue)
            if self._taken:
                self._queue[0].leads = True
                self._queue[0].wake()


def _end(group: list[_Write[Any]], error: BaseException | None) -> None:
    """Tell everybody how the commit went."""
    failure: DatabaseFailure | None = None
    if isinstance(error, DatabaseFailure):
        failure = error
    elif error is not None:
        log.error("a shared commit failed: %s", type(error).__name__)
        failure = DatabaseUnavailable("the commit that this write shared was undone")
    for write in group:
        if failure is not None:
            write.refuse(copy(failure))
        write.wake()
