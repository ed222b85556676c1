"""Who acts, and on which book: what the guard learns from one SQL read and services are given."""

from __future__ import annotations

from typing import NamedTuple


class Book(NamedTuple):
    """An address book as the actor may use it, with the state its stream had at authentication.

    `role` is `owner`, `editor` or `viewer`; (`seq`, `head`) names the state of the change log.
    A user's key-value data is the book with id 0 of its owner, sealed with their own key; it has
    `items` entries, whose values have `size` bytes. The `items` of an address book are the
    definitions of its custom fields.
    """

    id: int
    owner_id: int
    key_id: int
    stream_id: int
    seq: int
    head: bytes
    role: str
    items: int = 0
    size: int = 0

    @property
    def writable(self) -> bool:
        return self.role != "viewer"


class Actor(NamedTuple):
    """An authenticated user. `role` is `user` or `admin`; `session_id` the sign-in it came by, 0
    where it came by the API token `token_id`, which is for `scopes`. `data` is there where the view
    wants their key-value data beside their own book."""

    user_id: int
    session_id: int
    role: str
    key_id: int
    request_id: str
    book: Book
    token_id: int | None = None
    scopes: frozenset[str] | None = None
    data: Book | None = None

    def may(self, scope: str) -> bool:
        """Whether this sign-in is for that: a session is for everything."""
        return self.scopes is None or scope in self.scopes


def server_itself(book: Book, request_id: str) -> Actor:
    """Who acts where a job changes a book: nobody's account, so its id is 0."""
    return Actor(0, 0, "worker", 0, request_id, book)
