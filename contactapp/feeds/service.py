"""Feeds: calendars that whoever has their address may read.

Calendar programs bring no token of ours along, so the address itself opens a feed. As in a mailed
link, it says the row's number and an HMAC over the row: the owner can be shown it again, the
database holds nothing that opens anything, and without the row it opens nothing.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

from .. import clock
from ..actor import Actor, Book
from ..audit import service as audit
from ..books.service import looking_through, views
from ..books.view import BookView
from ..config import settings
from ..contacts.birthdays import day_of
from ..contacts.row import Row
from ..crypto import ROW_TOKEN, row_token
from ..database import ConstraintViolated, Sql, lane, write_transaction
from ..errors import Forbidden, NotFound, Unauthenticated
from ..keyring import keyring
from ..users.service import lock_owner
from .calendar import Birthday, birthday_calendar

KINDS = {"birthdays": "Birthdays"}  # and what a calendar without a label is called
MAX_LABEL = 100  # characters
MAX_FEEDS = 20  # of a user: each is an address that may get lost

_COLUMNS = "SELECT f.id, f.uid, f.user_id, f.book_id, f.kind, f.sealed, f.created_at, "
# What the guard asks of somebody with a token, in one statement too: so a feed ends with its user,
# and with the sharing of its book.
_OPENED = Sql(
    f"{_COLUMNS} u.key_id, b.id, b.owner_id, b.key_id, b.stream_id, st.seq, st.head, "
    "CASE WHEN b.owner_id = u.id THEN 'owner' ELSE m.role END "
    "FROM feed f JOIN users u ON u.id = f.user_id JOIN book b ON b.id = f.book_id "
    "JOIN stream st ON st.id = b.stream_id "
    "LEFT JOIN book_member m ON m.book_id = b.id AND m.user_id = u.id "
    "WHERE f.id = ? AND u.active AND (b.owner_id = u.id OR m.role IS NOT NULL)"
)
_OWN = Sql(
    f"{_COLUMNS} b.owner_id = f.user_id OR m.role IS NOT NULL "
    "FROM feed f JOIN book b ON b.id = f.book_id "
    "LEFT JOIN book_member m ON m.book_id = f.book_id AND m.user_id = f.user_id "
    "WHERE f.user_id = ? ORDER BY f.id"
)
_COUNT = Sql("SELECT count(*) FROM feed WHERE user_id = ?")
_SIGNED_IN = Sql(
    "SELECT 1 FROM session WHERE id = ? AND user_id = ? AND ended_at IS NULL "
    "UNION ALL SELECT 1 FROM api_token WHERE id = ? AND user_id = ?"
)
_DELETE = Sql("DELETE FROM feed WHERE user_id = ? AND id = ?")
_FORGET = Sql("DELETE FROM feed WHERE user_id = ?")
_FORGET_BOOK = Sql("DELETE FROM feed WHERE book_id = ?")


class Feed(NamedTuple):
    """A row; times in milliseconds."""

    id: int
    uid: str
    user_id: int
    book_id: int
    kind: str
    sealed: bytes
    created_at: int

    @property
    def token(self) -> str:
        """What opens it."""
        text = f"{self.kind}|{self.id}|{self.user_id}|{self.book_id}|{self.uid}"
        return row_token(self.id, hmac.digest(keyring().purpose("feed"), text.encode(), "sha256"))

    def label(self, key_id: int) -> str | None:
        """What its user calls it, opened with their key."""
        place = _place(self.user_id, self.uid)
        return keyring().cipher(key_id).open(self.sealed, *place).decode() or None

    def shown(self, key_id: int, active: bool) -> dict[str, Any]:
        """The feed as its user sees it (schema Feed), its address as configured whatever a request
        said."""
        return {
            "id": self.id,
            "kind": self.kind,
            "label": self.label(key_id),
            "book_id": self.book_id,
            "active": active,
            "url": f"{settings().base_url}/api/v1/feeds/{self.token}.ics",
            "created_at": clock.rfc3339(self.created_at),
        }


class Opened(NamedTuple):
    """A feed whose address somebody has, its user's key, and its book as that user may read it."""

    feed: Feed
    key_id: int
    book: Book


