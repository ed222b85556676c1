"""`/api/v1/audit`."""

from __future__ import annotations

from typing import Any

from flask import Response

from ..http import Blueprint, actor
from ..paging import answer_page
from . import trail
from .schemas import Asked, EventPage

audit = Blueprint("audit", __name__, description="What was done to and with one's account")


@audit.route("/audit")
@audit.query(Asked)
@audit.response(200, EventPage)
def list_events(query: dict[str, Any]) -> Response:
    """List what was done with one's account and in one's books, the newest first

    Admins see the events of all accounts, but of no other books than their own what was changed.
    """
    return answer_page(b"audit", trail.list_trail(actor(), query))
