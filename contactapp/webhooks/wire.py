"""One POST to a receiver that may be slow, dead or hostile.

`http.client` reads the answer, over a source that knows the time that is left and how much was
read: a socket's own timeout begins anew with every byte. Nothing is unpacked, no redirect followed,
no proxy of the environment used.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from .. import clock
from ..config import Network
from .connecting import Failed, connected
from .target import Refused, parse

SECONDS = 15.0  # for all of it: looking up, connecting, sending, reading
MOST_BYTES = 64 * 1024  # of an answer
_BODY_SECONDS = 1.0  # for an answer's body, which nobody reads: only to use the connection again
_LONGEST_WAIT = 86_400  # seconds that a receiver may ask for
# What a connection that was kept says when its other end has let it go.
_CLOSED = (
    *(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError),
    http.client.RemoteDisconnected,
)


class Reply(NamedTuple):
    """What a receiver answered, and how many seconds it asked to be left alone."""

    status: int
    retry_after: int | None


class Wire:
    """A connection to one address, kept from one message to the next."""

    def __init__(self, url: str, allowed: Collection[Network]) -> None:
        self.url, self._allowed = url, allowed
        self._socket: socket.socket | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a message. Raises Failed."""
        until = time.monotonic() + SECONDS
        used_before = self._socket is not None
        try:
            return self._exchanged(headers, body, until)
        except _CLOSED as error:
            self.close()
            if not used_before:
                raise Failed("connection") from error
        return self._again(headers, body, until)

    def close(self) -> None:
        """Let the connection go."""
        kept, self._socket = self._socket, None
        if kept is not None:
            kept.close()

    def _again(self, headers: Mapping[str, str], body: bytes, until: float) -> Reply:
        """On a new connection: the receiver had closed the one that was kept."""
        try:
            return self._exchanged(headers, body, until)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Failed("connection") from error

    def _exchanged(self, headers: Mapping[str, str], body: bytes, until: float) -> Reply:
        try:
            target = parse(self.url, self._allowed)
            if self._socket is None:
                self._socket = connected(target, self._allowed, until)
            head = {"Host": target.authority, **headers, "Content-Length": str(len(body))}
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            request = f"POST {target.path} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + body
            _send(self._socket, request, until)
            return self._answer(until)
        except _CLOSED:
            raise
        except BaseException as error:
            self.close()
            if reason := _reason(error):
                raise Failed(reason) from error
            raise

    def _answer(self, until: float) -> Reply:
        assert self._socket is not None
        source = _Source(self._socket, until)
        response = http.client.HTTPResponse(source, method="POST")  # type: ignore[arg-type]
        response.begin()
        reply = Reply(response.status, _seconds(response.headers.get("Retry-After")))
        source.until = min(until, time.monotonic() + _BODY_SECONDS)
        with suppress(Exception):  # http.client raises this and that, and none of it counts
            while response.read(8192):
                pass
        if response.will_close or not response.isclosed():
            self.close()
        return reply


class _Source(io.RawIOBase):
    """What comes from a receiver, until a time and up to a size."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection, self.until = connection, until
        self._left = MOST_BYTES

    def makefile(self, *_: Any) -> io.BufferedReader:
        """As `http.client` asks a socket for it."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError()
        if self._left == 0:
            raise http.client.HTTPException("longer than anybody reads")
        self._connection.settimeout(left)
        count = self._connection.recv_into(buffer, min(len(buffer), self._left))
        self._left -= count
        return count


def _send(connection: socket.socket, data: bytes, until: float) -> None:
    rest = memoryview(data)
    while rest:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError()
        connection.settimeout(left)
        rest = rest[connection.send(rest) :]


def _reason(error: BaseException) -> str | None:
    """The word for it; None for what is no fault of a receiver."""
    if isinstance(error, Failed):
        return error.reason
    if isinstance(error, Refused):
        return error.code
    for kind, reason in (
        (TimeoutError, "timeout"),
        (ssl.SSLCertVerificationError, "certificate"),
        (ssl.SSLError, "tls"),
        (OSError, "connection"),
        (http.client.HTTPException, "protocol"),
    ):
        if isinstance(error, kind):
            return reason
    return None


def _seconds(header: str | None) -> int | None:
    """What Retry-After says (RFC 9110 §10.2.3): seconds, or a time."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
    return max(0, min(int(at - clock.now_ms() / 1000), _LONGEST_WAIT))
