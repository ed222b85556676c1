"""Tickets: what a browser opens a stream of changes with.

Its EventSource sends no header of the page's, so what lets it in stands in the address, which may
be written down anywhere on its way. Therefore a ticket opens one stream, once, within half a
minute, and nothing else; and the stream ends with the session or token that the ticket came from.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import NamedTuple

from .. import clock
from ..actor import Actor
from ..database import Sql, lane, write_transaction
from ..errors import Unauthenticated
from .actors import Signed
from .api_tokens import ApiClaims
from .tokens import Claims

PREFIX = "ct_"
LIFETIME = 30  # seconds
_LENGTH = len(PREFIX) + 43

_FIND = Sql(
    "SELECT user_id, session_id, token_id, scopes, ends_at, book_id, expires_at FROM ticket "
    "WHERE hash = ?"
)
_SPEND = Sql("DELETE FROM ticket WHERE hash = ?")
_PURGE = Sql("DELETE FROM ticket WHERE expires_at < ?")
_FORGET = Sql("DELETE FROM ticket WHERE user_id = ?")


class Ticket(NamedTuple):
    """One that may be spent: its hash, what it stands for, and when that ends (milliseconds)."""

    digest: bytes
    signed: Signed
    ends_at: int | None

    @property
    def is_live(self) -> bool:
        """Whether the token that made it would still be taken."""
        return self.ends_at is None or clock.now_ms() < self.ends_at


def create(actor: Actor, signed: Signed, book_id: int | None) -> str:
    """A ticket for this book, or one's own, in the place of the token that the actor came with."""
    text = PREFIX + secrets.token_urlsafe(32)
    _insert(actor, _digest(text), signed, book_id)
    return text


@write_transaction
def _insert(actor: Actor, digest: bytes, signed: Signed, book_id: int | None) -> None:
    if isinstance(signed, ApiClaims):
        scopes, ends_at = " ".join(sorted(signed.scopes)), signed.expires_at
    else:
        scopes, ends_at = None, signed.expires_at * 1000
    row = {
        "hash": digest,
        "user_id": actor.user_id,
        "session_id": actor.session_id,
        "token_id": actor.token_id,
        "scopes": scopes,
        "ends_at": ends_at,
        "book_id": book_id,
        "expires_at": clock.now_ms() + LIFETIME * 1000,
    }
    lane().insert("ticket", row, returning="")


def find(text: str, book_id: int | None) -> Ticket | None:
    """The ticket with this text, if it is one for this book that can be spent."""
    if len(text) != _LENGTH or not text.isascii():
        return None
    digest = _digest(text)
    row = lane().one(_FIND, (digest,))
    if row is None:
        return None
    user_id, session_id, token_id, scopes, ends_at, its_book, expires_at = row
    # One that expires later than any would was written by a clock that was ahead.
    if its_book != book_id or not 0 < expires_at - clock.now_ms() <= LIFETIME * 1000:
        return None
    signed: Signed
    if token_id is None:
        signed = Claims(user_id, session_id, "", 0, ends_at // 1000)
    else:
        signed = ApiClaims(user_id, token_id, frozenset(scopes.split()), ends_at)
    return Ticket(digest, signed, ends_at)


@write_transaction
def spend(ticket: Ticket) -> None:
    """Raise Unauthenticated where somebody else did."""
    if lane().run(_SPEND, (ticket.digest,)) != 1:
        raise Unauthenticated("invalid_token")


def purge() -> None:
    """Delete what has expired, in the running transaction."""
    lane().run(_PURGE, (clock.now_ms(),))


def forget(user_id: int) -> None:
    """Delete all tickets of a user, in the running transaction."""
    lane().run(_FORGET, (user_id,))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
