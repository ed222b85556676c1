"""One chain, link by link, and the checkpoints that it must go through."""

from __future__ import annotations

import hashlib
from typing import Any

from ..changes.service import next_head
from ..keyring import keyring
from .checkpoints import Checkpoint

NEVER_WRITTEN = "number {} holds what was never written there"


class Links:
    """How far a chain was followed: `seq` and `head` of its last good link."""

    def __init__(
        self, columns: tuple[str, ...], seq: int, head: bytes, marks: list[Checkpoint]
    ) -> None:
        self._columns = columns
        self._key = keyring().purpose("chain")
        self._marks = marks
        self._seen = {mark.seq: mark.head for mark in marks if mark.is_genuine()}
        self.seq = seq
        self.head = head
        self.count = 0

    def unreached(self) -> str | None:
        """After the last link: what is wrong with the checkpoints themselves, or with the end."""
        for mark in self._marks:
            if not mark.is_genuine():
                return f"the checkpoint of number {mark.seq} was not made here, or was changed"
        newest = max(self._seen, default=0)
        if newest > self.seq:
            return f"it ends with number {self.seq}, and a checkpoint saw number {newest}"
        if self._seen.get(self.seq, self.head) != self.head:
            return f"number {self.seq} is not what its checkpoint saw"
        return None

    def follow(self, row: dict[str, Any]) -> str | None:
        """Go on to this row, or say what is wrong with it."""
        seq, head, sealed = row["seq"], row["head"], row["sealed"]
        if seq != self.seq + 1:
            return f"number {self.seq + 1} is missing"
        content = {name: row[name] for name in self._columns}
        if float in map(type, content.values()):  # which is null in JSON where it is infinite
            return NEVER_WRITTEN.format(seq)
        try:
            if next_head(self._key, self.head, content) != head:
                return f"number {seq} does not follow from the one before, or was changed"
            if sealed is not None and hashlib.sha256(sealed).digest() != row["sealed_hash"]:
                return f"what number {seq} has sealed was changed"
        except (AttributeError, TypeError):  # SQLite takes text for bytes and bytes for text
            return NEVER_WRITTEN.format(seq)
        if self._seen.get(seq, head) != head:
            return f"number {seq} is not what its checkpoint saw"
        self.seq, self.head, self.count = seq, head, self.count + 1
        return None
