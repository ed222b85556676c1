"""A driver's connection, which belongs to the process that opened it."""

from __future__ import annotations

import os
from typing import Any

# How many forks lie between the first process and this one. The process's id would say the same,
# by a system call for every statement.
_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)


class Connection:
    """A driver's connection and its cursor; closed when nobody refers to it any more."""

    def __init__(self, connection: Any, cursor: Any) -> None:
        self.connection = connection
        self.cursor = cursor
        self.in_transaction = False  # or in a snapshot
        self.writes = False
        self.waits = True  # for SQLite's write lock, by itself
        self._forks = _forks
        self._closed = False

    @property
    def usable(self) -> bool:
        """Whether it is open, and this process's own."""
        return not self._closed and self._forks == _forks

    def close(self) -> None:
        # A connection that came over a fork belongs to the parent, whose socket it would close.
        if self.usable:
            self._closed = True
            self.connection.close()

    __del__ = close
