"""The entries that this process read last, so that one which many requests ask for is opened once.

(seq, head) names a state of a store, and the guard has just read the head: an entry that was read
in the same state is that entry still, whoever may have written meanwhile to others' stores.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from ..actor import Book
from .entry import Entry

CAPACITY = 4 * 2**20  # bytes of a process
LARGEST = 4 * 1024  # bytes of a value that is kept
_BESIDE = 1024  # bytes that an entry takes besides its value and its answer


class RecentEntries:
    """Entries with the head of the state that they were read in, the least recently used go first.
    Whether one has expired is for the reader to see."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, str], tuple[bytes, Entry]] = OrderedDict()
        self._size = 0

    def get(self, store: Book, key: str) -> Entry | None:
        """The entry of this state of a store, if it is kept."""
        place = (store.stream_id, key)
        with self._lock:
            found = self._kept.get(place)
            if found is None or found[0] != store.head:
                return None
            self._kept.move_to_end(place)
            return found[1]

    def keep(self, store: Book, head: bytes, entry: Entry) -> None:
        """Keep an entry that was read in the state with this head."""
        if entry.meta.size > LARGEST:
            return
        place = (store.stream_id, entry.meta.key)
        with self._lock:
            before = self._kept.pop(place, None)
            if before is not None:
                self._size -= _weight(before[1])
            self._kept[place] = (head, entry)
            self._size += _weight(entry)
            while self._size > self._capacity:
                self._size -= _weight(self._kept.popitem(last=False)[1][1])

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._size


def _weight(entry: Entry) -> int:
    return 2 * entry.meta.size + _BESIDE  # the value, and in the answer once more
