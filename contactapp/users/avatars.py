"""Avatars: files under unguessable names in the instance folder, which a column of the user leads
to.

Files are written before the row names them and removed after it names others, so what a row names
is always there; what a crash leaves over, a job sweeps.
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
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import current_app

from .. import clock
from ..actor import Actor
from ..audit import service as audit
from ..bounded import Bounded
from ..config import Settings, settings
from ..database import Sql, lane, write_transaction
from ..errors import InsufficientStorage, InvalidFields
from ..keyring import keyring

FOLDER = "avatars"
FORMATS = ("JPEG", "PNG", "WEBP")
SIZES = (64, 256, 512)  # pixels, squares
COLOURS = ("#7c3aed", "#2563eb", "#0f766e", "#15803d", "#a16207", "#b91c1c", "#be185d", "#475569")
ORPHAN_SECONDS = 3600  # a file this old that no row names belongs to nobody
_FILE = re.compile(r"([A-Za-z0-9_-]{43})-(64|256|512)\.webp")

_AVATAR = "SELECT avatar FROM users WHERE id = ?"
_READ = Sql(_AVATAR)
_LOCKED = Sql(_AVATAR, postgresql=f"{_AVATAR} FOR UPDATE")
_STORE = Sql("UPDATE users SET avatar = ?, version = version + 1, updated_at = ? WHERE id = ?")
_NAMED = Sql("SELECT avatar FROM users WHERE avatar IS NOT NULL")


def places() -> Bounded:
    """The places of this process for redrawing pictures, each up to 100 MB for a moment."""
    return current_app.extensions["contactapp.pictures"]


def new_places(settings: Settings) -> Bounded:
    """One at a time, and one thread is left to everybody else."""
    return Bounded(1, 10.0, max(1, settings.threads - 2))


def set_avatar(actor: Actor, data: bytes, formats: tuple[str, ...] = FORMATS) -> None:
    """Make the picture in a file of one of the formats the actor's. Raises InvalidFields, Busy."""
    from . import pictures  # Pillow takes 8 MiB, which only who draws need have

    try:
        judged = pictures.judge(data, formats)
        with places().place():
            made = pictures.squares(judged, SIZES)
    except pictures.Refused as error:
        raise InvalidFields.one("/file", error.code, error.message) from None
    token = secrets.token_urlsafe(32)
    try:
        _write_all(public_name(token), made)
        old = _store(actor, token)
    except BaseException:
        remove_files(token)
        raise
    remove_files(old)


def _write_all(name: str, made: dict[int, bytes]) -> None:
    folder = _folder()
    try:
        for size, content in made.items():
            _write(folder / f"{name}-{size}.webp", content)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise InsufficientStorage(30) from None
        raise


def remove_avatar(actor: Actor) -> None:
    """Go back to the initials."""
    remove_files(_store(actor, None))


@write_transaction
def _store(actor: Actor, token: str | None) -> str | None:
    """Name another picture, or none; the token of the one before."""
    [old] = lane().one(_LOCKED, (actor.user_id,))
    if old is None and token is None:
        return None
    lane().run(_STORE, (token, clock.now_ms(), actor.user_id))
    details = {"picture": "set" if token else "removed"}
    audit.record("avatar_changed", actor.user_id, actor.key_id, actor.request_id, details)
    return old


def urls(token: str | None, user_id: int, profile: dict[str, Any]) -> dict[str, Any]:
    """The members of a user that say where the picture is, one's own or the initials."""
    base = settings().base_url
    if token is None:
        colour = user_id % len(COLOURS)
        found = dict.fromkeys(
            SIZES, f"{base}/media/initials/{quote(initials(profile))}-{colour}.svg"
        )
    else:
        name = public_name(token)
        found = {size: f"{base}/media/{name}-{size}.webp" for size in SIZES}
    return {"avatar_url": found[256], "avatar_urls": {str(k): url for k, url in found.items()}}


def initials(profile: dict[str, Any]) -> str:
    """One or two letters for somebody without a picture."""
    name = profile.get("full_name") or profile.get("username") or profile["email"].partition("@")[0]
    words = [word for word in re.split(r"[\W_]+", unicodedata.normalize("NFC", name)) if word]
    letters = [words[0][0], words[-1][0]] if len(words) > 1 else [word[0] for word in words]
    return "".join(letters).upper()[:2] or "?"


def token_of(user_id: int) -> str | None:
    """Which picture an account's row names."""
    [token] = lane().one(_READ, (user_id,))
    return token


def _folder() -> Path:
    """Where the files are; made with mode 0700."""
    folder = settings().instance_path / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def read_file(file_name: str) -> bytes | None:
    """What is at a public path's last part, if anything is."""
    if not _FILE.fullmatch(file_name):
        return None
    with suppress(FileNotFoundError):
        return (settings().instance_path / FOLDER / file_name).read_bytes()
    return None


def files(token: str | None) -> list[Path]:
    """The files of the picture that a row names."""
    if token is None:
        return []
    folder, name = _folder(), public_name(token)
    paths = [folder / f"{name}-{size}.webp" for size in SIZES]
    return [path for path in paths if path.exists()]


def public_name(token: str) -> str:
    """What the files of a row's picture are called, and their public address: keyed, so that a dump
    of the database opens no picture on the running server."""
    digest = hmac.digest(keyring().purpose("media"), token.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def remove_files(token: str | None) -> None:
    """Remove the files of the picture that a row named, where they are."""
    for path in files(token):
        path.unlink(missing_ok=True)


def sweep() -> int:
    """Remove files that no row names and that nobody is about to name; how many."""
    before, swept = time.time() - ORPHAN_SECONDS, 0
    old = [path for path in _folder().iterdir() if _modified(path) <= before]
    # Read after the files were listed, and once: a query for each file would take hours.
    named = {public_name(token) for (token,) in lane().all(_NAMED)}
    for path in old:
        parts = _FILE.fullmatch(path.name)
        if parts is None or parts[1] not in named:
            path.unlink(missing_ok=True)
            swept += 1
    return swept


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
