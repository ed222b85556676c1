"""`/api/v1/audit`."""

from __future__ import annotations

from typing import Any

from flask import Response

from ..http import Blueprint, actor
from ..paging import answer_page
from ..shapes import Paging
from . import service
from .schemas import EventPage

audit = Blueprint("audit", __name__, description="What was done to and with one's account")


@audit.route("/audit")
@audit.query(Paging)
@audit.response(200, EventPage)
def list_events(query: dict[str, Any]) -> Response:
    """List the events of one's account, the newest first; of all accounts for an admin"""
    return answer_page(b"audit", service.list_events(actor(), query))
