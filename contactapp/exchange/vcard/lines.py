"""A file's bytes as cards, and these as property lines, unfolded (RFC 6350 section 3.2). Pure.

Everything here looks at each byte a fixed number of times and holds one card at most.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..record import Problem

MAX_CARD = 8 * 2**20  # bytes; a picture of 5 MiB in base64 with all else
MAX_LINES = 10_000  # properties of one card
MAX_NESTED = 4  # cards within cards (AGENT)
_PIECE = 2**18
_HEAD = 200  # bytes of a line that tell its encoding
_EDGE = re.compile(rb"(BEGIN|END)\s*:\s*VCARD\s*", re.IGNORECASE)
_BASE64 = re.compile(rb"[^:]*;(?:ENCODING=)?B(?:ASE64)?[;:]", re.IGNORECASE)
_QUOTED_PRINTABLE = re.compile(rb"[^:]*;(?:ENCODING=)?QUOTED-PRINTABLE[;:]", re.IGNORECASE)
_AGENT = re.compile(rb"(?:[\w-]+\.)?AGENT(?:;[^:]*)?:\s*", re.IGNORECASE)
_OLD = re.compile(rb"VERSION\s*:\s*2\.1\s*", re.IGNORECASE)
_ESCAPED = re.compile(rb"([\\,;])")


class Card(NamedTuple):
    """A card's lines without BEGIN and END, each with the number of its first line in the file."""

    line: int
    end: int
    lines: list[tuple[int, bytes]]
    is_old: bool  # version 2.1


def cards(chunks: Iterable[bytes]) -> Iterator[Card | Problem]:
    """The cards of a file, and what is in it that is none."""
    card: _Open | None = None
    number = outside = 0
    for number, line in enumerate(physical_lines(chunks), 1):
        edge = _EDGE.fullmatch(line) if line[:1] in b"BEbe" else None
        if card is not None and (edge is None or card.takes(edge)):
            card.add(number, line, nested=edge is not None)
        elif edge is None:
            if line.strip(b" \t\xef\xbb\xbf\x1a\0") and not outside:
                outside = number
        elif edge[1][:1] in b"Bb":
            if outside or card is not None:
                yield _unfinished(card, outside, number - 1)
            card, outside = _Open(number), 0
        elif card is not None:
            yield card.closed(number)
            card = None
    if outside or card is not None:
        yield _unfinished(card, outside, number)


def _unfinished(card: _Open | None, outside: int, end: int) -> Problem:
    if card is None:
        return Problem(outside, end, "outside_card", "Lines that belong to no card.")
    return Problem(card.line, end, *(card.problem or ("unfinished_card", "The card has no END.")))


class _Open:
    """A card that has begun."""

    __slots__ = ("is_old", "line", "lines", "nested", "numbers", "problem", "size", "soft")

    def __init__(self, line: int) -> None:
        self.line = line
        self.lines: list[bytes | bytearray] = []
        self.numbers: list[int] = []
        self.size = self.nested = 0
        self.is_old = self.soft = False
        self.problem: tuple[str, str] | None = None

    def takes(self, edge: re.Match[bytes]) -> bool:
        """Whether a BEGIN or END belongs to a card inside this one: one that an AGENT brought."""
        if edge[1][:1] in b"Ee":
            self.nested -= 1
            return self.nested >= 0
        if self.nested or (self.lines and _AGENT.fullmatch(self.lines[-1])):
            self.nested += 1
            if self.nested > MAX_NESTED:
                self._refuse("nested_too_deep", f"More than {MAX_NESTED} cards within cards.")
            return True
        return False

    def add(self, number: int, line: bytes, *, nested: bool) -> None:
        self.size += len(line)
        if self.size > MAX_CARD:
            self._refuse("card_too_large", f"The card has more than {MAX_CARD} bytes.")
        if self.problem:
            return
        if self.soft and not self.is_old and line[:1] in (b" ", b"\t"):
            # What version 2.1 takes for a line that goes on, the later ones may have folded there.
            self.soft = False
            self._continue(b"=" + line[1:])
        elif self.soft:
            self.soft = line.endswith(b"=")
            self._continue(line[:-1] if self.soft else line)
        elif nested or self.nested:
            self._continue(_ESCAPED.sub(rb"\\\1", line) + rb"\n")  # as RFC 2426 writes an AGENT
        elif line[:1] in (b" ", b"\t") and self.lines:
            # Version 2.1 breaks lines before a space that is there anyhow, the later ones add it.
            self._continue(line if self.is_old else line[1:])
        elif b":" not in line and self.lines and _BASE64.match(self.lines[-1][:_HEAD]):
            self._continue(line)  # some phones forget the space before base64
        elif line.strip():
            self._begin(number, line)

    def _begin(self, number: int, line: bytes) -> None:
        if len(self.lines) >= MAX_LINES:
            self._refuse("card_too_large", f"The card has more than {MAX_LINES} properties.")
            return
        if line.endswith(b"=") and _QUOTED_PRINTABLE.match(line):
            self.soft, line = True, line[:-1]
        elif line[:1] in b"Vv" and _OLD.fullmatch(line):
            self.is_old = True
        self.lines.append(line)
        self.numbers.append(number)

    def _continue(self, more: bytes) -> None:
        last = self.lines[-1]
        if not isinstance(last, bytearray):  # grows in place: a picture has a thousand lines
            last = self.lines[-1] = bytearray(last)
        last += more

    def _refuse(self, code: str, detail: str) -> None:
        self.problem = self.problem or (code, detail)
        self.lines, self.numbers = [], []

    def closed(self, end: int) -> Card | Problem:
        if self.problem:
            return Problem(self.line, end, *self.problem)
        lines = [
            (number, bytes(line)) for number, line in zip(self.numbers, self.lines, strict=True)
        ]
        return Card(self.line, end, lines, self.is_old)


def physical_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their ends (CRLF, LF or CR). One longer than any card may be is cut."""
    rest: list[bytes] = []
    held = 0
    for piece in _pieces(chunks):
        if b"\n" not in piece and b"\r" not in piece:
            if held <= MAX_CARD:
                rest.append(piece)
                held += len(piece)
            continue
        lines = b"".join([*rest, piece]).splitlines(keepends=True)
        # A CR at the very end may be the first half of a CRLF.
        rest = [] if lines[-1].endswith(b"\n") else [lines.pop()]
        held = sum(map(len, rest))
        for line in lines:
            yield line.rstrip(b"\r\n")
    for line in b"".join(rest).splitlines():
        yield line


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The file in UTF-8 or what else it is in, without a byte order mark. UTF-16, in which older
    address books of Apple wrote names that ASCII has not, is told by its mark."""
    start = b""
    decoder: codecs.IncrementalDecoder | None = None
    begun = False
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE):
            piece = chunk[at : at + _PIECE]
            if not begun:
                start = piece = start + piece
                if len(start) < 3:
                    continue
                begun = True
                if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
                piece = piece.removeprefix(codecs.BOM_UTF8)
            yield _in_utf8(decoder, piece) if decoder else piece
    if not begun and start:
        yield start


def _in_utf8(decoder: codecs.IncrementalDecoder, piece: bytes) -> bytes:
    # A lone surrogate goes on to the line it is in, where it is found and told.
    return decoder.decode(piece).encode("utf-8", "surrogatepass")
