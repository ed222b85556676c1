"""`/api/v1/changes`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request

from ..answers import answer_object, come_back_after, conditional, list_tag
from ..auth import tickets
from ..auth.guard import actor_again, came_by
from ..http import Blueprint, actor, scoped, with_own_data, with_ticket, without_key
from ..shapes import BookQuery
from . import feed, stream
from .schemas import ChangeFeed, ChangesQuery, StreamQuery, Ticket

changes = Blueprint(
    "changes", __name__, description="What happened to an address book", area="contacts"
)

_EVENTS = {
    "200": {
        "description": "Server-sent events. The id of each is a cursor of this feed, with which "
        "`Last-Event-ID` or `since` begins after it. `change`: one item of `GET /changes`, as "
        "JSON. `ready` (`{}`): all that there was has been told, and what follows is told as it "
        "happens. `resync`: what came after the given cursor is no longer known, as `code` and "
        "`detail` say; read everything anew, after this event, and go on with what follows it.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
_LAST_EVENT = {
    "in": "header",
    "name": "Last-Event-ID",
    "schema": {"type": "string"},
    "description": "The id of the last event that was seen, which browsers send by themselves "
    "when they connect again.",
}
_HEADERS = {"X-Accel-Buffering": "no"}  # else nginx waits until it has some kilobytes


@changes.route("/changes")
@with_own_data
@changes.query(ChangesQuery)
@changes.response(200, ChangeFeed)
def list_changes(query: dict[str, Any]) -> Response:
    """List what was changed, in that order, or wait for it"""
    who = actor()
    found, state, full = feed.changes_since(who, query, actor_again)
    if full:
        come_back_after(feed.RETRY_AFTER)
    # Not the bytes, of which there may be megabytes; the cursor among them is the user's own.
    tag = list_tag(b"changes", state, request.query_string, b"%d" % who.user_id)
    return conditional(tag, lambda: orjson.dumps(found))


@changes.route("/changes/stream")
@with_own_data
@with_ticket
@changes.query(StreamQuery)
@changes.doc(responses=_EVENTS, parameters=[_LAST_EVENT])
def stream_changes(query: dict[str, Any]) -> Response:
    """Be told what is changed, as it happens

    An answer without end: every change as an event, and a comment every 15 seconds. It ends when
    its token or session does, when the account may no longer read the book, and when the server is
    restarted; connect again, after the last event's id. Where too many streams are open, 503 says
    so with `Retry-After`: `GET /changes?wait=20` is for everybody.
    """
    since = request.headers.get("Last-Event-ID") or query.get("since")
    if request.method == "HEAD":
        stream.check(actor(), since)
        # Parts, though none: else it would say that the answer to a GET is empty.
        return Response(iter(()), content_type=stream.CONTENT_TYPE, headers=_HEADERS)
    connection = request.environ.get("gunicorn.socket")
    opened = stream.open_stream(actor(), since, query["types"], actor_again, connection)
    answer = Response(opened.parts(), content_type=stream.CONTENT_TYPE, headers=_HEADERS)
    # Whoever hangs up before the first part has begun no generator that could end.
    answer.call_on_close(opened.close)
    return answer


@changes.route("/changes/tickets", methods=["POST"])
@scoped("tickets")
@without_key
@changes.query(BookQuery)
@changes.response(201, Ticket)
def create_ticket(query: dict[str, Any]) -> Response:
    """Make a ticket for a stream, for who cannot send a token with it

    As browsers' `EventSource`: `/changes/stream?ticket=…`, within 30 seconds and once. A stream
    that it opened ends no later than the token that made it.
    """
    ticket = tickets.create(actor(), came_by(), query.get("book"))
    return answer_object({"ticket": ticket, "expires_in": tickets.LIFETIME}, 201)
