"""`/healthz`, `/readyz` and `/metrics`, for whoever watches the server."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from pathlib import Path

from flask import Blueprint, Request, Response, current_app, request

from .answers import answer_object
from .auth import attempts, guard, hosts
from .auth.credentials import bearer_token
from .backup import shelf
from .backup.scheduled import BACKUP
from .config import is_loopback, settings
from .database import Sql, database, lane
from .engine import DatabaseFailure, warn_of_old_sqlite
from .errors import NotFound
from .exposition import CONTENT_TYPE, exposition
from .http import unlimited
from .jobs import health
from .startup import problems
from .webhooks import service as webhooks

probes = Blueprint("probes", __name__)
_ALIVE = Sql("SELECT 1")
_LATE = 300.0  # seconds that a job may be overdue before somebody should look
# What a proxy that nobody told us of says about its client.
_PASSED_ON = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")


@probes.route("/healthz")
@unlimited
def healthz() -> Response:
    """The process answers."""
    return answer_object({"status": "ok"})


@probes.route("/readyz")
@unlimited
def readyz() -> Response:
    """The database answers, is at the right revision, durable, its keys open, and the instance
    folder can be written."""
    try:
        lane().one(_ALIVE)
        found = problems(current_app._get_current_object())  # type: ignore[attr-defined]
    except DatabaseFailure:
        found = ["the database is not reachable"]
    status = {"status": "unready" if found else "ready", "problems": found}
    warnings = list(_warnings(ready=not found))
    if warnings:
        status["warnings"] = warnings
    if found:
        return answer_object(status, 503, {"Retry-After": "5"})
    return answer_object(status)


def _warnings(*, ready: bool) -> Iterator[str]:
    """What the operator should see to, while requests can be served.

    Not a 503: that takes this server's requests away. All servers share the queue and the Redis, so
    all would go at once, and nobody could read a contact because a letter waits. Alarms go by the
    numbers in /metrics.
    """
    if database().is_sqlite and (warning := warn_of_old_sqlite()):
        yield warning
    if ready:
        yield from _late_work()
    store = attempts.quota().store
    try:
        store.check()
    except store.failures:
        yield "the store of the rate limits does not answer, so limits are not exact"


def _late_work() -> Iterator[str]:
    if health.worker_is_silent():
        yield "no job worker was heard of for a minute, so mail waits: run `contactapp worker`"
    backlog = health.backlog()
    if backlog.lag > _LATE:
        yield f"the oldest job that is due has waited for {backlog.lag / 60:.0f} minutes"
    if settings().backup_hours:
        yield from _late_backup()
    if backlog.dead:
        yield (
            f"jobs were given up ({backlog.dead}): see `contactapp jobs list --status dead`, "
            "then `contactapp jobs replay`"
        )


def _late_backup() -> Iterator[str]:
    given = settings()
    if health.is_failing(BACKUP):
        yield ("the last scheduled backup failed, or was killed: see the job worker's log")
    age = shelf.age_seconds(given.instance_path)
    if age is not None and age > 2 * 3600 * given.backup_hours:
        yield f"the newest backup is {age / 3600:.0f} hours old"


@probes.route("/metrics")
@unlimited
def numbers() -> Response:
    """Every number there is, in Prometheus' text format. Strangers get what an unknown path gets,
    so that they do not learn that there is something to try tokens on."""
    if not (_knows_the_token(request) or _is_from_here(request)):
        raise NotFound()
    return Response(exposition(_found_now()), content_type=CONTENT_TYPE)


def _knows_the_token(asked: Request) -> bool:
    token, given = settings().metrics_token, bearer_token(asked)
    return token is not None and hmac.compare_digest((given or "").encode(), token.encode())


def _is_from_here(asked: Request) -> bool:
    """Whether the client is on this machine. A proxy may be too, and what it passes on is not from
    here: that has its client's address, or the name of the site that was asked for. Nor is what a
    browser here was led to ask by a name that somebody made point to it."""
    environ = asked.environ
    return (
        is_loopback(guard.address().removeprefix("::ffff:"))
        and is_loopback(hosts.host_name(environ.get("HTTP_HOST", "")).strip("[]"))
        and not any(name in environ for name in _PASSED_ON)
    )


def _found_now() -> Iterator[tuple[str, float]]:
    """What the database and its files say; nothing about them where it is away."""
    try:
        backlog, (webhook_lag, failing) = health.backlog(), webhooks.backlog()
    except DatabaseFailure:
        yield "database_up", 0
        return
    yield "database_up", 1
    yield "job_lag_seconds", backlog.lag
    yield "jobs_pending", backlog.pending
    yield "jobs_dead", backlog.dead
    yield "worker_silence_seconds", backlog.silence
    yield "webhook_lag_seconds", webhook_lag
    yield "webhooks_failing", failing
    if settings().backup_hours:  # whichever worker, on whichever host, made it
        yield "backup_failing", int(health.is_failing(BACKUP))
    age = shelf.age_seconds(settings().instance_path)
    if age is not None:
        yield "backup_age_seconds", age
    if database().is_sqlite:
        wal = Path(f"{database().engine.url.database}-wal")
        yield "wal_bytes", wal.stat().st_size if wal.exists() else 0
