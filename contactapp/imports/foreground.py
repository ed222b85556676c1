"""An import that a command waits for."""

from __future__ import annotations

import math
import time
from functools import partial

from ..actor import Actor
from ..database import Sql, lane
from ..jobs.service import Job, claim
from ..jobs.worker import do
from . import stored
from .running import JOB, Told, give_up, run
from .stored import UNFINISHED, Import

_PAUSE = 0.2  # seconds
_WAITING = Sql("SELECT id FROM job WHERE kind = ? AND ref = ? AND status = 'pending'")


def finish(actor: Actor, one: Import, told: Told) -> Import:
    """Do an import's job here and now, or wait for the worker that was faster; the import as it is
    in the end."""
    while one.status in UNFINISHED:
        if not _work(one.id, told):
            time.sleep(_PAUSE)
        one = stored.read_import(actor.book, actor.user_id, one.id)
        told(one)
    return one


def _work(import_id: int, told: Told) -> bool:
    """Whether the job was to be had."""
    row = lane().one(_WAITING, (JOB, import_id))
    job: Job | None = claim(row[0]) if row else None
    if job is not None:
        do(job, {JOB: partial(run, seconds=math.inf, told=told)}, {JOB: give_up})
    return job is not None
