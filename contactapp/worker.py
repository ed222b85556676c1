"""What job workers do: every kind of job, and what is due again and again."""

from __future__ import annotations

from flask import Flask

from .auth import links, mails, recovery
from .jobs import service as jobs_service
from .jobs.service import Effect, Job
from .jobs.worker import Handler, JobWorker

HOUR = 3_600_000  # ms


def _purge(_job: Job) -> Effect:
    """Delete what no longer counts."""

    def effect() -> None:
        jobs_service.purge()
        links.purge()

    return effect


HANDLERS: dict[str, Handler] = {
    "auth.forgot": recovery.answer_asking,
    "auth.resend": recovery.answer_asking,
    "mail.verify": mails.mail_link,
    "mail.reset": mails.mail_link,
    "mail.email": mails.mail_link,
    "mail.password_changed": mails.mail_notice,
    "mail.email_changed": mails.mail_to_old_address,
    "purge": _purge,
}
PERIODS = {
    "purge": HOUR,
}


def job_worker(app: Flask) -> JobWorker:
    """A worker for all of it."""
    return JobWorker(app, HANDLERS, PERIODS)
