"""What is refused is recorded: what an account may not do, and what goes over a limit.

Nobody must be able to fill the disk by being refused: an account gets one row a minute for each
route and reason, and what nobody who is signed in asked for is only counted (ASVS 16.3.2).
"""

from __future__ import annotations

import logging

from flask import Flask, Response, g, request
from flask_limiter import RateLimitExceeded

from .. import clock, problems
from ..audit import service as audit
from ..audit.kinds import LIMITED_UNKNOWN
from ..config import Window
from ..crypto import SealError
from ..database import Sql, lane, write_transaction
from ..engine import DatabaseFailure
from ..errors import Forbidden, TooManyRequests
from ..keyring import MissingKey
from . import actors, attempts, guard

log = logging.getLogger("contactapp")

_MINUTE = Window(1, 60)
_KEY = Sql("SELECT key_id FROM users WHERE id = ? AND password_hash <> ''")


def install(app: Flask) -> None:
    """Record these errors on their way to an answer: what succeeds pays nothing for it."""
    app.register_error_handler(Forbidden, _forbidden)
    app.register_error_handler(actors.NoSuchBook, _no_such_book)
    app.register_error_handler(TooManyRequests, _too_many)
    app.register_error_handler(RateLimitExceeded, _route_limit)


def _forbidden(error: Forbidden) -> Response:
    if "actor" in g:
        _refused(error.code, g.actor.user_id)
    return problems.render(error)


def _no_such_book(error: actors.NoSuchBook) -> Response:
    user_id = guard.claimed_user_id()
    if user_id is not None:
        _refused(error.code, user_id)
    return problems.render(error)


def _refused(code: str, user_id: int) -> None:
    about = {"code": code, **_asked()}
    _record("refused", user_id, about, " ".join(about.values()))


def _asked() -> dict[str, str]:
    rule = request.url_rule
    return {"method": request.method, "route": rule.rule if rule else ""}


def _too_many(error: TooManyRequests) -> Response:
    _limited()
    return problems.render(error)


def _route_limit(error: RateLimitExceeded) -> Response:
    _limited()
    return problems.render(problems.route_limit(error))


def _limited() -> None:
    user_id = guard.claimed_user_id()
    if user_id is None:
        audit.count_unknown(attempts.quota(), LIMITED_UNKNOWN)
    else:
        _record("limited", user_id, _asked(), "")


def _record(kind: str, user_id: int, about: dict[str, str], reason: str) -> None:
    """Add the event, the first of its minute. The answer is the same where that fails, say because
    the disk is full, and the next one tries again."""
    key, now = f"{kind} {user_id} {reason}", clock.now_ms() / 1000
    if attempts.quota().count(key, _MINUTE, now)[0] > 1:
        return
    try:
        _add(kind, user_id, about)
    except (DatabaseFailure, MissingKey, SealError):
        attempts.quota().forget(key)
        log.warning("that account %d was refused something could not be recorded", user_id)


@write_transaction
def _add(kind: str, user_id: int, about: dict[str, str]) -> None:
    row = lane().one(_KEY, (user_id,))
    if row is not None:  # it is not being erased
        client = guard.client()
        audit.record(kind, user_id, row[0], client.request_id, {**about, **client.details})
