"""Connections that the server has ended and their clients have not.

What a client still sends is read for a moment, or its system would throw the last answer away with
the connection (RFC 9112 §9.6). gunicorn waits for that in the one thread that takes a worker's
connections: a client that does not hang up stops it for two seconds, and thirty have it killed.
"""

from __future__ import annotations

import socket
import threading
import time

_PATIENCE = 2.0  # seconds
_PAUSE = 0.02  # seconds between two looks
_PIECE, _PIECES = 4096, 16  # bytes that are read at once, and how often in one look
_MOST = 500  # connections; more are closed at once


class Closing:
    """Ends the connections of a process, on a thread of its own."""

    def __init__(self) -> None:
        self._some = threading.Condition()
        self._until: dict[socket.socket, float] = {}
        threading.Thread(target=self._run, name="closing", daemon=True).start()

    def close(self, connection: socket.socket) -> None:
        """End a connection without waiting for anybody."""
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # the client was faster
            connection.close()
            return
        with self._some:
            if len(self._until) < _MOST:
                self._until[connection] = time.monotonic() + _PATIENCE
                self._some.notify()
                return
        connection.close()

    def _run(self) -> None:
        while True:
            with self._some:
                self._some.wait_for(lambda: self._until)
                found = list(self._until.items())
            now = time.monotonic()
            ended = [one for one, until in found if now > until or _has_ended(one)]
            with self._some:
                for connection in ended:
                    del self._until[connection]
            for connection in ended:
                connection.close()
            time.sleep(_PAUSE)


def _has_ended(connection: socket.socket) -> bool:
    """Whether the client has hung up, as far as it has been heard."""
    try:
        # The flag, because gunicorn may have made the socket wait again.
        return not all(connection.recv(_PIECE, socket.MSG_DONTWAIT) for _ in range(_PIECES))
    except BlockingIOError:
        return False
    except OSError:
        return True
