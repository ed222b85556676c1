"""The folder of an installation's backups: their names, what is there, and what may go."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from .. import clock
from .archive import BadArchive, Reader

FOLDER = "backups"
TRIAL = "verifying-"  # what folders begin with in which a backup is restored for trial
_NAME = re.compile(r"contactapp-[0-9]{8}T[0-9]{9}Z\.backup")
_UNFINISHED = ".unfinished"
_ABANDONED_MS = 86_400_000


def folder(instance: Path) -> Path:
    """Where they are; made with mode 0700."""
    found = instance / FOLDER
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def new_name() -> str:
    """A name that tells when, in an order that is that of time."""
    now = clock.now_ms()
    stamp = clock.rfc3339(now).replace("-", "").replace(":", "")[:-1]
    return f"contactapp-{stamp}{now % 1000:03}Z.backup"


def newest_first(instance: Path) -> list[Path]:
    """The backups that were made here."""
    found = [path for path in (instance / FOLDER).glob("*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name, reverse=True)


def age_seconds(instance: Path) -> float | None:
    """How old the newest is; None where there is none."""
    for path in newest_first(instance)[:1]:
        # By its name: a copy of the folder has other times.
        stamp = path.name.removeprefix("contactapp-").partition("Z")[0]
        made = datetime.strptime(stamp[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        return max(0.0, clock.now_ms() / 1000 - made.timestamp())
    return None


def prune(instance: Path, keep: int, made: Path | None = None) -> list[Path]:
    """Delete all but the newest so many, and what killed processes left; which. One that was just
    `made` stays, whatever a clock that was ahead has named others."""
    found = newest_first(instance)
    old = [path for path in found[keep:] if path != made]
    if made is None and old and not any(map(_is_whole, found[:keep])):  # spoilt by the disk
        spared = next((path for path in old if _is_whole(path)), None)
        old = [path for path in old if path != spared]
    old += _abandoned(instance)
    for path in old:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return old


def _is_whole(path: Path) -> bool:
    try:
        Reader(path).check()
    except (BadArchive, OSError):
        return False
    return True


def _abandoned(instance: Path) -> list[Path]:
    """What is so old that whoever made it was killed: backups, and copies for trial."""
    before = (clock.now_ms() - _ABANDONED_MS) / 1000
    left = (*(instance / FOLDER).glob(f"*{_UNFINISHED}"), *instance.glob(f"{TRIAL}*"))
    return [path for path in left if path.stat().st_mtime < before]


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that has its name only when it is whole and on the disk; else nothing is left of it.
    Raises FileExistsError, OSError."""
    if path.exists():
        raise FileExistsError(path)
    unfinished = path.with_name(f".{path.name}{_UNFINISHED}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Have what was named in a folder on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
