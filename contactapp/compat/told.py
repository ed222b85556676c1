"""How the earlier systems tell an error."""

from __future__ import annotations

from flask import Response

from ..answers import answer_object
from ..errors import AppError


def with_message(error: AppError, request_id: str) -> Response:
    """The problem's members, with `message` for clients that look for that instead of `detail`."""
    problem = error.problem(request_id)
    texts = [found.detail for found in error.errors]
    detail = " ".join([problem["detail"], *texts]) if texts else problem["detail"]
    response = answer_object({**problem, "detail": detail, "message": detail}, error.status)
    response.headers.extend(error.headers)
    return response
