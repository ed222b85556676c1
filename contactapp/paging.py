"""Pages of lists: positions as sealed cursors, Link headers, and lists by id."""

from __future__ import annotations

import base64
import hmac
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import orjson
from flask import Response, request

from .actor import Actor
from .answers import conditional, list_tag, not_modified, own_path
from .crypto import Cipher, SealError
from .errors import BadRequest
from .keyring import keyring

# Bytes of what is shown, after which a page ends: 500 entries of 64 KiB would be 32 MiB, and 500
# changes of them twice that.
PAGE_BYTES = 4 * 2**20


def kept_json(value: Any) -> orjson.Fragment:
    """A part of an answer, kept as JSON until the others are there: as Python's objects it may take
    25 times as much."""
    # A copy: orjson's bytes keep the buffer they were written in, which may have megabytes.
    return orjson.Fragment(bytes(memoryview(orjson.dumps(value))))


def next_link(cursor: str | None) -> dict[str, str]:
    """The Link header of a page (RFC 8288): this request with the next cursor."""
    if cursor is None:
        return {}
    asked = request._get_current_object()  # type: ignore[attr-defined]
    query = asked.query_string.decode("ascii", "replace")
    kept = [p for p in query.split("&") if p and not p.startswith(("cursor=", "skip=", "offset="))]
    return {"Link": f'<{own_path(asked)}?{"&".join([*kept, f"cursor={cursor}"])}>; rel="next"'}


@lru_cache(maxsize=4)
def _cursor_cipher(key: bytes) -> Cipher:
    return Cipher(0, key)  # expanding an AES key for every page of a list is measurable


@lru_cache(maxsize=4096)
def _sealed_cursor(key: bytes, place: tuple[Any, ...], text: bytes) -> str:
    # The same position gives the same cursor, or equal ETags would stand for unequal bytes.
    nonce = hmac.digest(key, b"nonce|%b|%b" % (repr(place).encode(), text), "sha256")
    sealed = _cursor_cipher(key).seal(text, *place, nonce=nonce[:12])
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


@lru_cache(maxsize=4096)
def _opened_cursor(key: bytes, place: tuple[Any, ...], cursor: str) -> tuple[str, list[Any]]:
    """What is in a cursor, or ValueError or SealError. A deep page must not be dearer than the
    first, and people go back to it."""
    raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    listing, values = orjson.loads(_cursor_cipher(key).open(raw, *place))
    return listing, values


class CursorSeal:
    """Seals and opens the cursors of one user's lists over one book: opaque, authenticated, and
    bound to the list they came from."""

    def __init__(self, user_id: int, book_id: int) -> None:
        self._key = keyring().purpose("cursor")
        self._place = ("cursor", user_id, book_id)

    def seal(self, values: list[Any], listing: str) -> str:
        """A cursor for the position after the row with these values."""
        text = orjson.dumps([listing, values])
        return _sealed_cursor(self._key, self._place, bytes(memoryview(text)))  # see contacts.row

    def open(self, cursor: str, listing: str) -> list[Any]:
        """The values in a cursor. Raises BadRequest where it is not ours or of another list."""
        try:
            found, values = _opened_cursor(self._key, self._place, cursor)
        except (ValueError, SealError):
            raise BadRequest("invalid_cursor") from None
        if found != listing:
            raise BadRequest("cursor_mismatch")
        return values


class Page(NamedTuple):
    """A page of a list, the cursor of the next one, and how many items all pages have."""

    items: list[dict[str, Any]]
    next_cursor: str | None
    total: int

    def body(self) -> bytes:
        """Its JSON."""
        return orjson.dumps(self._asdict())


class Pager:
    """Pages of a list by id, for one user; `query` is a parsed `shapes.Paging`."""

    def __init__(self, actor: Actor, listing: str, query: dict[str, Any]) -> None:
        self._seal = CursorSeal(actor.user_id, actor.book.id)
        self._listing = listing
        self._cursor: str | None = query.get("cursor")
        self._limit: int = query["limit"]
        self.skip: int = query["skip"]
        self.rows = self._limit + 1  # how many to read, to see whether another page follows

    def after(self, start: int) -> int:
        """The id that the page comes after. Raises BadRequest for a cursor of another list."""
        if self._cursor is None:
            return start
        return self._seal.open(self._cursor, self._listing)[0]

    def cut(self, items: list[dict[str, Any]], *, newest_first: bool = False) -> Page:
        """The page of a list that is all there, by rising or falling ids."""
        following = items
        if self._cursor is not None:
            last = self.after(0)
            following = [i for i in items if (i["id"] < last if newest_first else i["id"] > last)]
        return self.page(following[self.skip : self.skip + self.rows], len(items))

    def cut_by(
        self, place: Callable[[dict[str, Any]], list[Any]], items: list[dict[str, Any]]
    ) -> Page:
        """The page of a list that is all there, in the order of these places, no two alike; they
        are put into cursors."""
        start = self.skip
        if self._cursor is not None:
            start = bisect_right(items, self._seal.open(self._cursor, self._listing), key=place)
        found = items[start : start + self._limit]
        more = start + self._limit < len(items)
        cursor = self._seal.seal(place(found[-1]), self._listing) if more else None
        return Page(found, cursor, len(items))

    def page(self, items: list[dict[str, Any]], total: int, *, more: bool = False) -> Page:
        """The page of the up to `rows` items that were read; `more`: not all of these were."""
        found = items[: self._limit]
        more = more or len(items) > self._limit
        cursor = self._seal.seal([found[-1]["id"]], self._listing) if more else None
        return Page(found, cursor, total)


def answer_page(name: bytes, page: Page) -> Response:
    """The answer of a page: tagged by its bytes, and 304 where the client has them."""
    body = page.body()
    return conditional(list_tag(name, body), lambda: body, next_link(page.next_cursor))


class BookPage(Protocol):
    """A page of a list that is made from a view of the book."""

    @property
    def next_cursor(self) -> str | None: ...

    def body(self) -> bytes: ...


def answer_book_page(
    actor: Actor, read: Callable[[], tuple[bytes, BookPage]], *about: bytes
) -> Response:
    """The answer of a page that `read` makes, with the head of its view; `about` is what it reads
    besides the book and the request.

    The tag names the book's state and the request, cursors being the user's, so who has the page of
    the state that the guard saw is told so without the book being opened.
    """
    about = (*about, request.query_string, b"%d" % actor.user_id)
    tag = list_tag(actor.book.head, *about)
    unchanged = not_modified(tag, star=False)
    if unchanged is not None:
        return unchanged
    head, page = read()
    if head != actor.book.head:  # somebody wrote since
        tag = list_tag(head, *about)
    return conditional(tag, page.body, next_link(page.next_cursor))
