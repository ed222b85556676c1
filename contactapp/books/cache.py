"""The views of a process, kept fresh from the change log.

A process opens each sealed row once. (seq, head) names the state a view shows; when the database
says another, the changes since are read and only their rows are opened. A file copied back or a
point-in-time restore brings a seq back but not its head: then, as after a purged gap, the whole
book is read again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Generic

from ..actor import Book
from ..crypto import Cipher
from ..database import ReadLane, Sql
from .view import BookView, R

_STATE = Sql("SELECT seq, head, floor FROM stream WHERE id = ?")
_HEAD_AT = Sql("SELECT head FROM change WHERE stream_id = ? AND seq = ?")
_TOUCHED = Sql(
    "SELECT DISTINCT entity_id FROM change WHERE stream_id = ? AND seq > ? AND entity = 'contact'"
)
_COLUMNS = (
    "SELECT id, uid, book_id, version, created_at, updated_at, created_by, updated_by, sealed "
    "FROM contact WHERE book_id = ? AND deleted_at IS NULL"
)
ALL_ROWS = Sql(f"{_COLUMNS} ORDER BY id")
ONE_ROW = Sql(f"{_COLUMNS} AND id = ?")
_BATCH = 500
_TURNS = 64  # locks shared by all books: a lock per book would never be freed safely


class ViewCache(Generic[R]):
    """The views of this process, the least recently used dropped beyond `capacity` bytes.

    `open_row(columns, plaintext)` makes a row. `opened` counts the blobs opened so far.
    """

    def __init__(
        self,
        lane: ReadLane,
        cipher: Callable[[int], Cipher],
        open_row: Callable[[tuple[Any, ...], bytes], R],
        capacity: int,
    ) -> None:
        self._lane = lane
        self._cipher = cipher
        self._open_row = open_row
        self._capacity = capacity
        self._views: OrderedDict[int, BookView[R]] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = [threading.Lock() for _ in range(_TURNS)]
        self.opened = 0

    def peek(self, book: Book) -> BookView[R] | None:
        """The view if it is in memory and shows the state the actor was told, else None."""
        with self._lock:
            view = self._views.get(book.id)
            if view is None or view.seq != book.seq or view.head != book.head:
                return None
            self._views.move_to_end(book.id)
            return view

    def current(self, book: Book) -> BookView[R]:
        """A view at least as new as the state the actor was told; reads what is missing.

        One thread per book reads, the others wait for it and use its view.
        """
        view = self.peek(book)
        if view is not None:
            return view
        with self._turns[book.id % _TURNS]:
            with self._lane.snapshot():
                view = self._refreshed(book)
            self._keep(book.id, view)
        return view

    def open_one(self, book: Book, contact_id: int) -> R | None:
        """One live contact's row straight from the database, for a book that is not in memory."""
        columns = self._lane.one(ONE_ROW, (book.id, contact_id))
        return None if columns is None else self._open(self._cipher(book.key_id), columns)

    def _refreshed(self, book: Book) -> BookView[R]:
        """The view of what this snapshot shows. The state is read again in it: comparing with
        the actor's older reading could take a view backwards."""
        seq, head, floor = self._lane.one(_STATE, (book.stream_id,))
        old = self._views.get(book.id)
        if old is not None and (old.seq, old.head) == (seq, head):
            return old
        cipher = self._cipher(book.key_id)
        if old is None or not self._continues(old, book, seq, floor):
            every = self._lane.all(ALL_ROWS, (book.id,))
            return BookView.of(seq, head, (self._open(cipher, row) for row in every))
        touched = [row[0] for row in self._lane.all(_TOUCHED, (book.stream_id, old.seq))]
        now = [self._open(cipher, row) for row in self._rows_of(book, touched)]
        return old.next(seq, head, touched, now)

    def _continues(self, old: BookView[R], book: Book, seq: int, floor: int) -> bool:
        """Whether the log still holds every change since the old view, and the same history."""
        if not floor <= old.seq < seq:
            return False
        if old.seq == 0:
            return True
        known = self._lane.one(_HEAD_AT, (book.stream_id, old.seq))
        return known is not None and known[0] == old.head

    def _rows_of(self, book: Book, ids: list[int]) -> Iterable[tuple[Any, ...]]:
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            marks = ", ".join("?" * len(part))
            yield from self._lane.all(Sql(f"{_COLUMNS} AND id IN ({marks})"), (book.id, *part))

    def _open(self, cipher: Cipher, columns: tuple[Any, ...]) -> R:
        uid, book_id = columns[1], columns[2]
        plaintext = cipher.open(columns[8], "contact", "sealed", book_id, uid)
        self.opened += 1
        return self._open_row(columns[:8], plaintext)

    def _keep(self, book_id: int, view: BookView[R]) -> None:
        with self._lock:
            self._views.pop(book_id, None)
            if view.size <= self._capacity:
                self._views[book_id] = view
            # Summed anew: views grow by the orders and columns that are asked of them.
            total = sum(kept.size for kept in self._views.values())
            while total > self._capacity:
                _, dropped = self._views.popitem(last=False)
                total -= dropped.size
