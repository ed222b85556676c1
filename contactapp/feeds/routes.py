"""`/api/v1/feeds`."""

from __future__ import annotations

from typing import Any

from flask import Response

from ..answers import answer_object, list_tag, no_content, not_modified
from ..config import settings
from ..http import Blueprint, actor, public
from ..paging import Pager, answer_page
from ..shapes import BookQuery, Paging
from . import service
from .schemas import Feed, FeedInput, FeedPage

feeds = Blueprint("feeds", __name__, description="Calendars to subscribe to", area="feeds")

_CALENDAR = {
    "200": {
        "description": "The calendar (RFC 5545).",
        "content": {"text/calendar": {"schema": {"type": "string"}}},
    }
}
_HEADERS = {
    # The reader may keep it, nobody in between, and asks each time whether it is still so.
    "Cache-Control": "private, no-cache",
    # Else a browser names the file that it saves after what opens the feed.
    "Content-Disposition": 'inline; filename="calendar.ics"',
}


@feeds.route("/feeds")
@feeds.query(Paging)
@feeds.response(200, FeedPage)
def list_feeds(query: dict[str, Any]) -> Response:
    """List one's calendar feeds with their addresses"""
    who = actor()
    return answer_page(b"feeds", Pager(who, "feeds", query).cut(service.list_feeds(who)))


@feeds.route("/feeds", methods=["POST"])
@feeds.query(BookQuery)
@feeds.body(FeedInput)
@feeds.response(201, Feed)
def create_feed(fields: dict[str, Any], _query: dict[str, Any]) -> Response:
    """Make a calendar feed of the book, with an address for calendar programs"""
    return answer_object(service.create_feed(actor(), fields["kind"], fields.get("label")), 201)


@feeds.route("/feeds/<id:feed_id>", methods=["DELETE"])
@feeds.response(204)
def delete_feed(feed_id: int) -> Response:
    """Delete a calendar feed; its address opens nothing any more"""
    service.delete_feed(actor(), feed_id)
    return no_content()


@feeds.route("/feeds/<token>.ics")
@public
@feeds.doc(responses=_CALENDAR)
def read_feed(token: str) -> Response:
    """Read a calendar feed, which whoever has its address may"""
    opened = service.find_feed(token)
    answer = not_modified(_tag(opened, opened.book.head), star=True)
    if answer is None:
        head, text = service.calendar_of(opened)
        answer = Response(text, content_type="text/calendar; charset=utf-8")
        answer.headers["ETag"] = _tag(opened, head)
    answer.headers.update(_HEADERS)
    return answer


def _tag(opened: service.Opened, head: bytes) -> str:
    """A feed's label never changes, so its uid, the state of the book and the one setting say all
    that is read."""
    leap_day = settings().leap_day_birthdays.encode()
    return list_tag(b"feed", opened.feed.uid.encode(), head, leap_day)
