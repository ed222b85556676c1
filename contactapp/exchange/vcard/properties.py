"""One property line taken apart: group, name, parameters and value, escapes and encodings. Pure."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from functools import lru_cache
from typing import NamedTuple

from ..record import Photo
from .types import label_of

_NAME = re.compile(r"[A-Za-z0-9_./-]+")
_PIECE = re.compile(r'(?:[^";:]|"[^"]*+")*+')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PARTS = {
    mark: re.compile(rf"((?:[^\\{mark}]|\\.|\\\Z)*+)(?:{mark}|\Z)", re.DOTALL) for mark in ",;"
}
_BREAK = re.compile("\r\n?")
_BARE_ENCODINGS = {"QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT"}
# Others, such as idna, take time in the square of the text, or are no encodings of text.
_CHARSETS = re.compile(
    r"utf-?8|utf-?16(?:le|be)?|(?:us-)?ascii|iso[-_]?8859-\d\d?|latin-?1|(?:windows-|cp)125[0-8]|"
    r"cp437|cp850|koi8-[ru]|macintosh|shift[-_]?jis|sjis|cp932|euc-?(?:jp|kr)|iso-2022-(?:jp|kr)|"
    r"gb2312|gbk|gb18030|big5(?:-?hkscs)?|tis-620",
    re.ASCII | re.IGNORECASE,
)
_CHARSET_PARAMETER = re.compile(rb';CHARSET="?([\w.-]+)', re.IGNORECASE)
_MAX_CHARSET = 20
# A whole line, of which `_NAME` takes the beginning.
KEPT = re.compile(r"(?:([A-Za-z0-9_./-]+)\.)?([A-Za-z0-9_/-]+)[ \t]*[;:][^\r\n\0]*")
_SOFT = re.compile(r"[^:]*;(?:ENCODING=)?QUOTED-PRINTABLE[;:].*=", re.IGNORECASE)
_OURS = {"BEGIN", "END", "VERSION", "PRODID", "REV"}
_KNOWN_LENGTH = 100  # characters of a head that is remembered
_DATA = re.compile(r"data:([\w.+/-]*)(?:;[\w.+=-]*)*?;base64,", re.ASCII | re.IGNORECASE)


def may_be_kept(line: str) -> bool:
    """Whether a line can be written again as it is and be nothing but one property: a soft break at
    its end would take the next one with it."""
    match = KEPT.fullmatch(line)
    is_property = match is not None and match[2].upper() not in _OURS
    return is_property and not (line.endswith("=") and _SOFT.fullmatch(line))


class Malformed(ValueError):
    """A line that is no property, or whose value is no text."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Head(NamedTuple):
    """What stands before a property's colon. Heads come again and again: do not change one."""

    group: str
    name: str
    parameters: dict[str, str]
    types: list[str]
    label: str | None


class Property:
    """A property. `value` is as it stands in the line, `raw` the whole line."""

    __slots__ = ("group", "label", "name", "parameters", "raw", "types", "value")

    def __init__(self, line: bytes) -> None:
        self.raw = text = _decode(line)
        head, colon, self.value = text.partition(":")
        if '"' in head:
            parsed, self.value = _quoted(text)
        elif not colon:
            raise Malformed("malformed_line", "A line without a colon.")
        else:
            parsed = _known_head(head) if len(head) <= _KNOWN_LENGTH else _head(head.split(";"))
        self.group, self.name, self.parameters, self.types, self.label = parsed

    @property
    def encoding(self) -> str:
        return self.parameters.get("ENCODING", "").upper()

    def text(self) -> str:
        """The value decoded, escapes and all."""
        text = self.value
        if self.parameters:
            encoding, charset = self.encoding, self.parameters.get("CHARSET")
            if encoding == "QUOTED-PRINTABLE":
                text = _charset(binascii.a2b_qp(text.encode()), charset)
            elif encoding in ("B", "BASE64"):
                text = _charset(self.data() or b"", charset)
            elif charset and charset.lower().startswith("iso-2022"):
                text = _charset(text.encode(), charset)  # is ASCII to who does not know
        if "\0" in text:
            raise Malformed("invalid_text", "Contains NUL.")
        return _BREAK.sub("\n", text) if "\r" in text else text

    def parts(self, mark: str = ";") -> list[str]:
        """The value's parts between unescaped marks, each with its escapes."""
        return split(self.text(), mark)

    def data(self) -> bytes | None:
        """The bytes of a value in base64, None where it is not base64."""
        return _from_base64(self.value)

    def photo(self) -> Photo | None:
        """The picture that lies in the value itself, None where it lies elsewhere."""
        if self.encoding in ("B", "BASE64"):
            data = self.data()
            types = [one for one in self.types if one != "pref"]
            return Photo(_media_type(types[0] if types else ""), data) if data else None
        value = self.value[:200].replace("\\", "")  # some escape it as text
        if match := _DATA.match(value):
            data = _from_base64(self.value.partition("base64")[2].lstrip("\\,"))
            return Photo(match[1].lower() or None, data) if data else None
        return None


