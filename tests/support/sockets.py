"""Hundreds of clients of the stream of changes, read by one thread."""

from __future__ import annotations

import re
import selectors
import socket
import threading
import time

_ID = re.compile(rb"X-Request-ID: ([0-9a-f]+)-")
_NAME = re.compile(rb'"nickname":"([^"]+)"')


class Flock:
    """Streams that are kept open. `seen`: [(process, nickname, time)] of every change."""

    def __init__(self, port):
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._going = True
        self.seen = []
        self.processes = {}  # of each stream, as its answer's request id says
        self.refused = 0
        self._thread = threading.Thread(target=self._read, daemon=True)

    def open(self, token):
        """One more, where the server has room."""
        one = socket.create_connection(("127.0.0.1", self._port), 60)
        host = f"Host: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {token}\r\n\r\n"
        one.sendall(f"GET /api/v1/changes/stream HTTP/1.1\r\n{host}".encode())
        head = b""
        while b"event: ready" not in head and b"HTTP/1.1 503" not in head:
            head += one.recv(65536)
        if b"HTTP/1.1 503" in head:
            self.refused += 1
            one.close()
            return False
        one.setblocking(False)
        self.processes[one] = _ID.search(head)[1].decode()
        self._selector.register(one, selectors.EVENT_READ)
        return True

    def start(self):
        """Begin to read."""
        self._thread.start()

    def _read(self):
        while self._going:
            for key, _ in self._selector.select(0.2):
                data, now = key.fileobj.recv(2**20), time.perf_counter()
                process = self.processes[key.fileobj]
                self.seen += [(process, name.decode(), now) for name in _NAME.findall(data)]
                if not data:
                    self._selector.unregister(key.fileobj)

    def close(self):
        """Hang up on all."""
        self._going = False
        self._thread.join()
        for one in self.processes:
            one.close()
