"""Who was erased, as a list that lies beside the database: a backup from before does not know.

A line holds an account's uid, which says nothing about anybody, and when. A restore erases again
whoever is on the list. Where the database moves to another machine, the list must come along.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from .. import clock
from ..config import settings

NAME = "erased.list"
_LINE = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) \S+")


def note(uid: str) -> None:
    """Put an account on the list, which is on the disk then. Raises OSError."""
    line = f"{uid} {clock.rfc3339(clock.now_ms())}\n".encode()
    # One short write at the end: processes that note at once do not mix their lines.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    file = os.open(settings().instance_path / NAME, flags, 0o600)
    try:
        os.write(file, line)
        os.fsync(file)
    finally:
        os.close(file)


def listed(path: Path) -> set[str]:
    """The accounts on a list; none where there is no such file. A half line, of a full disk, is
    passed over: the job that erases notes the account again until it can."""
    if not path.exists():
        return set()
    lines = path.read_text("ascii", "replace").splitlines()
    return {found[1] for found in map(_LINE.fullmatch, lines) if found}
