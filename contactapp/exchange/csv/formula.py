"""Cells that a spreadsheet would run (OWASP, CWE-1236): written with a quote sign in front, which
import takes off again, so that `+49…` comes back. Pure."""

from __future__ import annotations

# A full-width sign starts a formula too in the Far East.
_SIGNS = "=+-@\t\r\n\0＝＋－＠"
_GUARDED = frozenset(_SIGNS + "'")
_SIGN = frozenset(_SIGNS)


def guarded(text: str) -> str:
    """The cell to write: one quote sign more where the text begins with a sign or a quote sign."""
    return f"'{text}" if text[:1] in _GUARDED else text


def unguarded(cell: str) -> str:
    """The text of a cell that we wrote: exactly one quote sign less."""
    return cell[1:] if cell[:1] == "'" else cell


def freed(cell: str) -> str:
    """The text of a cell that somebody wrote: a quote sign goes only where it guards a sign."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _SIGN else cell
