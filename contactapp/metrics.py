"""Numbers for whoever watches the server.

Every process of a server counts where each other can read it (`share`), and whichever is asked adds
them all up (see `exposition`). Without `share`, as in a command, a process counts for itself.
Labels hold words of the program only: a path that no route knows is one label for all.
"""

from __future__ import annotations

import logging
import os
import shutil
from bisect import bisect_left
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .tally import Name, Tally, shared

log = logging.getLogger("contactapp")

UNKNOWN = "unknown"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # s
HISTOGRAM = len(BOUNDS) + 2  # the sum, then how many were in each bucket, and above all
_FOLDER = "metrics"
ENTITIES = ("contact", "note", "custom_field")  # of which there are views
DELIVERED = ("delivered", "failed", "given_up", "gone", "cancelled")


class Family(NamedTuple):
    """What the numbers of one name are."""

    kind: str
    help: str
    labels: tuple[str, ...] = ()


# fmt: off
FAMILIES = {
    "requests_total": Family(
        "counter", "Requests by the route they met", ("route", "method", "status")),
    "request_seconds": Family(
        "histogram", "From a request's arrival to its answer", ("route",)),
    "limited_total": Family("counter", "Answers 429 by the limit used up", ("limit",)),
    "limit_store_failures_total": Family("counter", "Requests that no store of limits counted"),
    "write_wait_seconds": Family(
        "histogram", "How long writes waited for their turn or their book", ("lock",)),
    "view_reads_total": Family(
        "counter", "Reads of a book by how its view was found", ("entity", "how")),
    "views": Family("gauge", "Opened books in memory", ("entity",)),
    "view_bytes": Family("gauge", "About what they take", ("entity",)),
    "streams": Family("gauge", "Streams of changes that are open"),
    "streams_refused_total": Family("counter", "Streams of changes that found no place"),
    "jobs_total": Family("counter", "Attempts at jobs by what became of them", ("kind", "end")),
    "webhook_deliveries_total": Family(
        "counter", "Messages to webhooks by what became of a try", ("result",)),
    "backup_failures_total": Family("counter", "Scheduled backups that could not be made"),
    "process_id": Family("gauge", "The processes that count", ("process",)),
    "resident_bytes": Family("gauge", "Memory of a process", ("process",)),
    # The scrape itself finds these out (see `probes`).
    "database_up": Family("gauge", "Whether the database answers"),
    "job_lag_seconds": Family("gauge", "How long the oldest due job is overdue"),
    "jobs_pending": Family("gauge", "Jobs to be done, now or later"),
    "jobs_dead": Family("gauge", "Jobs given up"),
    "worker_silence_seconds": Family("gauge", "Since a job worker was heard of"),
    "webhook_lag_seconds": Family(
        "gauge", "How long the oldest message that webhooks should have had is overdue"),
    "webhooks_failing": Family("gauge", "Webhooks to which nothing got through last"),
    "backup_failing": Family("gauge", "Whether the last try of a scheduled backup failed"),
    "backup_age_seconds": Family("gauge", "Since the newest backup of this server was made"),
    "wal_bytes": Family("gauge", "Size of SQLite's write-ahead log"),
}
# fmt: on
# There from the start: an alarm cannot tell what is missing from what is well.
_ALWAYS = [
    ("limit_store_failures_total",),
    ("backup_failures_total",),
    *[("webhook_deliveries_total", result) for result in DELIVERED],
    ("streams",),
    ("streams_refused_total",),
    *[("view_reads_total", e, how) for e in ENTITIES for how in ("hit", "follow", "load", "row")],
    *[(name, e) for e in ENTITIES for name in ("views", "view_bytes")],
]


class _Counts:
    """What this process counts, and the places that are looked up for every request."""

    def __init__(self, folder: Path | None = None, process: str = "") -> None:
        self.folder = folder
        self.tally = Tally(folder, process)
        self.numbers, self.lock = self.tally.numbers, self.tally.lock
        self.requests: dict[tuple[str, str, int], tuple[int, int]] = {}
        self.others: dict[Name, int] = {name: self.tally.place(name) for name in _ALWAYS}

    def place(self, name: Name, size: int = 1) -> int:
        """Where the numbers of this name are."""
        found = self.others.get(name)
        if found is None:
            found = self.others[name] = self.tally.place(name, size)
        return found

    def add(self, *name: str) -> None:
        """One more."""
        place = self.place(name)
        with self.lock:
            self.numbers[place] += 1

    def set(self, value: float, *name: str) -> None:
        """So many now."""
        self.numbers[self.place(name)] = value


