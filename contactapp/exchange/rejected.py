"""A file with only some of another's contacts, as they stand in it, to be mended by hand. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from .csv.rows import header_of, lines, rows
from .json import objects
from .record import Unreadable
from .vcard.lines import physical_lines

File = Callable[[], Iterable[bytes]]  # its bytes, from the beginning each time


class Place(NamedTuple):
    """Where a contact is in its file: the number of it, from 1, and its lines."""

    row: int
    line: int
    end: int


def only(format_: str, file: File, places: Sequence[Place]) -> Iterator[bytes]:
    """The file without what is not at one of these places, which are in order; in UTF-8."""
    if format_ == "json":
        # All may stand in one line.
        wanted = {place.row for place in places}
        yield b"[\n"
        comma = b""
        with suppress(Unreadable):  # it may end too soon, after them
            for row, (_, _, text) in enumerate(objects(file()), 1):
                if row in wanted and text is not None:
                    yield comma + text
                    comma = b",\n"
        yield b"\n]\n"
        return
    if format_ == "vcard":
        for number, card_line in enumerate(physical_lines(file()), 1):
            if _within(number, places):
                yield card_line + b"\r\n"
        return
    header = header_of(next(rows(file()), None)).end
    for number, line in enumerate(lines(file()), 1):
        if number <= header or _within(number, places):
            yield line.encode("utf-8-sig" if number == 1 else "utf-8", "replace")


def _within(number: int, places: Sequence[Place]) -> bool:
    at = bisect_right(places, number, key=lambda place: place.line)
    return at > 0 and number <= places[at - 1].end
