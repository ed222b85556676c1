"""Who waits for streams of changes, and the one thread of a process that looks for them.

It asks for the numbers of all streams that somebody waits for, in one statement. What is written in
this very process is told at once. Both only wake: what there is to tell, and to whom still, is read
by those who wait, in turn and on one connection, so that none is held for each of them.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask import Flask, current_app

from .. import metrics, serving
from ..connection import Connection
from ..database import Sql
from ..engine import DatabaseFailure
from ..lane import Lane

log = logging.getLogger("contactapp")

_PAUSE = 0.1  # seconds between two looks
_AFTER_FAILURE = 1.0  # and while the database is away
_SENDING = 30.0  # seconds that a client may take for what it is sent at once
# Milliseconds until one is given up whose system answers no more, as after a walk out of the house:
# by itself it would be there for a quarter of an hour. Longer than the above, which is quieter.
_UNANSWERED = 45_000
# One parameter, however many streams: a statement for each number of them would be prepared.
_SEQS = Sql(
    "SELECT id, seq FROM stream WHERE id IN (SELECT value FROM json_each(?))",
    postgresql="SELECT id, seq FROM stream WHERE id = ANY (CAST(? AS bigint[]))",
)


class Listener:
    """Who waits for these streams. `connection`: the socket of their client, where it is known."""

    def __init__(self, streams: frozenset[int], connection: socket.socket | None) -> None:
        self.streams = streams
        self.told: dict[int, int] = {}  # the number of each stream that was read up to
        self.sends_since: float | None = None
        self.gone = False
        self._connection = connection
        self._woken = threading.Event()
        if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            with suppress(OSError):  # of another kind, as from a proxy on this machine
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNANSWERED)

    def wake(self) -> None:
        """Let `wait` return."""
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Return when there may be something to tell, or after so long."""
        self._woken.wait(seconds)

    def begin(self) -> None:
        """Whatever comes from now on wakes."""
        self._woken.clear()

    def hang_up(self) -> None:
        """End the connection, also where a thread is at sending something."""
        connection = self._connection
        if connection is not None:
            with suppress(OSError):  # taken note of; else the server logs it as an error of its own
                connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.gone = True
        if connection is not None:
            with suppress(OSError):  # past TLS, whose end another thread cannot negotiate
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self.wake()

    def descriptor(self) -> int:
        """That of the client's socket, or -1."""
        return -1 if self._connection is None else self._connection.fileno()


class Poller:
    """Looks for changes while somebody listens."""

    def __init__(self, own: Lane) -> None:
        self._lane = own
        self._forget()
        _pollers.add(self)

    def _forget(self) -> None:
        """Begin anew, also in a child, where no thread of the parent goes on."""
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._all: frozenset[Listener] = frozenset()
        self._of: dict[int, frozenset[Listener]] = {}  # by stream

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Within it the listener is woken by what happens in its streams."""
        with self._lock:
            if self._thread is None:  # kept when it runs: else none would ever be started again
                thread = threading.Thread(target=self._run, name="changes", daemon=True)
                thread.start()
                self._thread = thread
            self._keep(self._all | {listener}, listener.streams)
        try:
            yield
        finally:
            with self._lock:
                self._keep(self._all - {listener}, listener.streams)

    def _keep(self, listeners: frozenset[Listener], streams: frozenset[int]) -> None:
        self._all = listeners
        for id_ in streams:
            self._of[id_] = frozenset(one for one in listeners if id_ in one.streams)
            if not self._of[id_]:
                del self._of[id_]
        metrics.keep_streams(len(listeners))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within it this thread reads on the connection that all listeners share."""
        with self._turn:
            self._lane.lend(self._connection)
            try:
                yield
            finally:
                self._connection = self._lane.take_back()

    def tell(self, stream_id: int) -> None:
        """Wake who listens to a stream: a change of it was committed here."""
        for listener in self._of.get(stream_id, ()):
            listener.wake()

    def _run(self) -> None:
        """Look until nobody listens."""
        failed = False
        while self._goes_on():
            time.sleep(_AFTER_FAILURE if failed else _PAUSE)
            try:
                self._see_to_clients()
                self._look()
                failed = False
            except DatabaseFailure as error:
                if not failed:
                    log.warning("streams of changes: %s", error)
                failed = True
            except Exception:
                log.exception("streams of changes")
                failed = True
        self._lane.close()

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._all:
                self._thread = None
            return bool(self._all)

    def _look(self) -> None:
        """Wake those who were told of less than there is, or of what is gone."""
        ids = ",".join(map(str, list(self._of)))  # a copy: listeners come and go meanwhile
        text = f"[{ids}]" if self._lane.is_sqlite else f"{{{ids}}}"
        seqs = dict(self._lane.all(_SEQS, (text,)))
        for listener in self._all:
            if any(seqs.get(id_) != seq for id_, seq in listener.told.items()):
                listener.wake()

    def _see_to_clients(self) -> None:
        """Hang up on clients that take nothing; wake all where the process ends. Where clients have
        hung up, nobody would notice before the next thing is sent, and then the next."""
        now, ending = time.monotonic(), serving.is_ending()
        for listener in self._all:
            since = listener.sends_since
            if since is not None and (ending or now - since > _SENDING):
                listener.hang_up()
            elif ending:
                listener.wake()
        for listener in _hung_up(self._all):
            listener.hang_up()


def _hung_up(listeners: frozenset[Listener]) -> list[Listener]:
    if not hasattr(select, "poll"):
        return []
    poll, found = select.poll(), {}
    for listener in listeners:
        descriptor = listener.descriptor()
        if descriptor >= 0:
            found[descriptor] = listener
            poll.register(descriptor, getattr(select, "POLLRDHUP", 0))
    return [found[descriptor] for descriptor, _ in poll.poll(0)]


_pollers: weakref.WeakSet[Poller] = weakref.WeakSet()


def _forget_all() -> None:
    for one in list(_pollers):
        one._forget()


os.register_at_fork(after_in_child=_forget_all)


def init_app(app: Flask) -> None:
    """Give the application its poller, which does nothing until somebody listens."""
    app.extensions["contactapp.poller"] = Poller(app.extensions["contactapp.database"].lane)


def poller() -> Poller:
    """The poller of the current application."""
    return current_app.extensions["contactapp.poller"]
