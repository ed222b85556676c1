"""What a request brings to be let in: a token or a ticket, and the book that it names."""

from __future__ import annotations

from flask import Request

from ..errors import BadRequest, Unauthenticated
from ..incoming import MAX_ID
from . import tickets, tokens
from .actors import Signed
from .api_tokens import PREFIX, claims_of

TICKET = "contactapp.ticket"  # where in the environment it is kept


def bearer_token(asked: Request) -> str | None:
    """The token of the Authorization header, or None. A doubled `Bearer` is forgiven: people paste
    the whole header into forms that add their own."""
    header = asked.environ.get("HTTP_AUTHORIZATION")
    if not header:
        return None
    words = header.split()
    while words and words[0].lower() == "bearer":
        del words[0]
    return words[0] if len(words) == 1 and header[:7].lower() == "bearer " else ""


def claims_in(asked: Request) -> tuple[Signed | None, Unauthenticated | None]:
    """Whom the token or ticket names, if any; else why it was refused, where there is one."""
    token = bearer_token(asked)
    if token is None:
        return _claims_of_ticket(asked)
    if token.startswith(PREFIX):
        found = claims_of(token)
        return found, None if found else Unauthenticated("invalid_token")
    try:
        return tokens.verify(token, "access"), None
    except Unauthenticated as error:
        return None, error


def find_ticket(asked: Request) -> None:
    """Keep the ticket of a request that brings one in the place of a token. No two ways at once
    (RFC 6750 §2): beside a token it is not looked at."""
    given = asked.args.getlist("ticket")
    if len(given) == 1 and bearer_token(asked) is None:
        asked.environ[TICKET] = tickets.find(given[0], book_parameter(asked))


def book_parameter(asked: Request) -> int | None:
    """The book that `?book=` names. Raises BadRequest where it stands there twice."""
    query = asked.query_string
    if b"book" not in query and b"%" not in query:  # any name may come percent-encoded
        return None
    given = asked.args.getlist("book")
    if not given:
        return None
    if len(given) > 1:
        raise BadRequest("repeated_parameter", "book came more than once.", parameter="book")
    text = given[0]
    if text.isascii() and text.isdigit() and len(text) <= 17 and 0 < int(text) <= MAX_ID:
        return int(text)
    return None  # the view's own query schema names what is wrong with it


def _claims_of_ticket(asked: Request) -> tuple[Signed | None, Unauthenticated | None]:
    if TICKET not in asked.environ:
        return None, None
    ticket: tickets.Ticket | None = asked.environ[TICKET]
    if ticket is None or not ticket.is_live:
        return None, Unauthenticated("invalid_token")
    return ticket.signed, None
