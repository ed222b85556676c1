"""The log of a production server: one JSON object a line, in UTC (ASVS 16.2.2, 16.4.1)."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

from flask import has_request_context, request


class JsonLines(logging.Formatter):
    """A record as `{"time", "level", "logger", "message"}`, with `request_id` and `stack` where it
    has them. Whatever a message quotes, it stays one line of plain ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        entry = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context():
            entry["request_id"] = request.environ.get("contactapp.request_id", "")
        if record.exc_info and record.exc_info[1]:
            entry["stack"] = stack(record.exc_info[1])
        return json.dumps(entry)


def configuration() -> dict[str, Any]:
    """For `logging.config.dictConfig`: all loggers to standard error, gunicorn's among them."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": JsonLines}},
        "handlers": {
            "lines": {
                "class": "logging.StreamHandler",
                "formatter": "lines",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": "WARNING", "handlers": ["lines"]},
        "loggers": {
            "gunicorn.error": {"level": "INFO", "handlers": ["lines"], "propagate": False},
            "contactapp": {"level": "INFO"},
        },
    }


def stack(error: BaseException | None) -> str:
    """The frames and types of an error and its causes, innermost last, for the log.

    No messages: a driver's quotes the whole row (PostgreSQL's DETAIL), others what they choked on.
    """
    parts = []
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__))
        constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
        codes = (getattr(error, "sqlstate", None), getattr(error, "sqlite_errorname", None))
        known = " ".join(str(about) for about in (*codes, constraint) if about)
        parts.append(
            f"{frames}{type(error).__module__}.{type(error).__qualname__} {known}".rstrip()
        )
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\ncaused by\n".join(parts)
