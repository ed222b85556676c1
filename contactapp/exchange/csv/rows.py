"""A file's bytes as rows of cells, whatever its encoding and delimiter. Pure."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from ...strict_json import is_storable
from ..record import Problem, Unreadable

MAX_LINE = 2**22  # bytes, or characters of UTF-16; the longest notes of 80
MAX_COLUMNS = 5000
_QUOTED = re.compile(r'"[^"]*"')
_SEPARATOR = re.compile(r"sep=([,;\t])[\r\n]*", re.IGNORECASE)  # a hint for spreadsheets


class Row(NamedTuple):
    """A row in the lines `line` to `end` of the file."""

    line: int
    end: int
    cells: list[str]


def rows(chunks: Iterable[bytes]) -> Iterator[Row | Problem]:
    """The rows that are not empty, the header first. Raises Unreadable where there is none.

    A row that is no CSV is a problem, and reading goes on in the next line: half a pair of quotes
    costs what csv takes for one cell, 131 072 characters, and never the rest of the file.
    """
    found = _Lines(chunks)
    first = next(found, "")
    skipped = 0
    delimiter = _delimiter(first)
    if hint := _SEPARATOR.fullmatch(first):
        skipped, delimiter, first = 1, hint[1], next(found, "")
    reader = csv.reader(chain([first], found), delimiter=delimiter, strict=True)
    end = skipped
    while True:
        line = end + 1
        problem = None
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = ("malformed_row", f"This is no row of CSV: {error}.")
        except UnicodeDecodeError:
            yield Problem(line, line, "invalid_text", "The file ends within a character.")
            return
        end = reader.line_num + skipped
        if found.was_cut():
            problem = ("row_too_large", f"A line has more than {MAX_LINE} bytes.")
        elif not problem and cells and not _is_storable("".join(cells)):
            problem = ("invalid_text", "Contains NUL or a lone surrogate.")
        if problem:
            yield Problem(line, end, *problem)
        elif any(cells):
            yield Row(line, end, cells)


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines of a file with their ends, as `rows` numbers them from 1."""
    return _Lines(chunks)


def _is_storable(text: str) -> bool:
    return "\0" not in text if text.isascii() else is_storable(text)


def _delimiter(line: str) -> str:
    bare = _QUOTED.sub("", line)
    return max(",;\t", key=bare.count)


class _Lines:
    """The file's lines with their ends; one that is too long is cut, and told by `was_cut`."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        source = _Source(chunks)
        is_wide = source.start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        # Of anything else a character is a byte here: what encoding it is in, each line tells.
        encoding, errors = ("utf-16", "surrogatepass") if is_wide else ("latin-1", "strict")
        self._decoded = str if is_wide else _decoded
        buffered = io.BufferedReader(source, 2**16)
        # Line ends within quotes belong to the cell: none is translated.
        self._text = io.TextIOWrapper(buffered, encoding, errors, newline="")
        self._cut = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_LINE)
        if not line:
            raise StopIteration
        if len(line) == MAX_LINE and line[-1] not in "\r\n":
            self._cut = True
            while (rest := self._text.readline(MAX_LINE)) and rest[-1] not in "\r\n":
                pass
            return "\n"
        return self._decoded(line)

    def was_cut(self) -> bool:
        cut, self._cut = self._cut, False
        return cut


class _Source(io.RawIOBase):
    """An iterable of bytes as a stream. `start` has its first bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.start = b""
        while len(self.start) < 4 and (chunk := next(self._chunks, None)) is not None:
            self.start += chunk
        self._rest = memoryview(self.start.removeprefix(codecs.BOM_UTF8))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _decoded(line: str) -> str:
    """A line that was read byte by byte: UTF-8, else as spreadsheets write it in the west. A stream
    cannot be read again when the first byte comes that is not UTF-8, and in cp1252 hardly any text
    happens to be that."""
    if line.isascii():
        return line
    data = line.encode("latin-1")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "surrogateescape")


def header_of(found: Row | Problem | None) -> Row:
    """The first row, which names the columns. Raises Unreadable."""
    if found is None:
        raise Unreadable("The file is empty.")
    if isinstance(found, Problem):
        raise Unreadable(f"The first row cannot be read. {found.detail}")
    if len(found.cells) > MAX_COLUMNS:
        raise Unreadable(f"The file has more than {MAX_COLUMNS} columns.")
    return found