def create_feed(actor: Actor, kind: str, label: str | None) -> dict[str, Any]:
    """Make a feed of the actor's book. Raises Forbidden (`feed_limit_reached`), NotFound where the
    account or the book was erased meanwhile, and Unauthenticated where the session or API token
    ended."""
    uid, cipher = str(uuid.uuid4()), keyring().cipher(actor.key_id)
    sealed = cipher.seal((label or "").encode(), *_place(actor.user_id, uid))
    return _insert(actor, uid, kind, sealed).shown(actor.key_id, active=True)


@write_transaction
def _insert(actor: Actor, uid: str, kind: str, sealed: bytes) -> Feed:
    lock_owner(actor.user_id)  # else two at once would not count each other
    # A reset takes every feed away, and who was let in before it waits here until it is done.
    who = (actor.session_id, actor.user_id, actor.token_id, actor.user_id)
    if lane().one(_SIGNED_IN, who) is None:
        raise Unauthenticated("invalid_token")
    [used] = lane().one(_COUNT, (actor.user_id,))
    if used >= MAX_FEEDS:
        problem = f"{used} of {MAX_FEEDS} feeds are used."
        raise Forbidden("feed_limit_reached", problem, limit=MAX_FEEDS, used=used)
    row: dict[str, Any] = {
        "uid": uid,
        "user_id": actor.user_id,
        "book_id": actor.book.id,
        "kind": kind,
        "sealed": sealed,
        "created_at": clock.now_ms(),
    }
    try:
        feed = Feed(lane().insert("feed", row), **row)
    except ConstraintViolated:
        raise NotFound() from None
    _record("feed_made", actor, feed.id)
    return feed


@write_transaction
def delete_feed(actor: Actor, feed_id: int) -> None:
    """Delete one of the actor's own feeds: its address opens nothing any more. Raises NotFound."""
    if lane().run(_DELETE, (actor.user_id, feed_id)) == 0:
        raise NotFound()
    _record("feed_deleted", actor, feed_id)


def _record(kind: str, actor: Actor, feed_id: int) -> None:
    audit.record(kind, actor.user_id, actor.key_id, actor.request_id, {"feed_id": feed_id})


def list_feeds(actor: Actor) -> list[dict[str, Any]]:
    """The actor's feeds by id, also those of books that are no longer shared with them."""
    rows = lane().all(_OWN, (actor.user_id,))
    return [Feed(*row[:-1]).shown(actor.key_id, bool(row[-1])) for row in rows]


def export_feeds(actor: Actor) -> list[dict[str, Any]]:
    """The actor's feeds without their addresses: who comes by an old export shall read none."""
    return [{k: v for k, v in feed.items() if k != "url"} for feed in list_feeds(actor)]


def find_feed(token: str) -> Opened:
    """The feed that a token opens, while its user may read its book. Raises NotFound."""
    parts = ROW_TOKEN.fullmatch(token)
    row = lane().one(_OPENED, (int(parts[1]),)) if parts else None
    if row is None:
        raise NotFound()
    feed = Feed(*row[:7])
    if not hmac.compare_digest(token, feed.token):
        raise NotFound()
    return Opened(feed, row[7], Book(*row[8:]))


def calendar_of(opened: Opened) -> tuple[bytes, bytes]:
    """The head of the view that made it, and the feed's calendar."""
    name = opened.feed.label(opened.key_id) or KINDS[opened.feed.kind]
    view = views().current(opened.book)
    leap_day = settings().leap_day_birthdays
    with looking_through(len(view)):
        return view.head, birthday_calendar(name, _birthdays(view), leap_day)


def _birthdays(view: BookView[Row]) -> Iterator[Birthday]:
    for row_id in view.ids:
        row = view.rows[row_id]
        name, birthday = row.values(("name", "birthday"))
        day = day_of(birthday)
        if day is not None:
            yield Birthday(row.uid, name, *day, row.updated_at)


def forget(user_id: int) -> None:
    """Delete all feeds of a user, in the running transaction."""
    lane().run(_FORGET, (user_id,))


def forget_book(book_id: int) -> None:
    """Delete everybody's feeds of a book, in the running transaction."""
    lane().run(_FORGET_BOOK, (book_id,))


def _place(user_id: int, uid: str) -> tuple[object, ...]:
    return ("feed", "sealed", user_id, uid)
