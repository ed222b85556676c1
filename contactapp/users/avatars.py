"""Avatars: files under unguessable names in the instance folder, named by a column of the user.

Files are written before the row names them and removed after it names others, so what a row names
is always there; what a crash leaves over, a job sweeps.
"""

from __future__ import annotations

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
from ..errors import InvalidFields

FOLDER = "avatars"
SIZES = (64, 256, 512)  # pixels, squares
COLOURS = ("#7c3aed", "#2563eb", "#0f766e", "#15803d", "#a16207", "#b91c1c", "#be185d", "#475569")
ORPHAN_SECONDS = 3600  # a file this old that no row names belongs to nobody
_FILE = re.compile(r"([A-Za-z0-9_-]{43})-(64|256|512)\.webp")

_AVATAR = "SELECT avatar FROM users WHERE id = ?"
_LOCKED = Sql(_AVATAR, postgresql=f"{_AVATAR} FOR UPDATE")
_STORE = Sql("UPDATE users SET avatar = ?, version = version + 1, updated_at = ? WHERE id = ?")
_NAMED = Sql("SELECT 1 FROM users WHERE avatar = ?")


def places() -> Bounded:
    """The places of this process for redrawing pictures, each up to 100 MB for a moment."""
    return current_app.extensions["contactapp.pictures"]


def new_places(settings: Settings) -> Bounded:
    """One at a time, and one thread is left to everybody else."""
    return Bounded(1, 10.0, max(1, settings.threads - 2))


def set_avatar(actor: Actor, data: bytes) -> None:
    """Make the picture in a JPEG, PNG or WebP file the actor's. Raises InvalidFields, Busy."""
    from . import pictures  # Pillow takes 8 MiB, which only who draws need have

    try:
        judged = pictures.judge(data)
        with places().place():
            made = pictures.squares(judged, SIZES)
    except pictures.Refused as error:
        raise InvalidFields.one("/file", error.code, error.message) from None
    name = secrets.token_urlsafe(32)
    folder = avatar_folder(settings())
    for size, content in made.items():
        _write(folder / f"{name}-{size}.webp", content)
    try:
        old = _store(actor, name)
    except BaseException:
        remove_files(name)
        raise
    remove_files(old)


def remove_avatar(actor: Actor) -> None:
    """Go back to the initials."""
    remove_files(_store(actor, None))


@write_transaction
def _store(actor: Actor, name: str | None) -> str | None:
    [old] = lane().one(_LOCKED, (actor.user_id,))
    if old is None and name is None:
        return None
    lane().run(_STORE, (name, clock.now_ms(), actor.user_id))
    details = {"picture": "set" if name else "removed"}
    audit.record("avatar_changed", actor.user_id, actor.key_id, actor.request_id, details)
    return old


def urls(name: str | None, user_id: int, profile: dict[str, Any]) -> dict[str, Any]:
    """The members of a user that say where the picture is, one's own or the initials."""
    base = settings().base_url
    if name is None:
        colour = user_id % len(COLOURS)
        found = dict.fromkeys(
            SIZES, f"{base}/media/initials/{quote(initials(profile))}-{colour}.svg"
        )
    else:
        found = {size: f"{base}/media/{name}-{size}.webp" for size in SIZES}
    return {"avatar_url": found[256], "avatar_urls": {str(k): url for k, url in found.items()}}


def initials(profile: dict[str, Any]) -> str:
    """One or two letters for somebody without a picture."""
    name = profile.get("full_name") or profile.get("username") or profile["email"].partition("@")[0]
    words = [word for word in re.split(r"[\W_]+", unicodedata.normalize("NFC", name)) if word]
    letters = [words[0][0], words[-1][0]] if len(words) > 1 else [word[0] for word in words]
    return "".join(letters).upper()[:2] or "?"


def avatar_folder(settings: Settings) -> Path:
    """Where the files are; made with mode 0700."""
    folder = settings.instance_path / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def find_file(file_name: str) -> Path | None:
    """The file of a public path's last part, if there is one."""
    if not _FILE.fullmatch(file_name):
        return None
    path = settings().instance_path / FOLDER / file_name
    return path if path.is_file() else None


def files(name: str | None) -> list[Path]:
    """A picture's files."""
    folder = avatar_folder(settings())
    paths = [folder / f"{name}-{size}.webp" for size in SIZES]
    return [path for path in paths if path.exists()]


def remove_files(name: str | None) -> None:
    """Remove a picture's files, where they are."""
    for path in files(name):
        path.unlink(missing_ok=True)


def sweep() -> int:
    """Remove files that no row names and that nobody is about to name; how many."""
    before, swept = time.time() - ORPHAN_SECONDS, 0
    for path in avatar_folder(settings()).iterdir():
        parts = _FILE.fullmatch(path.name)
        with suppress(FileNotFoundError):
            if path.stat().st_mtime > before:
                continue
            if parts is None or lane().one(_NAMED, (parts[1],)) is None:
                path.unlink()
                swept += 1
    return swept


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
