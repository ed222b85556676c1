"""What a write makes necessary to be told: rows of its own transaction.

A stream says whether anybody follows it in the row that a write locks and reads anyway, so a write
that nobody follows pays nothing. That mark is set under the stream's lock, before a webhook counts,
and taken away by the first write that finds no webhook: whoever deletes one need not lock it.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any, NamedTuple

from ..actor import Book
from ..database import Sql, insert_all, lane
from ..jobs.service import enqueue

JOB = "webhook.send"
DATA = "data"  # its words stand for key-value data, whose book has no number

# With whether its user may read the book now: what comes to pass while they may not is none of
# theirs, not even that it did. They may again later, so such a webhook keeps the stream's mark.
_FOLLOWING = (
    "SELECT w.id, w.types, u.active AND (b.owner_id = u.id OR m.role IS NOT NULL) FROM webhook w "
    "JOIN users u ON u.id = w.user_id JOIN book b ON b.id = w.book_id "
    "LEFT JOIN book_member m ON m.book_id = b.id AND m.user_id = u.id "
    "WHERE w.{} = ? AND w.active ORDER BY w.id"
)
_OF_BOOK, _OF_DATA = Sql(_FOLLOWING.format("book_id")), Sql(_FOLLOWING.format("user_id"))
_UNFOLLOWED = Sql("UPDATE stream SET followed = ? WHERE id = ?")


class Follower(NamedTuple):
    """A webhook, the words for what it is to be told of, none for all of its book, and whether its
    user may read that."""

    id: int
    types: frozenset[str]
    has_access: bool

    def wants(self, entity: str, op: str) -> bool:
        """Whether such a change is told to it."""
        types = self.types
        return self.has_access and (not types or entity in types or f"{entity}.{op}" in types)


class Outbox:
    """The deliveries of one write to a book, or to a user's data."""

    def __init__(self, book: Book, now: int) -> None:
        self._book, self._now = book, now
        self._followers: list[Follower] | None = None
        self._rows: list[dict[str, Any]] = []

    def add(self, seq: int, entity: str, op: str) -> None:
        """Have a change told to whoever wants it, with the next `write`."""
        if self._followers is None:
            self._followers = self._found()
        for follower in self._followers:
            if follower.wants(entity, op):
                self._rows.append(delivery(follower.id, self._now, self._book.stream_id, seq))

    def write(self) -> None:
        """Insert what was added, and jobs that send it; in the running transaction."""
        if not self._rows:
            return
        insert_all("webhook_delivery", self._rows)
        for webhook_id in {row["webhook_id"]: 0 for row in self._rows}:
            enqueue(JOB, webhook_id)
        self._rows = []

    def _found(self) -> list[Follower]:
        book = self._book
        rows = (
            lane().all(_OF_BOOK, (book.id,)) if book.id else lane().all(_OF_DATA, (book.owner_id,))
        )
        follows = follows_book if book.id else follows_data
        every = (Follower(id_, frozenset(types.split()), bool(may)) for id_, types, may in rows)
        found = [follower for follower in every if follows(follower.types)]
        if not found:
            lane().run(_UNFOLLOWED, (False, book.stream_id))
        return found


def follows_book(types: Collection[str]) -> bool:
    """Whether a webhook with these words, none for all, may want changes of its book."""
    return not types or not all(map(_is_of_data, types))


def follows_data(types: Collection[str]) -> bool:
    """Whether it may want those of its user's data: only where they are asked for, as an API token
    for contacts alone may make a webhook for everything."""
    return any(map(_is_of_data, types))


def _is_of_data(word: str) -> bool:
    return word.partition(".")[0] == DATA


def delivery(
    webhook_id: int, now: int, stream_id: int | None = None, seq: int | None = None
) -> dict[str, Any]:
    """The row of a delivery that is due, of one change or for a trial."""
    return {
        "uid": os.urandom(16).hex(),
        "webhook_id": webhook_id,
        "stream_id": stream_id,
        "seq": seq,
        "status": "pending",
        "attempts": 0,
        "next_at": now,
        "created_at": now,
        "updated_at": now,
    }
