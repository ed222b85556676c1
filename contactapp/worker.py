"""What job workers do: every kind of job, and what is due again and again."""

from __future__ import annotations

from flask import Flask

from .audit import service as audit
from .auth import attempts, erasure, links, mails, places, recovery
from .jobs import service as jobs_service
from .jobs.service import Effect, Job, LastWord
from .jobs.worker import Handler, JobWorker
from .notes import processing
from .users import avatars

MINUTE, HOUR = 60_000, 3_600_000  # ms


def _purge(_job: Job) -> Effect:
    """Delete what no longer counts."""

    def effect() -> None:
        jobs_service.purge()
        links.purge()
        places.purge()

    return effect


def _chain(job: Job) -> Effect:
    return audit.chain(attempts.quota(), job)


def _sweep(_job: Job) -> None:
    avatars.sweep()


HANDLERS: dict[str, Handler] = {
    "auth.forgot": recovery.answer_asking,
    "auth.resend": recovery.answer_asking,
    "mail.verify": mails.mail_link,
    "mail.reset": mails.mail_link,
    "mail.email": mails.mail_link,
    "mail.password_changed": mails.mail_notice,
    "mail.email_changed": mails.mail_to_old_address,
    "audit.chain": _chain,
    "account.erase": erasure.erase,
    "note.process": processing.process,
    "avatars.sweep": _sweep,
    "database.tidy": erasure.tidy,
    "purge": _purge,
}
LAST_WORDS: dict[str, LastWord] = {"note.process": processing.give_up}
PERIODS = {
    "audit.chain": MINUTE,
    "avatars.sweep": HOUR,
    "purge": HOUR,
}


def job_worker(app: Flask) -> JobWorker:
    """A worker for all of it."""
    return JobWorker(app, HANDLERS, PERIODS, LAST_WORDS)
