"""`/healthz` and `/readyz`, for whoever watches the server."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

from .answers import answer_object
from .database import Sql, database, lane
from .engine import DatabaseFailure, warn_of_old_sqlite
from .http import unlimited
from .jobs.service import worker_is_silent
from .startup import problems

probes = Blueprint("probes", __name__)
_ALIVE = Sql("SELECT 1")


@probes.route("/healthz")
@unlimited
def healthz() -> Response:
    """The process answers."""
    return answer_object({"status": "ok"})


@probes.route("/readyz")
@unlimited
def readyz() -> Response:
    """The database answers, is at the right revision, durable, and its keys open."""
    try:
        lane().one(_ALIVE)
        found = problems(current_app._get_current_object())  # type: ignore[attr-defined]
    except DatabaseFailure:
        found = ["the database is not reachable"]
    status = {"status": "unready" if found else "ready", "problems": found}
    warnings = _warnings(ready=not found)
    if warnings:
        status["warnings"] = warnings
    if found:
        return answer_object(status, 503, {"Retry-After": "5"})
    return answer_object(status)


def _warnings(*, ready: bool) -> list[str]:
    """What the operator should see to, while requests can be served."""
    found = [warn_of_old_sqlite()] if database().is_sqlite else []
    if ready and worker_is_silent():
        found.append(
            "no job worker was heard of for a minute, so mail waits: run `contactapp worker`"
        )
    return [warning for warning in found if warning]
