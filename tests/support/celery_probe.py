"""contactapp's own Celery application, with more kinds of jobs, a short lease and short pauses.

A job writes `<ref> <attempt> <process>` into lines.txt, and adds a row to the database when done.
"""

import os
import time
from pathlib import Path

from contactapp import worker
from contactapp.database import lane
from contactapp.jobs import service

service.LEASE_MS = 3_000
service._FIRST_PAUSE_MS = 20


def _line(job):
    with Path("lines.txt").open("a") as out:
        out.write(f"{job.ref} {job.attempts} {os.getpid()}\n")


def work(job):
    """Done at once."""
    _line(job)
    return lambda: _effect(job)


def stuck(job):
    """Hangs in the first two attempts."""
    _line(job)
    if job.attempts <= 2:
        time.sleep(600)
    return lambda: _effect(job)


def patient(job):
    """Waits for a file."""
    _line(job)
    while not Path("go").exists():
        time.sleep(0.02)
    return lambda: _effect(job)


def poison(_job):
    """Fails."""
    raise ConnectionError("smtp.example.com said secret words")


def _effect(job):
    lane().insert("stream", {"kind": f"w{job.ref}", "seq": 0, "head": b"", "floor": 0})


worker.HANDLERS.update(work=work, stuck=stuck, patient=patient, poison=poison)
celery = worker.celery
celery.conf.beat_schedule["scan"]["schedule"] = 0.2
