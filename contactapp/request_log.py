"""What becomes of every request: counted, and in production a line of JSON in the log.

The line names the route's template, never the path: paths hold feed tokens, keys of the user's own
and ids, queries hold names. It is written in one go and not by `logging`, which takes several times
as long and would do so for every request.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from time import perf_counter
from typing import Any

import orjson

from . import clock, metrics

_STANDARD_ERROR = 2  # where the log goes (see `logs`)


class RequestLog:
    """Told of every request when it is answered. `lines`: whether each gets one in the log."""

    def __init__(self, *, lines: bool) -> None:
        self._lines = lines

    def answered(self, environ: dict[str, Any], status: int, sent: int | str, began: float) -> None:
        """A request that began at `began`, by `perf_counter`, was answered with `sent` bytes."""
        seconds = perf_counter() - began
        rule = environ.get("contactapp.rule")
        route = metrics.UNKNOWN if rule is None else rule.rule
        method = environ["REQUEST_METHOD"]
        if method not in metrics.METHODS:  # it may be any word of the client's
            method = metrics.UNKNOWN
        metrics.count_request(route, method, status, seconds)
        if self._lines:
            self._write(environ, method, route, status, sent, seconds)

    def _write(
        self,
        environ: dict[str, Any],
        method: str,
        route: str,
        status: int,
        sent: int | str,
        seconds: float,
    ) -> None:
        now = clock.now_ms()
        line = {
            "time": f"{clock.rfc3339(now)[:-1]}.{now % 1000:03}Z",
            "level": "info",
            "logger": "contactapp.requests",
            "request_id": environ["contactapp.request_id"],
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
            "bytes": 0 if method == "HEAD" else int(sent),
            "user_id": environ.get("contactapp.user_id"),
        }
        with suppress(OSError):  # nobody reads the log: no reason to fail a request
            os.write(_STANDARD_ERROR, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


class Streamed:
    """Passes the parts of a body on, and tells how many bytes they were when it is closed."""

    def __init__(self, parts: Iterable[bytes], ended: Callable[[int], None]) -> None:
        self._parts = parts
        self._ended = ended
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self._sent += len(part)
            yield part

    def close(self) -> None:
        """The server calls this in the end, also after a failure."""
        try:
            close = getattr(self._parts, "close", None)
            if close is not None:
                close()
        finally:
            self._ended(self._sent)