def _head(pieces: list[str]) -> Head:
    name = pieces[0].strip()
    if not _NAME.fullmatch(name):
        raise Malformed("malformed_line", "A line that begins with no property's name.")
    group, _, name = name.rpartition(".")
    parameters = _parameters(pieces)
    types = parameters.get("TYPE")
    words = [one.strip().lower() for one in types.split(",")] if types else []
    return Head(group, name.upper(), parameters, words, label_of(words))


@lru_cache(maxsize=1024)
def _known_head(head: str) -> Head:
    return _head(head.split(";"))


def _quoted(text: str) -> tuple[Head, str]:
    """The head and the value of a line with quoted parameters, whose values may hold
    colons and semicolons."""
    pieces, at = [], 0
    while match := _PIECE.match(text, at):
        pieces.append(match[0])
        at = match.end() + 1
        if text[match.end() : at] == ":":
            return _head(pieces), text[at:]
        if text[match.end() : at] != ";":
            break
    raise Malformed("malformed_line", "A line without a colon, or with half a pair of quotes.")


def _parameters(pieces: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    types: list[str] = []
    for piece in pieces[1:]:
        name, equals, value = piece.partition("=")
        name = name.strip().upper()
        if not equals:  # version 2.1 leaves the names of these out
            bare = "ENCODING" if name in _BARE_ENCODINGS else "TYPE"
            name, value = bare, name
        if name == "TYPE":
            types.append(value.replace('"', ""))
        else:
            found.setdefault(name, value.strip().replace('"', ""))
    if types:
        found["TYPE"] = ",".join(types)
    return found


def split(text: str, mark: str) -> list[str]:
    """The parts between unescaped marks."""
    if "\\" not in text:
        return text.split(mark)
    found, at = [], 0
    while match := _PARTS[mark].match(text, at):
        found.append(match[1])
        at = match.end()
        if match.end() == match.end(1):  # the end, and not a mark
            break
    return found


def unescape(text: str) -> str:
    """RFC 6350 section 3.4; `\\:` too, as Google writes it. Other backslashes stay."""
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    character = match[1]
    if character in "nN":
        return "\n"
    return character if character in '\\,;:"' else match[0]


def _decode(line: bytes) -> str:
    """A line is UTF-8, else what it says, else what Windows writes in the west."""
    if b"\0" in line:
        raise Malformed("invalid_text", "Contains NUL.")
    try:
        return line.decode()
    except UnicodeDecodeError:
        pass
    try:
        line.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        said = _CHARSET_PARAMETER.search(line[: line.find(b":") + 1])
        charset = said[1].decode() if said else "cp1252"
        return _charset(line, "cp1252" if charset.lower() in ("utf-8", "utf8") else charset)
    raise Malformed("invalid_text", "Contains a lone surrogate.")


def _charset(data: bytes, charset: str | None) -> str:
    charset = charset or "utf-8"
    if len(charset) > _MAX_CHARSET or not _CHARSETS.fullmatch(charset):
        raise Malformed("unknown_charset", "Names a CHARSET that is not known here.")
    try:
        return data.decode(codecs.lookup(charset).name)
    except LookupError:
        raise Malformed("unknown_charset", "Names a CHARSET that is not known here.") from None
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        raise Malformed("invalid_text", "Is not in the encoding that it says.") from None


def _from_base64(value: str) -> bytes | None:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        return None


def _media_type(name: str) -> str | None:
    """`image/jpeg` of the type parameter `JPEG`; some write the whole of it."""
    return (name if "/" in name else f"image/{name}") if name else None
