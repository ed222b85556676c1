"""`/api/v1/audit`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from ..answers import conditional, list_tag, next_link
from ..http import Blueprint, actor
from . import service
from .schemas import AuditQuery, EventPage

audit = Blueprint("audit", __name__, description="What was done to and with one's account")


@audit.route("/audit")
@audit.query(AuditQuery)
@audit.response(200, EventPage)
def list_events(query: dict[str, Any]) -> Response:
    """List the events of one's account, the newest first; of all accounts for an admin"""
    items, cursor, total = service.list_events(actor(), query["limit"], query.get("cursor"))
    body = orjson.dumps({"items": items, "next_cursor": cursor, "total": total})
    return conditional(list_tag(b"audit", body), lambda: body, next_link(cursor))
