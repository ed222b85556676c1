"""The book in memory: an immutable view of its live contacts, kept fresh from the change log.

A process opens each sealed row once. (seq, head) names the state a view shows; when the database
says another, the changes since are read and only their rows are opened. A file copied back or a
point-in-time restore brings a seq back but not its head: then, as after a purged gap, the whole
book is read again.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..actor import Book
from ..crypto import Cipher
from ..database import ReadLane, Sql

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
_ORDERS = 8
# Bytes that a row costs besides its JSON: objects, and slots in a dict and in every order.
_ROW_OVERHEAD = 400 + 8 * _ORDERS


class Row(NamedTuple):
    """One contact ready to be served."""

    id: int
    version: int
    body: bytes


class BookView:
    """An immutable picture of a book at (seq, head). `rows` maps ids to rows, `ids` is sorted."""

    __slots__ = ("_orders", "head", "ids", "rows", "seq", "size")

    def __init__(self, seq: int, head: bytes, rows: dict[int, Row]) -> None:
        self.seq = seq
        self.head = head
        self.rows = rows
        self.ids = sorted(rows)
        self.size = sum(len(row.body) for row in rows.values()) + _ROW_OVERHEAD * len(rows)
        self._orders: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, contact_id: int) -> Row | None:
        """The row of a live contact."""
        return self.rows.get(contact_id)

    def order(self, name: Any, make: Callable[[BookView], Any]) -> Any:
        """A sort order, made at its first use and kept with the view, the oldest of too many
        dropped. Two threads may both make it; they make the same."""
        found = self._orders.get(name)
        if found is None:
            found = make(self)
            if len(self._orders) >= _ORDERS:
                self._orders.pop(next(iter(self._orders), None), None)
            self._orders[name] = found
        return found

    def after(self, contact_id: int) -> int:
        """The position in `ids` of the first id above this one."""
        return bisect_right(self.ids, contact_id)


class ViewCache:
    """The views of this process, the least recently used dropped beyond `capacity` bytes.

    `render(columns, plaintext)` makes a row's JSON. `opened` counts the blobs opened so far.
    """

    def __init__(
        self,
        lane: ReadLane,
        cipher: Callable[[int], Cipher],
        render: Callable[[tuple[Any, ...], bytes], bytes],
        capacity: int,
    ) -> None:
        self._lane = lane
        self._cipher = cipher
        self._render = render
        self._capacity = capacity
        self._views: OrderedDict[int, BookView] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._turns = [threading.Lock() for _ in range(_TURNS)]
        self.opened = 0

    def peek(self, book: Book) -> BookView | None:
        """The view if it is in memory and shows the state the actor was told, else None."""
        with self._lock:
            view = self._views.get(book.id)
            if view is None or view.seq != book.seq or view.head != book.head:
                return None
            self._views.move_to_end(book.id)
            return view

    def current(self, book: Book) -> BookView:
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

    def open_one(self, book: Book, contact_id: int) -> Row | None:
        """One live contact's row straight from the database, for a book that is not in memory."""
        columns = self._lane.one(ONE_ROW, (book.id, contact_id))
        return None if columns is None else self._open(self._cipher(book.key_id), columns)

    def _refreshed(self, book: Book) -> BookView:
        """The view of what this snapshot shows. The state is read again in it: comparing with
        the actor's older reading could take a view backwards."""
        seq, head, floor = self._lane.one(_STATE, (book.stream_id,))
        old = self._views.get(book.id)
        if old is not None and (old.seq, old.head) == (seq, head):
            return old
        cipher = self._cipher(book.key_id)
        if old is None or not self._continues(old, book, seq, floor):
            every = self._lane.all(ALL_ROWS, (book.id,))
            return BookView(seq, head, {row[0]: self._open(cipher, row) for row in every})
        touched = [row[0] for row in self._lane.all(_TOUCHED, (book.stream_id, old.seq))]
        rows = dict(old.rows)
        for contact_id in touched:
            rows.pop(contact_id, None)
        for row in self._rows_of(book, touched):
            rows[row[0]] = self._open(cipher, row)
        return BookView(seq, head, rows)

    def _continues(self, old: BookView, book: Book, seq: int, floor: int) -> bool:
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

    def _open(self, cipher: Cipher, columns: tuple[Any, ...]) -> Row:
        uid, book_id = columns[1], columns[2]
        plaintext = cipher.open(columns[8], "contact", "sealed", book_id, uid)
        self.opened += 1
        return Row(columns[0], columns[3], self._render(columns[:8], plaintext))

    def _keep(self, book_id: int, view: BookView) -> None:
        with self._lock:
            old = self._views.pop(book_id, None)
            self._bytes -= old.size if old else 0
            if view.size <= self._capacity:
                self._views[book_id] = view
                self._bytes += view.size
            while self._bytes > self._capacity:
                _, dropped = self._views.popitem(last=False)
                self._bytes -= dropped.size
