"""The lines of vCards that a contact keeps beside its fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .vcard.properties import KEPT, unescape
from .vcard.writing import escaped

_UID = "UID:"
_LABEL = "X-ABLABEL"  # of a group, and nothing without it


def with_source_uid(lines: list[str], uid: str | None) -> list[str]:
    """The lines kept of a card, with the UID that its file had and that it could not get here."""
    others = without_uid(lines)
    return [f"{_UID}{escaped(uid)}", *others] if uid else others


def source_uid(lines: list[str]) -> str | None:
    """The UID that `with_source_uid` put among the lines."""
    if lines and lines[0].startswith(_UID):
        return unescape(lines[0].removeprefix(_UID))
    return None


def without_uid(lines: list[str]) -> list[str]:
    """The lines kept of a card but for any UID: a card has one."""
    return [line for line in lines if _head(line)[1] != "UID"]


def united(lines: Sequence[str], others: Sequence[str], room: int) -> list[str]:
    """The other lines, and of these those whose property is none of the others', as far as there is
    room for so many characters. A group is kept or not as a whole, under a name of its own."""
    told = {_head(line)[1] for line in others}
    taken = {_head(line)[0] for line in (*lines, *others)}
    groups = {_head(line)[0] for line in others}
    found = list(others)
    room -= sum(map(len, others))
    for group, its in _groups(lines):
        if told & {_head(line)[1] for line in its} - {_LABEL}:
            continue
        if group and group in groups:
            its = _renamed(its, taken)
        if (size := sum(map(len, its))) <= room:
            room -= size
            found += its
    return found


def _groups(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The lines that belong together, in the order of the first of each."""
    found: dict[object, tuple[str, list[str]]] = {}
    for place, line in enumerate(lines):
        group = _head(line)[0]
        found.setdefault(group or place, (group, []))[1].append(line)
    yield from found.values()


def _renamed(lines: list[str], taken: set[str]) -> list[str]:
    name = next(name for n in range(1, len(taken) + 2) if (name := f"item{n}") not in taken)
    taken.add(name)
    return [name + line[len(_head(line)[0]) :] for line in lines]


def _head(line: str) -> tuple[str, str]:
    """The group of a line in small letters, and its property in large ones."""
    if match := KEPT.fullmatch(line):
        return (match[1] or "").lower(), match[2].upper()
    head = re.split("[;:]", line, maxsplit=1)[0]
    return "", head.rpartition(".")[2].upper()
