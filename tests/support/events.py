"""Clients of the stream of changes, as curl and browsers are."""

from __future__ import annotations

import queue
import socket
import threading
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
import requests

PATIENCE = 30


class Event(NamedTuple):
    """One event as it came."""

    name: str
    id: str
    data: Any


class Listening:
    """A client of the stream on a real server, in a thread of its own, from when it is answered."""

    def __init__(self, visitor, path="/changes/stream", since=None, token=None):
        headers = {"Last-Event-ID": since} if since else {}
        token = token or visitor.tokens["access_token"]
        if "ticket=" not in path:
            headers["Authorization"] = f"Bearer {token}"
        self.answer = requests.get(
            f"{visitor.url}{path}", headers=headers, stream=True, timeout=60, verify=False
        )
        self._connection = self.answer.raw.connection.sock
        self.last = since
        self._found = queue.Queue()
        self.comments = 0
        if self.answer.status_code == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for event in parsed(self._lines()):
                self._found.put(event)
        except (requests.RequestException, AttributeError, ValueError):
            pass  # the connection was broken, or closed here
        self._found.put(None)

    def _lines(self):
        for line in self.answer.iter_lines(chunk_size=1):
            self.comments += line.startswith(b":")
            yield line

    def next(self, patience=PATIENCE):
        """The next event; None where the stream has ended."""
        event = self._found.get(timeout=patience)
        if event is not None:
            self.last = event.id
        return event

    def until(self, name, patience=PATIENCE):
        """The events up to one with this name."""
        found = []
        while not found or found[-1].name != name:
            event = self.next(patience)
            assert event is not None, f"it ended after {found}"
            found.append(event)
        return found

    def changes(self, count):
        """So many changes, which come next."""
        found = []
        while len(found) < count:
            event = self.next()
            assert event is not None, f"it ended after {found}"
            if event.name != "ready":
                assert event.name == "change", event
                found.append(event.data)
        return found

    def ended(self, patience=PATIENCE):
        """Whether the next thing is the end."""
        return self.next(patience) is None

    def close(self):
        """Hang up, in the middle of whatever comes."""
        # Closing it would wait for the thread that reads.
        with suppress(OSError):  # the server was faster
            self._connection.shutdown(socket.SHUT_RDWR)


def parsed(lines):
    """The events in the lines of a stream (HTML, server-sent events §9.2.6), as far as ours go."""
    name, id_, data = "", "", b""
    for line in lines:
        field, _, value = line.partition(b": ")
        if field == b"event":
            name = value.decode()
        elif field == b"id":
            id_ = value.decode()
        elif field == b"data":
            data = value
        elif not line:
            if data:
                yield Event(name, id_, orjson.loads(data))
            name, data = "", b""


class Parts:
    """A stream of an application in this process, read part by part as a server would."""

    def __init__(self, answer):
        assert answer.status_code == 200, answer.text
        self.answer = answer
        self._parts = iter(answer.response)

    def next(self):
        """The events of the next part; none where it is a comment."""
        return list(parsed(self.text().encode().split(b"\n")))

    def text(self):
        """The next part as it is."""
        return next(self._parts).decode()

    def ended(self):
        """Whether there is no further part."""
        return next(self._parts, None) is None

    def close(self):
        """Hang up."""
        self.answer.close()
