"""What job workers do: every kind of job, and what is due again and again.

`celery -A contactapp.worker worker` finds Celery's application here as `celery`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flask import Flask

from . import idempotency, ready_app
from .audit import checkpoints, retention
from .audit import service as audit
from .auth import attempts, erasure, links, mails, places, recovery, tickets
from .backup import scheduled
from .config import ConfigError, Settings, load
from .contacts import photo_rows
from .contacts import purging as trash
from .data import purging
from .engine import DatabaseFailure
from .imports import service as imports
from .jobs import service as jobs_service
from .jobs.service import Effect, Job, LastWord
from .jobs.worker import Handler, JobWorker
from .keyring import MissingKey, WrongMasterKey
from .notes import processing
from .startup import StartError
from .users import avatars
from .webhooks import ending, outbox, senders
from .webhooks import service as webhooks

if TYPE_CHECKING:
    from celery import Celery

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000  # ms


def _purge(_job: Job) -> Effect:
    """Delete what no longer counts."""

    def effect() -> None:
        jobs_service.purge()
        links.purge()
        places.purge()
        tickets.purge()
        idempotency.purge()

    return effect


def _chain(job: Job) -> Effect:
    return audit.chain(attempts.quota(), job)


def _purge_trash(job: Job) -> None:
    trash.purge(job)
    while imports.purge_imports():
        jobs_service.renew(job)


def _sweep(_job: Job) -> None:
    avatars.sweep()


def _sweep_photos(_job: Job) -> None:
    photo_rows.sweep()


HANDLERS: dict[str, Handler] = {
    "auth.forgot": recovery.answer_asking,
    "auth.resend": recovery.answer_asking,
    "mail.verify": mails.mail_link,
    "mail.reset": mails.mail_link,
    "mail.email": mails.mail_link,
    "mail.password_changed": mails.mail_notice,
    "mail.email_changed": mails.mail_to_old_address,
    ending.NOTICE: ending.mail_notice,
    "audit.chain": _chain,
    "audit.checkpoint": checkpoints.make,
    "account.erase": erasure.erase,
    scheduled.BACKUP: scheduled.make,
    "import.run": imports.run,
    "note.process": processing.process,
    "avatars.sweep": _sweep,
    "data.purge": purging.purge,
    "photos.sweep": _sweep_photos,
    "database.tidy": erasure.tidy,
    "purge": _purge,
    "purge.changes": retention.purge,
    "purge.trash": _purge_trash,
    outbox.JOB: senders.send,
    "webhooks.scan": senders.scan,
    "webhooks.sweep": webhooks.sweep,
}
LAST_WORDS: dict[str, LastWord] = {
    "note.process": processing.give_up,
    "import.run": imports.give_up,
}
PERIODS = {
    "audit.chain": MINUTE,
    "audit.checkpoint": DAY,
    "avatars.sweep": HOUR,
    "data.purge": MINUTE,
    "photos.sweep": HOUR,
    "purge": HOUR,
    "purge.trash": HOUR,
    "webhooks.scan": MINUTE,
    "webhooks.sweep": HOUR,
    # Each time leaves a checkpoint for every book that it shortens.
    "purge.changes": DAY,
}


def job_worker(app: Flask) -> JobWorker:
    """A worker for all of it."""
    return JobWorker(app, HANDLERS, periods(app.extensions["contactapp.settings"]), LAST_WORDS)


def periods(settings: Settings) -> dict[str, int]:
    """What is due again and again, by these settings."""
    hours = settings.backup_hours
    return {**PERIODS, scheduled.BACKUP: hours * HOUR} if hours else PERIODS


def __getattr__(name: str) -> Celery:
    """`celery`, made when it is first asked for: the built-in worker need not import Celery."""
    if name != "celery":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = made = _new_celery()
    return made


def _new_celery() -> Celery:
    try:
        settings = load()
        if settings.celery_broker_url is None:
            raise ConfigError("CONTACTAPP_CELERY_BROKER_URL", "must be set for Celery.")
    except ConfigError as error:
        sys.exit(f"contactapp: {error}")
    from .jobs.celery_worker import CeleryWorker

    about = (settings, _ready_app, HANDLERS, periods(settings), LAST_WORDS)
    return CeleryWorker(*about, lambda: senders.senders().stop()).celery


def _ready_app() -> Flask:
    """An application that is fit for it. Celery goes on after any other exception."""
    try:
        return ready_app()
    except (StartError, WrongMasterKey, MissingKey, DatabaseFailure) as error:
        sys.exit(f"contactapp: {error}")
