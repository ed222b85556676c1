"""Uploaded pictures: redrawn, and kept as files under unguessable names in the instance folder.

Files are written before anything names them and removed after nothing does, so what is named is
always there; what a crash leaves over, a job sweeps.
"""

from __future__ import annotations

import base64
import errno
import hmac
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from flask import Flask, current_app

from ..bounded import Bounded
from ..config import Settings, settings
from ..errors import InsufficientStorage, InvalidFields
from ..instance_lock import PICTURES, unless_held
from ..keyring import keyring

FORMATS = ("JPEG", "PNG", "WEBP")
SIZES = (64, 256, 512)  # pixels, squares
SHOWN = 256  # where one address is given and not all
ORPHAN_SECONDS = 3600  # a file this old that nothing names belongs to nobody
_FILE = re.compile(r"([A-Za-z0-9_-]{43})-(64|256|512)\.webp")


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its places for redrawing: one at a time, each up to 100 MB for a moment,
    and one thread is left to everybody else."""
    app.extensions["contactapp.pictures"] = Bounded(1, 10.0, max(1, settings.working_threads - 2))


def places() -> Bounded:
    """The places of this process for redrawing pictures."""
    return current_app.extensions["contactapp.pictures"]


class Album(NamedTuple):
    """Pictures of one kind: their folder in the instance, and the public path of its files. A token
    names one of them; it is a secret of whoever may change the picture."""

    folder: str
    path: str

    @contextmanager
    def drawn(self, data: bytes, formats: tuple[str, ...] = FORMATS) -> Iterator[str]:
        """Redraw the picture of a file of one of the formats; its token, to be stored meanwhile.
        Its files are removed again where that fails. Raises InvalidFields, Busy."""
        with self.written(redrawn(data, formats)) as token:
            yield token

    @contextmanager
    def written(self, made: dict[int, bytes]) -> Iterator[str]:
        """The same of what was redrawn before."""
        token = secrets.token_urlsafe(32)
        try:
            self._write_all(token, made)
            yield token
        except BaseException:
            self.remove(token)
            raise

    def urls(self, token: str) -> dict[int, str]:
        """A picture's public addresses by size."""
        start = f"{settings().base_url}{self.path}/{public_name(token)}"
        return {size: f"{start}-{size}.webp" for size in SIZES}

    def url(self, token: str | None) -> str | None:
        """The address for where there is one size alone, if there is a picture."""
        if token is None:
            return None
        return f"{settings().base_url}{self.path}/{public_name(token)}-{SHOWN}.webp"

    def read(self, file_name: str) -> bytes | None:
        """What is at a public path's last part, if anything is."""
        if not _FILE.fullmatch(file_name):
            return None
        with suppress(FileNotFoundError):
            return (settings().instance_path / self.folder / file_name).read_bytes()
        return None

    def files(self, token: str | None) -> list[Path]:
        """The files of a picture."""
        if token is None:
            return []
        folder, name = self._folder(), public_name(token)
        paths = [folder / f"{name}-{size}.webp" for size in SIZES]
        return [path for path in paths if path.exists()]

    def largest(self, token: str | None) -> bytes | None:
        """The largest file of a picture, if it is there."""
        for path in self.files(token)[-1:]:
            with suppress(FileNotFoundError):  # it was removed just now
                return path.read_bytes()
        return None

    def remove(self, token: str | None) -> None:
        """Remove a picture's files, where they are. While a backup is made, whose rows may name
        them still, that is left to the next sweep."""
        with unless_held(settings().instance_path, PICTURES) as may:
            for path in self.files(token) if may else ():
                path.unlink(missing_ok=True)

    def sweep(self, named: Callable[[], Iterable[str]]) -> int:
        """Remove files whose tokens are not named and that nobody is about to name; how many."""
        with unless_held(settings().instance_path, PICTURES) as may:
            return self._sweep(named) if may else 0

    def _sweep(self, named: Callable[[], Iterable[str]]) -> int:
        before, swept = time.time() - ORPHAN_SECONDS, 0
        old = [path for path in self._folder().iterdir() if _modified(path) <= before]
        # Read after the files were listed, and once: a query for each file would take hours.
        kept = {public_name(token) for token in named()}
        for path in old:
            parts = _FILE.fullmatch(path.name)
            if parts is None or parts[1] not in kept:
                path.unlink(missing_ok=True)
                swept += 1
        return swept

    def _folder(self) -> Path:
        """Where the files are; made with mode 0700."""
        folder = settings().instance_path / self.folder
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _write_all(self, token: str, made: dict[int, bytes]) -> None:
        folder, name = self._folder(), public_name(token)
        try:
            for size, content in made.items():
                _write(folder / f"{name}-{size}.webp", content)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
                raise InsufficientStorage(30) from None
            raise


AVATARS = Album("avatars", "/media")
PHOTOS = Album("photos", "/media/photos")


def public_name(token: str) -> str:
    """What the files of a picture are called, and their public address: keyed, so that a dump of
    the database opens no picture on the running server."""
    digest = hmac.digest(keyring().purpose("media"), token.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def redrawn(data: bytes, formats: tuple[str, ...] = FORMATS) -> dict[int, bytes]:
    """The squares of a file of one of the formats by their size: of the same file always the same
    bytes. Raises InvalidFields, Busy."""
    from . import drawing  # Pillow takes 8 MiB, which only who draws need have

    try:
        judged = drawing.judge(data, formats)
        with places().place():
            made = drawing.squares(judged, SIZES)
            if drawing.is_drawn(data, SIZES[-1]):
                made[SIZES[-1]] = data
            return made
    except drawing.Refused as error:
        raise InvalidFields.one("/file", error.code, error.message) from None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, also when the power fails."""
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
