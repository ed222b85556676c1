"""Numbers for whoever watches the server, in Prometheus' text format.

Every process of a server counts in files of its own in one folder (`share`), and whichever is asked
adds them all up (`exposition`). Without `share`, as in a command, a process counts for itself.
Labels hold words of the program only: a path that no route knows is one label for all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.core import GaugeMetricFamily, Metric

UNKNOWN = "unknown"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # s
_FOLDER = "metrics"
ENTITIES = ("contact", "note")  # of which there are views

disable_created_metrics()  # a second series for each, which files shared by processes lack anyway


class Number(NamedTuple):
    """A gauge that only the scrape itself can tell, such as what the database says."""

    name: str
    help: str
    value: float


class _Numbers:
    """Every number that is counted. The library fixes how a number is kept when it makes it, so a
    process that begins to share makes all of them anew."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.registry = CollectorRegistry()
        # By (route, method, status class): finding a child by its labels takes as long as counting.
        self.requests_kept: dict[
            tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]
        ] = {}
        self.requests = self._counter(
            "requests", "Requests by the route they met", "route", "method", "status"
        )
        self.latency = self._histogram(
            "request_seconds", "From a request's arrival to its answer", "route"
        )
        self.limited = self._counter("limited", "Answers 429 by the limit used up", "limit")
        self.limits_failed = self._counter(
            "limit_store_failures", "Requests that no store of limits could count"
        )
        self.waits = self._histogram(
            "write_wait_seconds", "How long writes waited for their turn or their book", "lock"
        )
        view_reads = self._counter(
            "view_reads", "How reads of a book found its view", "entity", "how"
        )
        self.view_reads = {
            (entity, how): view_reads.labels(entity, how).inc
            for entity in ENTITIES
            for how in ("hit", "follow", "load", "row")
        }
        self.views = self._gauge("views", "Opened books in memory", "entity")
        self.view_bytes = self._gauge("view_bytes", "About what they take", "entity")
        self.jobs = self._counter("jobs", "Attempts at jobs by what became of them", "kind", "end")
        self.processes = self._gauge("process_id", "The processes that count", "process")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"contactapp_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(
            f"contactapp_{name}", text, labels, registry=self.registry, buckets=_BUCKETS
        )

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        # The sum over the processes that live.
        return Gauge(
            f"contactapp_{name}",
            text,
            labels,
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def collect(self) -> Iterable[Metric]:
        """Of all processes that share the folder, else of this one."""
        if self.folder is None:
            return self.registry.collect()
        return multiprocess.MultiProcessCollector(None, str(self.folder)).collect()


values.ValueClass = values.MutexValue  # whatever is in the environment: `share` decides
_numbers = _Numbers()


def folder_of(instance: Path) -> Path:
    """Where the processes of the server with this instance folder count."""
    return instance / _FOLDER


def begin(folder: Path) -> None:
    """Begin at zero, before the first process of a server counts."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)


def share(folder: Path, process: str) -> None:
    """Count where every process of the server finds it, from now on. `process` names this one among
    those that live: who takes the place of one that ended goes on with its files, or there would be
    more of them with every restart."""
    global _numbers
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # read whenever a file is opened
    values.ValueClass = values.MultiProcessValue(lambda: process)
    _numbers = _Numbers(folder)
    _numbers.processes.labels(process).set(os.getpid())
    for entity in ENTITIES:
        keep_views(entity, 0, 0)


def gone(folder: Path, process: str) -> None:
    """Forget what a process that ended had in memory; what it counted stays."""
    multiprocess.mark_process_dead(process, str(folder))


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """One request, answered. Runs for every one of them."""
    key = route, method, status // 100
    kept = _numbers.requests_kept.get(key)
    if kept is None:
        counter = _numbers.requests.labels(route, method, f"{status // 100}xx")
        kept = counter.inc, _numbers.latency.labels(route).observe
        _numbers.requests_kept[key] = kept
    kept[0]()
    kept[1](seconds)


def count_limited(limit: str) -> None:
    """One request was refused by this limit."""
    _numbers.limited.labels(limit).inc()


def count_limits_failed() -> None:
    """The store of the limits could not count a request."""
    _numbers.limits_failed.inc()


def count_wait(lock: str, seconds: float) -> None:
    """One write waited so long: `writer` for its turn to write at all, `stream` for its book."""
    _numbers.waits.labels(lock).observe(seconds)


def view_counter(entity: str) -> Callable[[str], None]:
    """Counts how books were read: their view was there (`hit`), brought up to date (`follow`), or
    made (`load`); or one row was read without it (`row`)."""

    def count(how: str) -> None:
        _numbers.view_reads[entity, how]()

    return count


def keep_views(entity: str, views: int, size: int) -> None:
    """This process now has so many views in memory, of about so many bytes."""
    _numbers.views.labels(entity).set(views)
    _numbers.view_bytes.labels(entity).set(size)


def count_job(kind: str, end: str) -> None:
    """One attempt at a job was `done`, has `failed`, or was the last (`dead`)."""
    _numbers.jobs.labels(kind, end).inc()


def exposition(more: Iterable[Number]) -> bytes:
    """Everything counted, and what the scrape found out itself."""
    return generate_latest(_Found(more))


class _Found:
    """As the library wants it."""

    def __init__(self, more: Iterable[Number]) -> None:
        self._more = more

    def collect(self) -> Iterator[Metric]:
        memory = GaugeMetricFamily(
            "contactapp_resident_bytes", "Memory of a process", labels=["process"]
        )
        for metric in _numbers.collect():
            yield metric
            if metric.name == "contactapp_process_id":
                for sample in metric.samples:
                    if (size := _resident(int(sample.value))) is not None:
                        memory.add_metric([sample.labels["process"]], size)
        yield memory
        for name, text, value in self._more:
            yield GaugeMetricFamily(f"contactapp_{name}", text, value)


def _resident(pid: int) -> int | None:
    """The bytes that a process has in memory; None where the system does not tell, or it ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
