"""A cursor straight on libpq, for the lane.

psycopg's own `execute` takes twice the processor time for a statement that is sent again and again
with a few plain parameters, which is all that the lane sends. Its documented wrapper of libpq
(`psycopg.pq`) sends the statement, and its loaders read the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result

_PREPARED = 200  # statements of a connection; the program has fewer
_DONE = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}
_TEXT, _BINARY = pq.Format.TEXT, pq.Format.BINARY


class Cursor:
    """Prepares each statement once and runs it: `$1` for parameters, binary results."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._pgconn = connection.pgconn
        self._rows = Transformer(connection)
        self._names: dict[str, bytes] = {}
        self._result: Any = None

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run a statement with int, float, str, bytes, bool and None as parameters. Raises
        psycopg's errors."""
        name = self._names.get(text) or self._prepare(text)
        values = [_dumped(value) for value in parameters]
        formats = [_BINARY if isinstance(value, bytes) else _TEXT for value in parameters]
        self._result = self._checked(self._pgconn.exec_prepared, name, values, formats, _BINARY)
        return self

    def fetchall(self) -> list[Any]:
        """Every row as a tuple."""
        self._rows.set_pgresult(self._result)
        return self._rows.load_rows(0, self._result.ntuples, tuple)

    @property
    def rowcount(self) -> int:
        """How many rows the statement touched."""
        return self._result.command_tuples or 0

    @property
    def statusmessage(self) -> str:
        """What the server says that it did."""
        return (self._result.command_status or b"").decode()

    def _prepare(self, text: str) -> bytes:
        if len(self._names) >= _PREPARED:
            self._names.clear()
            self._checked(self._pgconn.exec_, b"DEALLOCATE ALL")
        name = b"s%d" % len(self._names)
        self._checked(self._pgconn.prepare, name, text.encode(), None)
        self._names[text] = name
        return name

    def _checked(self, send: Any, *arguments: Any) -> Any:
        try:
            result = send(*arguments)
        except MemoryError:  # no result: that is how the wrapper tells of a lost connection
            if self._pgconn.status == pq.ConnStatus.BAD:
                raise psycopg.OperationalError("the connection is lost") from None
            raise
        if result.status in _DONE:
            return result
        if self._pgconn.status == pq.ConnStatus.BAD:
            state = result.error_field(pq.DiagnosticField.SQLSTATE)
            if not state:
                raise psycopg.OperationalError("the connection is lost")
        raise error_from_result(result)


def _dumped(value: Any) -> bytes | None:
    """A parameter as libpq takes it: the statement tells the server its type."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int | float):
        return repr(value).encode()
    if not isinstance(value, str):
        raise TypeError(f"a parameter of type {type(value).__name__}")
    raw = value.encode()
    if b"\0" in raw:
        raise psycopg.DataError("text with NUL")  # libpq would take what stands before it
    return raw
