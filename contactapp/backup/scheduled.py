"""The backup that is made again and again, as a job."""

from __future__ import annotations

import logging
import time

from .. import metrics
from ..config import settings
from ..engine import DatabaseFailure
from ..jobs.service import Job, renew
from . import creating, shelf

log = logging.getLogger("contactapp")

BACKUP = "backup"
_RENEWED = 10.0  # seconds between two renewals of the lease


def make(job: Job) -> None:
    """The job that makes a backup and deletes those that are too many. It fails like any job, and
    is counted and told by `/readyz` until the next one that does not."""
    if settings().backup_hours == 0:  # it was set when the job was scheduled
        return
    renewed = time.monotonic()

    def progress(_rows: int) -> None:
        nonlocal renewed
        if time.monotonic() - renewed > _RENEWED:
            renew(job)
            renewed = time.monotonic()

    try:
        made = creating.create(progress=progress)
        shelf.prune(settings().instance_path, settings().backup_keep, made.path)
    except Exception as error:
        metrics.count_backup_failed()
        known = isinstance(error, OSError | DatabaseFailure | creating.Running)
        log.error("the scheduled backup failed: %s", error if known else type(error).__name__)
        raise
