"""The queue on Celery: tasks that do a job by its number, and the scan, which beat asks for.

Rows and leases stay the truth, so these workers and built-in ones may work side by side.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from logging.config import dictConfig
from typing import Any

from celery import beat, signals
from flask import Flask

from .. import logs
from ..config import Settings
from . import health, service, wake_ups
from .service import LastWord
from .wake_ups import DO, SCAN, SCAN_SECONDS, SCANS
from .worker import BEAT_SECONDS, Handler, do, guarded

_LONGEST = 500  # wake-ups in the broker, above which a scan adds none


class CeleryWorker:
    """Does the jobs of these kinds when Celery says so; `ready` makes the application, and `ending`
    has each process end what its jobs began beside them."""

    def __init__(
        self,
        settings: Settings,
        ready: Callable[[], Flask],
        handlers: Mapping[str, Handler],
        periods: Mapping[str, int],
        last_words: Mapping[str, LastWord] | None = None,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        self._ready = ready
        self._ending = ending
        self._handlers = handlers
        self._periods = dict(periods)
        self._last_words = last_words or {}
        self.celery = wake_ups.new_celery(settings.celery_broker_url or "")
        # Of this Celery alone, and not `typing`, which takes a method's self for an argument.
        for task, name in ((self.do, DO), (self.scan, SCAN)):
            self.celery.task(task, name=name, shared=False, typing=False)
        self.celery.conf.beat_schedule = {"scan": {"task": SCAN, "schedule": SCAN_SECONDS}}
        self.celery.conf.beat_scheduler = Beat
        signals.worker_init.connect(self._prepare)
        # The first in each forked process, the second where Celery forks none.
        for ends in (signals.worker_process_shutdown, signals.worker_shutdown):
            ends.connect(self._end)
        if settings.is_production:
            signals.celeryd_init.connect(_without_banner)
            signals.setup_logging.connect(_log_lines)

    @cached_property
    def app(self) -> Flask:
        """The application: made before the workers are forked, which open their own connections."""
        return self._ready()

    def do(self, job_id: int) -> None:
        """Do a job, if it is due and nobody has it."""
        guarded(self.app, partial(self._do, job_id))

    def scan(self) -> None:
        """Wake workers for what is due: retries, and what a broker or a worker has lost."""
        guarded(self.app, self._scan)

    def _do(self, job_id: int) -> None:
        job = service.claim(job_id)
        if job is not None:
            do(job, self._handlers, self._last_words)

    def _scan(self) -> None:
        if health.worker_is_silent(int(1000 * BEAT_SECONDS)):
            health.seen("celery")
            service.schedule(self._periods)
        found = service.due(_LONGEST)
        if not found:
            return
        with self.celery.connection_for_write() as connection:
            # What waits there already may be the same jobs: never more than so many twice.
            room = _LONGEST - wake_ups.waiting(connection, wake_ups.JOBS)
            with self.celery.amqp.Producer(connection) as producer:
                for job_id in found[: max(0, room)]:
                    wake_ups.tell(self.celery, job_id, producer)

    def _prepare(self, **_about: Any) -> None:
        os.umask(0o077)
        _ = self.app

    def _end(self, **_about: Any) -> None:
        if "app" in vars(self):  # else nothing was begun
            guarded(self.app, self._ending)


class Beat(beat.Scheduler):
    """Beat without a file, as nothing depends on when it last ran. It asks for no scan while one
    waits: workers that come back after a day find one, not forty thousand."""

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send the task of an entry."""
        try:
            if not wake_ups.waiting(self.connection, SCANS):
                self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:  # Celery's own way is a page of the log, every two seconds
            wake_ups.complain(error)


def _without_banner(instance: Any, **_about: Any) -> None:
    instance.quiet = True


def _log_lines(**_about: Any) -> None:
    dictConfig(logs.configuration())
    logging.captureWarnings(True)
