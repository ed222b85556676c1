"""Who acts: what one SQL read tells of a session or an API token, and of the book they act on."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

from flask import Flask, Request

from .. import clock
from ..actor import Actor, Book
from ..database import Sql, lane
from ..engine import DatabaseFailure
from ..errors import NotFound, Unauthenticated
from .api_tokens import ApiClaims
from .tokens import Claims

Signed = Claims | ApiClaims  # whose signature or hash is right; it may have ended since

_OF_DATA = len(Book._fields)
_TOUCH_AFTER = 60_000  # milliseconds between two writes of a last use
_USER = "u.active, u.role, u.key_id"
_BOOK = "b.id, b.owner_id, b.key_id, b.stream_id, st.seq, st.head"
_DATA = "0, u.id, u.key_id, u.stream_id, sd.seq, sd.head, 'owner', sd.items, sd.size"


class _Reads(NamedTuple):
    """What is asked of the database about a session, or an API token."""

    own_book: Sql
    other_book: Sql
    own_data: Sql
    own_both: Sql
    touch: Sql


def _reads(table: str, ends: str) -> _Reads:
    """`ends`: columns of when it was ended, when it expires, and when it was last used."""
    holder = f"FROM {table} s JOIN users u ON u.id = s.user_id"
    who = "WHERE s.id = ? AND s.user_id = ?"
    return _Reads(
        Sql(
            f"SELECT {ends}, {_USER}, {_BOOK}, 'owner', st.items {holder} "
            "JOIN book b ON b.owner_id = u.id AND b.personal "
            f"JOIN stream st ON st.id = b.stream_id {who}"
        ),
        # A book that is not the user's comes back with its columns null: the session may live all
        # the same.
        Sql(
            f"SELECT {ends}, {_USER}, {_BOOK}, "
            f"CASE WHEN b.owner_id = u.id THEN 'owner' ELSE m.role END, st.items {holder} "
            "LEFT JOIN book_member m ON m.user_id = u.id AND m.book_id = ? "
            "LEFT JOIN book b ON b.id = ? AND (b.owner_id = u.id OR b.id = m.book_id) "
            f"LEFT JOIN stream st ON st.id = b.stream_id {who}"
        ),
        Sql(
            f"SELECT {ends}, {_USER}, {_DATA} {holder} JOIN stream sd ON sd.id = u.stream_id {who}"
        ),
        Sql(
            f"SELECT {ends}, {_USER}, {_BOOK}, 'owner', st.items, {_DATA} {holder} "
            "JOIN stream sd ON sd.id = u.stream_id "
            "JOIN book b ON b.owner_id = u.id AND b.personal "
            f"JOIN stream st ON st.id = b.stream_id {who}"
        ),
        Sql(
            f"UPDATE {table} SET last_used_at = ? "  # noqa: S608
            "WHERE id = ? AND coalesce(last_used_at, 0) <= ?"
        ),
    )


_SESSION = _reads("session", "s.ended_at, s.expires_at, s.last_used_at")
# One that was revoked is not there; one without an expiry is good for as long as numbers go.
_API_TOKEN = _reads(
    "api_token", f"NULL, coalesce(s.expires_at, {2**62}), coalesce(s.last_used_at, 0)"
)


class NoSuchBook(NotFound):
    """The book that was asked for is not there, or somebody else's."""


def with_book(app: Flask, asked: Request, signed: Signed, book_id: int | None) -> Actor:
    """The actor and their own book, or another that they may use. Raises Unauthenticated, or
    NoSuchBook."""
    reads, row_id = _reads_of(signed)
    read = app.extensions["contactapp.database"].lane.one
    who = (row_id, signed.user_id)
    row = read(reads.other_book, (book_id, book_id, *who)) if book_id else read(reads.own_book, who)
    return _actor(asked, signed, row)


def with_own_data(app: Flask, asked: Request, signed: Signed) -> Actor:
    """The actor, whose book is their key-value data. Raises Unauthenticated."""
    reads, row_id = _reads_of(signed)
    read = app.extensions["contactapp.database"].lane.one
    return _actor(asked, signed, read(reads.own_data, (row_id, signed.user_id)))


def with_both(app: Flask, asked: Request, signed: Signed) -> Actor:
    """The actor, their own book and their key-value data. Raises Unauthenticated."""
    reads, row_id = _reads_of(signed)
    read = app.extensions["contactapp.database"].lane.one
    row = read(reads.own_both, (row_id, signed.user_id))
    actor = _actor(asked, signed, row and row[:-_OF_DATA])
    return actor._replace(data=Book(*row[-_OF_DATA:]))


def _reads_of(signed: Signed) -> tuple[_Reads, int]:
    if isinstance(signed, ApiClaims):
        return _API_TOKEN, signed.token_id
    return _SESSION, signed.session_id


def _actor(asked: Request, signed: Signed, row: tuple[Any, ...] | None) -> Actor:
    now = clock.now_ms()
    if row is None or row[0] is not None or row[1] <= now or not row[3]:
        raise Unauthenticated("invalid_token")
    asked.environ["contactapp.user_id"] = signed.user_id
    if now - row[2] >= _TOUCH_AFTER:
        _touch(signed, now)
    if row[6] is None:
        raise NoSuchBook(detail="There is no such book, or it belongs to somebody else.")
    request_id = asked.environ["contactapp.request_id"]
    if isinstance(signed, ApiClaims):
        about = (request_id, Book(*row[6:]), signed.token_id, signed.scopes)
        return Actor(signed.user_id, 0, row[4], row[5], *about)
    return Actor(signed.user_id, signed.session_id, row[4], row[5], request_id, Book(*row[6:]))


def _touch(signed: Signed, now: int) -> None:
    """Note the last use, at most once a minute, unless a writer is at work: a reader waits for
    nobody."""
    reads, row_id = _reads_of(signed)
    with suppress(DatabaseFailure):
        lane().write_unless_busy(reads.touch, (now, row_id, now - _TOUCH_AFTER))
