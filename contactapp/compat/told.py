"""How the earlier systems tell an error."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response

from ..answers import answer_object
from ..errors import AppError
from ..problems import Renderer


def telling(
    statuses: Mapping[str, int] | None = None, details: Mapping[str, str] | None = None
) -> Renderer:
    """The problem's members, with `message` for clients that look for that instead of `detail`;
    `statuses` and `details` are the system's own by the error's code."""
    own_statuses, own_details = statuses or {}, details or {}

    def tell(error: AppError, request_id: str) -> Response:
        problem = error.problem(request_id)
        named = [f"{wrong.pointer.lstrip('/?')}: {wrong.detail}" for wrong in error.errors]
        detail = " ".join(named) or own_details.get(error.code, error.detail)
        status = own_statuses.get(error.code, error.status)
        told = {**problem, "status": status, "detail": detail, "message": detail}
        response = answer_object(told, status)
        response.headers.extend(error.headers)
        return response

    return tell


with_message = telling({"contact_limit_reached": 400})
