"""Changes as server-sent events: the feed, told as it happens.

A stream is a reader of the feed that is told its cursor with every event. It looks when it is
woken (see `poller`), and as often as it sends a sign of life; each time its reader is let in anew
by the guard's own reading, so that a stream ends with what it was opened by.
"""

from __future__ import annotations

import logging
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import orjson
from flask import copy_current_request_context

from .. import metrics, serving
from ..actor import Actor
from ..bounded import Busy
from ..database import lane
from ..engine import DatabaseFailure
from ..errors import AppError, Gone, Unavailable
from ..keyring import Erased
from ..logs import stack
from . import cursor
from .cursor import Told
from .page import Page, read_page, streams_of, with_data
from .part import Position
from .poller import Listener, poller
from .waiting import RETRY_AFTER, waiting_places

log = logging.getLogger("contactapp")

CONTENT_TYPE = "text/event-stream; charset=utf-8"
HEARTBEAT = 15.0  # seconds; proxies hang up after 30 or 60 without a sign of life
_SIGN_OF_LIFE = b":\n\n"
_AT_ONCE = 50  # changes
# Bytes of a book's changes, and of one's data's, or one change: who takes them slowly has them kept
# for half a minute, and may have many streams.
_ROOM = 2**19
# Milliseconds until a browser connects again, each after its own time: when a server is started
# anew, all its listeners come back.
_RETRY = (2000, 5000)
_FULL = (
    "As many streams are open here as may be, or as one account may have. Try again after "
    f"{RETRY_AFTER} s, and meanwhile ask /api/v1/changes?wait=20 with the last event's id as since."
)


class Stream:
    """One client's stream of events, as the parts of an answer. Close it."""

    def __init__(self, actor: Actor, types: tuple[str, ...], again: Callable[[], Actor]) -> None:
        self._actor = actor
        self._types = types
        self._again = again
        self._told: Told | None = None  # None: what came before cannot be told
        self._cursor = self._said = ""  # of what was told, and the last that the client has
        self._is_ready = False
        self._poller = poller()
        self._listener: Listener
        self._kept = ExitStack()

    def open(self, since: str | None, connection: socket.socket | None) -> None:
        """Begin after a cursor, or with what happens from now on. Raises BadRequest for what is no
        cursor of this feed, and Unavailable where there is no place."""
        self._actor = with_data(self._actor)
        try:
            self._told = _now(self._actor) if since is None else cursor.opened(self._actor, since)
        except Gone:
            self._told = None
        ids = frozenset(book.stream_id for _, book in streams_of(self._actor))
        self._listener = Listener(ids, connection)
        try:
            self._kept.enter_context(waiting_places().place_of(self._actor.user_id))
        except Busy:
            metrics.count_stream_refused()
            raise Unavailable(RETRY_AFTER, _FULL) from None
        self._kept.enter_context(self._poller.listening(self._listener))
        lane().give_back()  # while it waits it needs none, and there may be hundreds

    def close(self) -> None:
        """Make room for somebody else."""
        self._kept.close()

    def parts(self) -> Iterator[bytes]:
        """What is sent, until the client has gone, may no longer know, or the process ends."""
        # The request is there when it is let in anew, not while it waits.
        next_ = copy_current_request_context(self._next)
        return self._parts(next_)

    def _parts(self, next_: Callable[[], tuple[bytes, bool]]) -> Iterator[bytes]:
        sent_at, part = time.monotonic(), b"retry: %d\n\n" % random.randint(*_RETRY)
        try:
            with self._kept:
                while not (serving.is_ending() or self._listener.gone):
                    self._listener.begin()
                    text, more = next_()
                    part += text
                    if not part and time.monotonic() - sent_at >= HEARTBEAT:
                        part = self._sign_of_life()
                    if part:
                        self._listener.sends_since = sent_at = time.monotonic()
                        yield part
                        self._listener.sends_since, part = None, b""
                    if not more:
                        self._listener.wait(sent_at + HEARTBEAT - time.monotonic())
        except (AppError, DatabaseFailure, Erased):
            return  # whoever connects again is told why
        except Exception as error:  # the answer has begun: nothing can be said any more
            log.error("a stream of changes failed\n%s", stack(error))

    def _next(self) -> tuple[bytes, bool]:
        """The events that are due, and whether there are more."""
        events = []
        with self._poller.turn():
            self._actor = actor = with_data(self._again())
            since, page, gone = self._read(actor)
        if gone is not None:
            details = {"code": gone.code, "detail": gone.detail}
            events.append(self._event("resync", details, since))
        events += [self._event("change", item, told) for item, told in page.steps(since)]
        self._told, self._cursor = page.told, cursor.sealed(actor, page.told)
        self._listener.told = _seqs(actor, page.told)
        if not (page.has_more or self._is_ready):
            self._is_ready = True
            events.append(self._event("ready", {}, page.told))
        return b"".join(events), page.has_more

    def _read(self, actor: Actor) -> tuple[Told, Page, Gone | None]:
        """What had been told, and what comes after it; why that is not all, where it is not."""
        gone = None
        try:
            if self._told is not None:
                return self._told, self._page(actor, self._told), None
            gone = Gone()
        except Gone as error:
            gone = error
        since = _now(actor)
        return since, self._page(actor, since), gone

    def _page(self, actor: Actor, told: Told) -> Page:
        return read_page(actor, told, self._types, _AT_ONCE, _ROOM)

    def _event(self, name: str, data: dict[str, Any], told: Told) -> bytes:
        """An event, whose id is the cursor of what has been told with it."""
        id_ = self._said = cursor.sealed(self._actor, told)
        parts = (name.encode(), id_.encode(), orjson.dumps(data))
        return b"event: %b\nid: %b\ndata: %b\n\n" % parts

    def _sign_of_life(self) -> bytes:
        """A comment; with the cursor, where changes were left out since it was told."""
        if self._cursor == self._said:
            return _SIGN_OF_LIFE
        self._said = self._cursor
        return b":\nid: %b\n\n" % self._cursor.encode()


def _now(actor: Actor) -> Told:
    """All that there is has been told."""
    return Told(**{name: Position(book.seq, book.head) for name, book in streams_of(actor)})


def _seqs(actor: Actor, told: Told) -> dict[int, int]:
    found: dict[int, int] = {}
    for name, book in streams_of(actor):
        position: Position | None = getattr(told, name)
        found[book.stream_id] = position.seq if position else 0
    return found


def open_stream(
    actor: Actor,
    since: str | None,
    types: tuple[str, ...],
    again: Callable[[], Actor],
    connection: socket.socket | None,
) -> Stream:
    """A stream of the changes after a cursor, or from now on. `again` lets the actor in anew, or
    raises; `connection` is their socket, where the server tells it. Raises as `Stream.open`."""
    stream = Stream(actor, types, again)
    try:
        stream.open(since, connection)
    except BaseException:
        stream.close()
        raise
    return stream


def check(actor: Actor, since: str | None) -> None:
    """Raise what a stream after this cursor would be refused for, but for its place."""
    try:
        if since is not None:
            cursor.opened(actor, since)
    except Gone:
        pass
