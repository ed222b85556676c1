"""A driver's connection, which belongs to the process that opened it: without SQLAlchemy, but with
its dialect's arguments."""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import Engine

from . import engine as engines

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


def open_connection(engine: Engine, busy_timeout: int) -> Connection:
    """An autocommit connection that waits so many seconds for a lock."""
    if engine.dialect.name == "sqlite":
        # close_all comes from another thread
        connection = _connect(engine, busy_timeout, {"check_same_thread": False})
        engines.configure_sqlite(connection, busy_timeout)
        return Connection(connection, connection.cursor())
    from .libpq import Cursor  # psycopg takes 6 MiB, which a worker on SQLite need not have

    connection = _connect(engine, busy_timeout, {"autocommit": True})
    return Connection(connection, Cursor(connection))


def _connect(engine: Engine, busy_timeout: int, options: dict[str, Any]) -> Any:
    dialect = engine.dialect
    positional, keywords = dialect.create_connect_args(engine.url)
    usual = engines.engine_options(engine.url, busy_timeout)["connect_args"]
    return dialect.loaded_dbapi.connect(*positional, **{**keywords, **usual, **options})
