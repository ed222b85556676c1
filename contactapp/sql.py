"""Statements as text, in the words and the parameter style of each engine. Pure."""

from __future__ import annotations

from functools import lru_cache


class Sql:
    """A statement written with `?` for parameters, ready for either driver's style. PostgreSQL
    gets `postgresql` where the two engines need different words."""

    __slots__ = ("numbered", "qmark")

    def __init__(self, text: str, postgresql: str | None = None) -> None:
        self.qmark = text
        first, *rest = (postgresql or text).split("?")
        self.numbered = first + "".join(f"${n}{part}" for n, part in enumerate(rest, 1))


@lru_cache(maxsize=128)
def insert_into(table: str, columns: tuple[str, ...], returning: str, rows: int = 1) -> Sql:
    """The INSERT of one row, or of so many. Table and column names are the program's own."""
    marks = ", ".join([f"({', '.join('?' * len(columns))})"] * rows)
    text = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks}"  # noqa: S608
    return Sql(f"{text} RETURNING {returning}" if returning else text)
