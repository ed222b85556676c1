"""What every worker does with a job, and the loop of the built-in one: threads that claim due jobs,
and one that says that it is alive."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from flask import Flask

from .. import metrics
from . import health, service
from .service import ATTEMPTS, Effect, Job, LastWord, LeaseLost

R = TypeVar("R")

log = logging.getLogger("contactapp")

POLL_SECONDS = 0.25
BEAT_SECONDS = 15.0

# Does what has to be done outside the database, and returns what is to be done inside it in the
# transaction that marks the job done.
Handler = Callable[[Job], Effect | None]


def do(job: Job, handlers: Mapping[str, Handler], last_words: Mapping[str, LastWord]) -> None:
    """Do a claimed job, and settle it. Raises what keeps it from being settled."""
    kind = job.kind if job.kind in handlers else metrics.UNKNOWN
    try:
        if job.attempts > ATTEMPTS and job.period is None:
            raise RuntimeError("every attempt so far ended its worker")
        service.finish(job, handlers[job.kind](job))
        metrics.count_job(kind, "done")
    except LeaseLost:
        log.warning("job %d (%s) took longer than its lease", job.id, job.kind)
    except Exception as error:  # whatever it is, the job is tried again and others go on
        dead = service.fail(job, error, last_words.get(job.kind))
        metrics.count_job(kind, "dead" if dead else "failed")
        log.log(
            logging.ERROR if dead else logging.WARNING,
            "job %d (%s) failed, attempt %d of %d: %s%s",
            *(job.id, job.kind, job.attempts, ATTEMPTS, type(error).__name__),
            "; see `contactapp jobs list`" if dead else "",
        )


def guarded(app: Flask, call: Callable[[], R]) -> R | None:
    """What the call returns; None where it fails, say because the database is away."""
    try:
        with app.app_context():
            return call()
    except Exception as error:
        log.error("a job worker could not go on: %s", type(error).__name__)
        return None


class JobWorker:
    """Does the jobs of these kinds until it is stopped."""

    def __init__(
        self,
        app: Flask,
        handlers: Mapping[str, Handler],
        periods: Mapping[str, int],
        last_words: Mapping[str, LastWord] | None = None,
    ) -> None:
        self.uid = uuid.uuid4().hex
        self._app = app
        self._handlers = handlers
        self._periods = dict(periods)
        self._last_words = last_words or {}
        self._stopping = threading.Event()
        self._turn = threading.Lock()  # one thread asks for work at a time

    def run(self, threads: int, alive: Callable[[], bool] = lambda: True) -> None:
        """Work until `stop`, or until it is no longer `alive`; then finish what was begun."""
        with self._app.app_context():
            service.schedule(self._periods)
        workers = [threading.Thread(target=self._work, name=f"job-{n}") for n in range(threads)]
        for thread in workers:
            thread.start()
        try:
            self._beat(alive)
        finally:
            self.stop()
            for thread in workers:
                thread.join()
        guarded(self._app, lambda: health.gone(self.uid))

    def stop(self) -> None:
        """Have `run` return; also from a signal handler."""
        self._stopping.set()

    def _beat(self, alive: Callable[[], bool]) -> None:
        beats = 0.0
        while not self._stopping.is_set() and alive():
            if beats <= 0:
                beats = BEAT_SECONDS
                guarded(self._app, lambda: health.seen(self.uid))
            self._stopping.wait(1.0)
            beats -= 1.0

    def _work(self) -> None:
        while not self._stopping.is_set():
            with self._turn:
                job = None if self._stopping.is_set() else guarded(self._app, service.claim)
                if job is None:
                    self._stopping.wait(POLL_SECONDS)
                    continue
            guarded(self._app, partial(do, job, self._handlers, self._last_words))
