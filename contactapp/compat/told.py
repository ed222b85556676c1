"""How the earlier systems tell an error."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response

from ..answers import answer_object
from ..errors import AppError, FieldError
from ..problems import Renderer

_MAX_NAME = 80  # characters shown of a field's name, which may be as long as the body


def sentence(wrong: FieldError) -> str:
    """What is wrong for people, and with which field; some faults are the whole body's."""
    name = wrong.pointer.lstrip("/?")[:_MAX_NAME]
    return f"{name}: {wrong.detail}" if name else wrong.detail


def telling(
    statuses: Mapping[str, int] | None = None, details: Mapping[str, str] | None = None
) -> Renderer:
    """The problem's members, with `message` for clients that look for that instead of `detail`;
    `statuses` and `details` are the system's own by the error's code."""
    own_statuses, own_details = statuses or {}, details or {}

    def tell(error: AppError, request_id: str) -> Response:
        problem = error.problem(request_id)
        wrong = " ".join(map(sentence, error.errors))
        detail = wrong or own_details.get(error.code, error.detail)
        status = own_statuses.get(error.code, error.status)
        told = {**problem, "status": status, "detail": detail, "message": detail}
        response = answer_object(told, status)
        response.headers.extend(error.headers)
        return response

    return tell


with_message = telling({"contact_limit_reached": 400})
