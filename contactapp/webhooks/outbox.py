"""What a write makes necessary to be told: rows of its own transaction.

A stream says whether anybody follows it in the row that a write locks and reads anyway, so a write
that nobody follows pays nothing. That mark is set under the stream's lock, before a webhook counts,
and taken away by the first write that finds no webhook: whoever deletes one need not lock it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from ..actor import Book
from ..database import Sql, insert_all, lane
from ..jobs.service import enqueue

JOB = "webhook.send"
DATA = "data"  # its words stand for key-value data, whose book has no number

_OF_BOOK = Sql("SELECT id, types FROM webhook WHERE book_id = ? AND active ORDER BY id")
_OF_DATA = Sql("SELECT id, types FROM webhook WHERE user_id = ? AND active ORDER BY id")
_UNFOLLOWED = Sql("UPDATE stream SET followed = ? WHERE id = ?")


class Follower(NamedTuple):
    """A webhook and the words for what it is to be told of; none for all of its book."""

    id: int
    types: frozenset[str]

    def wants(self, entity: str, op: str) -> bool:
        """Whether such a change is told to it."""
        return not self.types or entity in self.types or f"{entity}.{op}" in self.types


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
        found = [Follower(id_, frozenset(words)) for id_, words in _split(rows) if follows(words)]
        if not found:
            lane().run(_UNFOLLOWED, (False, book.stream_id))
        return found


def _split(rows: list[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    return ((id_, types.split()) for id_, types in rows)


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
