"""A backup that somebody wants to use: opened with the master keys, and all of it looked at before
anything else is touched."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .. import startup
from ..config import Settings
from ..crypto import SealError
from ..keyring import WrongMasterKey, ciphers_of, unwrapped
from .archive import BadArchive, Frame, Reader

# Nothing else gets near SQL or a path, whoever made the backup.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PICTURE = re.compile(r"(?:avatars|photos)/[A-Za-z0-9_-]{43}-(?:64|256|512)\.webp")


class Source(NamedTuple):
    """A backup and the key of its frames."""

    reader: Reader
    key: bytes

    @property
    def header(self) -> dict[str, Any]:
        """What it says about itself."""
        return self.reader.header

    def frames(self) -> Iterator[Frame]:
        """All that is in it, checked as it comes by. Raises BadArchive."""
        rows: Counter[str] = Counter()
        pictures = 0
        for frame in self.reader.frames(self.key):
            kind = frame.head["kind"]
            if kind == "rows":
                _check_names([frame.head["table"], *(name for name, _ in frame.head["columns"])])
                rows[frame.head["table"]] += len(frame.head["rows"])
            elif kind == "file":
                _check_picture(frame)
                pictures += 1
            else:
                told = {name: about["rows"] for name, about in frame.head["tables"].items()}
                if +Counter(told) != rows or frame.head["pictures"]["count"] != pictures:
                    raise BadArchive("it holds other rows or pictures than its manifest says.")
                for name, about in frame.head["tables"].items():
                    _check_names([name, *about["key"], *(column for column, _ in about["columns"])])
            yield frame

    def missing_peppers(self, settings: Settings) -> list[str]:
        """The peppers that passwords in it were hashed with and that are not in the settings."""
        return sorted({*self.header["peppers"]} - {p.id for p in settings.password_peppers})


def open_source(settings: Settings, path: Path, progress: Callable[[int], object]) -> Source:
    """Open a backup and look at all of it. Raises BadArchive."""
    reader = Reader(path)
    reader.check(progress)
    source = Source(reader, key_of(reader, settings))
    revision = source.header["revision"]
    if revision not in startup.revisions()[1]:
        raise BadArchive(
            f"{path} has the schema {revision}, which is newer than this contactapp: upgrade it, "
            "then try again."
        )
    for _ in source.frames():
        pass
    return source


def key_of(reader: Reader, settings: Settings) -> bytes:
    """The key of a backup's frames. Raises BadArchive where a master key is missing or wrong."""
    ids = [master.id for master in settings.master_keys]
    missing = [name for name in reader.header["master_keys"] if name not in ids]
    if missing:
        raise BadArchive(
            f"{reader.path} needs the master key {' and '.join(missing)}, which is not in "
            "CONTACTAPP_MASTER_KEYS: put it there, behind the others, then try again."
        )
    masters = ciphers_of(settings.master_keys)
    try:
        keys = [unwrapped(masters, uid, bytes.fromhex(w)) for uid, w in reader.header["wrapped"]]
    except (WrongMasterKey, SealError):
        raise BadArchive(
            f"{reader.path} was made with another master key of the name "
            f"{' or '.join(reader.header['master_keys'])} than CONTACTAPP_MASTER_KEYS holds: put "
            "that one there, then try again."
        ) from None
    return keys[0]


def _check_names(names: list[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise BadArchive("it names a table or column that cannot be ours.")


def _check_picture(frame: Frame) -> None:
    if not _PICTURE.fullmatch(frame.head["name"]):
        raise BadArchive("it names a file that is no picture's: it was not made by contactapp.")
    if hashlib.sha256(frame.body).hexdigest() != frame.head["sha256"]:
        raise BadArchive(f"the picture {frame.head['name']} is not what was put into it.")
