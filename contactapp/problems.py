"""The one place where an exception becomes an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable

import orjson
from flask import Flask, Response, current_app, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from . import metrics
from .engine import DatabaseBusy, DatabaseFailure, DatabaseFull
from .errors import (
    AppError,
    BadRequest,
    Forbidden,
    InsufficientStorage,
    MethodNotAllowed,
    NotFound,
    ServerError,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from .extensions import limiter
from .keyring import Erased
from .limits import retry_after
from .logs import stack

log = logging.getLogger("contactapp")

Renderer = Callable[[AppError, str], Response]  # of an error, and the request's id

_BY_STATUS: dict[int, type[AppError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    415: UnsupportedMediaType,
}


def install(app: Flask) -> None:
    """Answer every failure as problem+json, but below paths that have a renderer of their own."""
    app.extensions["contactapp.renderers"] = {}
    app.register_error_handler(AppError, render)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(DatabaseFailure, _database_failure)
    # Of an account that was erased after the guard had let in whoever asks for what is in it.
    app.register_error_handler(Erased, lambda _: render(NotFound()))
    app.register_error_handler(Exception, _unexpected)


def render_as(app: Flask, prefix: str, renderer: Renderer) -> None:
    """Tell errors below a path in another way, also those of routes that do not exist."""
    app.extensions["contactapp.renderers"][prefix] = renderer


def render(error: AppError) -> Response:
    """The answer of an error of ours, as clients of its path know it."""
    renderer = _renderer(request.path)
    return renderer(error, request.environ["contactapp.request_id"])


def _renderer(path: str) -> Renderer:
    """That of the longest prefix of the path that has one; the API's own is not the table's."""
    renderers: dict[str, Renderer] = current_app.extensions["contactapp.renderers"]
    prefix = path
    while prefix and not (prefix + "/").startswith("/api/v1/"):
        if prefix in renderers:
            return renderers[prefix]
        prefix = prefix.rpartition("/")[0]
    return _problem


def _problem(error: AppError, request_id: str) -> Response:
    """problem+json (RFC 9457)."""
    body = orjson.dumps(error.problem(request_id))
    return Response(body, error.status, error.headers, content_type="application/problem+json")


def _http_exception(error: HTTPException) -> Response:
    if error.response is not None:  # a ready answer, not a failure
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    problem = (_BY_STATUS.get(status) or (BadRequest if status < 500 else ServerError))()
    if problem.status == 400:
        problem = BadRequest("bad_request")
    allow = dict(error.get_headers()).get("Allow")
    if allow:
        problem.headers["Allow"] = allow
    return render(problem)


def route_limit(error: RateLimitExceeded) -> AppError:
    """The limit of a single route as one of our errors."""
    seconds = retry_after(limiter)
    metrics.count_limited(request.url_rule.rule if request.url_rule else metrics.UNKNOWN)
    limit = f" ({error.limit.limit})" if error.limit else ""
    return TooManyRequests(seconds, f"This route's own limit{limit} is used up; wait {seconds} s.")


def _database_failure(error: DatabaseFailure) -> Response:
    log.warning("database: %s", error)
    kind = InsufficientStorage if isinstance(error, DatabaseFull) else Unavailable
    detail = "Too many writers wait for the database." if isinstance(error, DatabaseBusy) else None
    return render(kind(error.retry_after, detail))


def _unexpected(error: Exception) -> Response:
    log.error("request %s failed\n%s", request.environ["contactapp.request_id"], stack(error))
    return render(ServerError())


def busy(error: Exception) -> Response:
    """503 for work that waits in a bounded queue; the error knows for how long."""
    return render(Unavailable(getattr(error, "retry_after", 5)))
