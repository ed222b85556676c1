"""`/api/v1/users/me`: taking everything along, and leaving."""

from __future__ import annotations

from typing import Any

from flask import Response, stream_with_context

from ..answers import no_content
from ..config import settings
from ..extensions import limiter
from ..http import Blueprint, actor, without_key
from ..limits import limit_text
from . import erasure, export
from .schemas import Password

leaving = Blueprint("leaving", __name__, description="Taking everything along, and leaving")

_BINARY = {"type": "string", "format": "binary"}
_ZIP = {
    "200": {
        "description": "One ZIP of everything.",
        "content": {"application/zip": {"schema": _BINARY}},
    }
}


def _export_limit() -> str:
    return limit_text(settings().export_rate_limits)


@leaving.route("/users/me/export", methods=["POST"])
@without_key
@limiter.limit(_export_limit, key_func=lambda: f"u{actor().user_id}")
@leaving.body(Password)
@leaving.doc(responses=_ZIP)
def export_account(fields: dict[str, Any]) -> Response:
    """Download everything about one's account as one ZIP"""
    parts = export.export_account(actor(), fields["password"])
    answer = Response(stream_with_context(parts), content_type="application/zip")
    answer.headers["Content-Disposition"] = 'attachment; filename="contactapp-export.zip"'
    return answer


@leaving.route("/users/me/delete", methods=["POST"])
@without_key
@leaving.body(Password)
@leaving.response(204)
def erase_account(fields: dict[str, Any]) -> Response:
    """Erase one's account and everything that is one's own, for ever"""
    return _erase(fields)


@leaving.route("/users/me", methods=["DELETE"])
@leaving.body(Password)
@leaving.response(204)
def delete_account(fields: dict[str, Any]) -> Response:
    """Erase one's account; the same as POST /users/me/delete"""
    return _erase(fields)


def _erase(fields: dict[str, Any]) -> Response:
    erasure.delete_account(actor(), fields["password"])
    return no_content()
