"""The views of a process, kept fresh from the change log.

A process opens each sealed row once. (seq, head) names the state a view shows; when the database
says another, the changes since are read and only their rows are opened. A file copied back or a
point-in-time restore brings a seq back but not its head: then, as after a purged gap, the whole
book is read again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic

from .. import metrics
from ..actor import Book
from ..crypto import Cipher
from ..database import Lane, Sql
from ..errors import NotFound
from .view import BookView, R

_STATE = Sql("SELECT seq, head FROM stream WHERE id = ?")
_TURNS = 64  # locks shared by all books: a lock per book would never be freed safely


class Source:
    """The table that views are made from, whose name is also its entity in the change log, and its
    plain columns, which begin with id, uid and book_id; beside them it has `sealed`."""

    def __init__(self, table: str, columns: tuple[str, ...]) -> None:
        self.table = table
        names = ", ".join(f"c.{name}" for name in (*columns, "sealed"))
        rows = f"SELECT {names} FROM {table} c WHERE c.book_id = ? AND c.deleted_at IS NULL"  # noqa: S608
        self.all_rows = Sql(f"{rows} ORDER BY c.id")
        self.one_row = Sql(f"{rows} AND c.id = ?")
        # What became of a book since a view was made: its state and, row by row, the log from the
        # view's seq on, whose first row tells whether it is the view's head; rows as they are now.
        # One statement sees one state of the database, and is one round trip. In its order, because
        # PostgreSQL without statistics yet may go through the whole stream by another index.
        self.since = Sql(
            f"SELECT s.seq, s.head, s.floor, k.seq, k.head, k.entity, k.entity_id, {names} "  # noqa: S608
            "FROM stream s LEFT JOIN (SELECT seq, head, entity, entity_id FROM change "
            "WHERE stream_id = ? AND seq >= ? ORDER BY seq) k ON TRUE "
            f"LEFT JOIN {table} c ON c.id = k.entity_id AND k.seq > ? AND k.entity = '{table}' "
            "AND c.book_id = ? AND c.deleted_at IS NULL WHERE s.id = ?"
        )


class ViewCache(Generic[R]):
    """The views of this process, the least recently used dropped beyond `capacity` bytes.

    `open_row(columns, plaintext)` makes a row. `opened` counts the blobs opened so far.
    """

    def __init__(
        self,
        lane: Lane,
        cipher: Callable[[int], Cipher],
        source: Source,
        open_row: Callable[[tuple[Any, ...], bytes], R],
        capacity: int,
    ) -> None:
        self._lane = lane
        self._cipher = cipher
        self._source = source
        self._open_row = open_row
        self._capacity = capacity
        self._views: OrderedDict[int, BookView[R]] = OrderedDict()
        self._never_kept: set[int] = set()
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
        metrics.count_view(self._source.table, "hit")
        return view

    def keeps(self, book: Book) -> bool:
        """False where the book was too large to be kept when it was last read: then each request
        reads all of it."""
        return book.id not in self._never_kept

    def current(self, book: Book) -> BookView[R]:
        """A view at least as new as the state the actor was told; reads what is missing. Raises
        NotFound where the book was erased since.

        In a write it may be asked for too, with the stream held (`ChangeLog.book`), and not between
        a row's writing and its change's: should the write be undone, no view may be left that shows
        what it wrote under the name of a state that there was.

        One thread per book reads, the others wait for it and use its view.
        """
        view = self.peek(book)
        if view is not None:
            return view
        with self._turns[book.id % _TURNS]:
            view = self._followed(book)
            if view is None:
                view = self._loaded(book)
            self._keep(book.id, view)
        return view

    def open_one(self, book: Book, row_id: int) -> R | None:
        """One live row straight from the database, for a book that is not in memory."""
        metrics.count_view(self._source.table, "row")
        columns = self._lane.one(self._source.one_row, (book.id, row_id))
        return None if columns is None else self._open(self._cipher(book.key_id), columns)

    def _followed(self, book: Book) -> BookView[R] | None:
        """The view in memory brought up to date; None where there is none, or the log does not
        hold every change since, or tells of another history.

        The state is read again here: comparing with the actor's older reading could take a view
        backwards.
        """
        old = self._views.get(book.id)
        if old is None:
            return None
        id_ = book.stream_id
        rows = self._lane.all(self._source.since, (id_, old.seq, old.seq, book.id, id_))
        if not rows:
            return None
        seq, head, floor = rows[0][:3]
        if (old.seq, old.head) == (seq, head):
            metrics.count_view(self._source.table, "hit")
            return old
        known = {row[3]: row[4] for row in rows}.get(old.seq)
        if not floor <= old.seq < seq or (old.seq > 0 and known != old.head):
            return None
        cipher = self._cipher(book.key_id)
        table = self._source.table
        since = {row[6]: row[7:] for row in rows if row[3] > old.seq and row[5] == table}
        now = [self._open(cipher, columns) for columns in since.values() if columns[0] is not None]
        metrics.count_view(self._source.table, "follow")
        return old.next(seq, head, since, now)

    def _loaded(self, book: Book) -> BookView[R]:
        """The view of the whole book."""
        with self._one_state():
            state = self._lane.one(_STATE, (book.stream_id,))
            rows = self._lane.all(self._source.all_rows, (book.id,))
        if state is None:
            raise NotFound()
        seq, head = state
        cipher = self._cipher(book.key_id)
        open_, open_row = cipher.opener(*self._place(book.id)), self._open_row
        view = BookView.of(seq, head, [open_row(row[:-1], open_(row[-1], row[1])) for row in rows])
        self.opened += len(rows)
        metrics.count_view(self._source.table, "load")
        return view

    def _one_state(self) -> AbstractContextManager[None]:
        """Where all reads see one state: who writes holds the stream, and sees no other."""
        return nullcontext() if self._lane.in_transaction else self._lane.snapshot()

    def _open(self, cipher: Cipher, columns: tuple[Any, ...]) -> R:
        uid, book_id = columns[1], columns[2]
        plaintext = cipher.open(columns[-1], *self._place(book_id), uid)
        self.opened += 1
        return self._open_row(columns[:-1], plaintext)

    def _keep(self, book_id: int, view: BookView[R]) -> None:
        with self._lock:
            self._views.pop(book_id, None)
            if view.size <= self._capacity:
                self._views[book_id] = view
                self._never_kept.discard(book_id)
            else:
                self._never_kept.add(book_id)
            # Summed anew: views grow by the orders and columns that are asked of them.
            total = sum(other.size for other in self._views.values())
            while total > self._capacity:
                _, dropped = self._views.popitem(last=False)
                total -= dropped.size
            kept = len(self._views)
        metrics.keep_views(self._source.table, kept, total)

    def _place(self, book_id: int) -> tuple[object, ...]:
        return (self._source.table, "sealed", book_id)
