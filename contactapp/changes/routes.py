"""`/api/v1/changes`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from ..answers import come_back_after, conditional, list_tag
from ..auth.guard import actor_again
from ..http import Blueprint, actor, with_own_data
from . import feed
from .schemas import ChangeFeed, ChangesQuery

changes = Blueprint(
    "changes", __name__, description="What happened to an address book", area="contacts"
)


@changes.route("/changes")
@with_own_data
@changes.query(ChangesQuery)
@changes.response(200, ChangeFeed)
def list_changes(query: dict[str, Any]) -> Response:
    """List what was changed, in that order, or wait for it"""
    found, full = feed.changes_since(actor(), query, actor_again)
    if full:
        come_back_after(feed.RETRY_AFTER)
    body = orjson.dumps(found)
    return conditional(list_tag(b"changes", body), lambda: body)