_counts = _Counts()


def folder_of(instance: Path) -> Path:
    """Where the processes of the server with this instance folder count."""
    return instance / _FOLDER


def begin(folder: Path) -> None:
    """Begin at zero, before the first process of a server counts. Where that cannot be, on a full
    disk, the server serves all the same."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        log.warning("/metrics cannot begin at zero: %s", type(error).__name__)


def share(folder: Path, process: str) -> None:
    """Count where every process of the server finds it, from now on. `process` names this one among
    those that live. Where that cannot be, on a full disk, it goes on counting for itself."""
    global _counts
    try:
        _counts = _Counts(folder, process)
    except OSError as error:
        log.warning("/metrics cannot count over processes: %s", type(error).__name__)
    _counts.set(os.getpid(), "process_id", process)
    for entity in ENTITIES:
        keep_views(entity, 0, 0)


def gone(folder: Path, process: str) -> None:
    """Forget what a process that ended had in memory; what it counted stays."""
    with suppress(OSError):
        tally = Tally(folder, process)
        for name, _ in tally:
            if name[0] in FAMILIES and FAMILIES[name[0]].kind == "gauge":
                tally.numbers[tally.place(name)] = 0


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """One request, answered. Runs for every one of them."""
    counts, key = _counts, (route, method, status // 100)
    places = counts.requests.get(key)
    if places is None:
        counter = counts.place(("requests_total", route, method, f"{status // 100}xx"))
        places = counter, counts.place(("request_seconds", route), HISTOGRAM)
        counts.requests[key] = places
    counter, histogram = places
    with counts.lock:
        numbers = counts.numbers
        numbers[counter] += 1
        numbers[histogram] += seconds
        numbers[histogram + 1 + bisect_left(BOUNDS, seconds)] += 1


def count_wait(lock: str, seconds: float) -> None:
    """One write waited so long: `writer` for its turn to write at all, `stream` for its book."""
    counts = _counts
    place = counts.place(("write_wait_seconds", lock), HISTOGRAM)
    with counts.lock:
        counts.numbers[place] += seconds
        counts.numbers[place + 1 + bisect_left(BOUNDS, seconds)] += 1


def count_limited(limit: str) -> None:
    """One request was refused by this limit."""
    _counts.add("limited_total", limit)


def count_limits_failed() -> None:
    """The store of the limits could not count a request."""
    _counts.add("limit_store_failures_total")


def count_view(entity: str, how: str) -> None:
    """A book was read: its view was there (`hit`), brought up to date (`follow`), or made (`load`);
    or one row was read without it (`row`)."""
    _counts.add("view_reads_total", entity, how)


def keep_views(entity: str, views: int, size: int) -> None:
    """This process now has so many views in memory, of about so many bytes."""
    _counts.set(views, "views", entity)
    _counts.set(size, "view_bytes", entity)


def keep_streams(streams: int) -> None:
    """So many streams of changes are open in this process now."""
    _counts.set(streams, "streams")


def count_stream_refused() -> None:
    """A stream of changes found no place."""
    _counts.add("streams_refused_total")


def count_job(kind: str, end: str) -> None:
    """One attempt at a job was `done`, has `failed`, or was the last (`dead`)."""
    _counts.add("jobs_total", kind, end)


def count_delivery(result: str) -> None:
    """One message to a webhook was `delivered`, has `failed`, was `given_up` after the last try or
    because the receiver is `gone`, or is `cancelled`, as its user may not have it."""
    _counts.add("webhook_deliveries_total", result)


def count_backup_failed() -> None:
    """A scheduled backup could not be made."""
    _counts.add("backup_failures_total")


def counted() -> Iterable[tuple[Name, list[float]]]:
    """What each process of the server has counted; without `share`, this one alone."""
    folder = _counts.folder
    return _counts.tally if folder is None else shared(folder)
