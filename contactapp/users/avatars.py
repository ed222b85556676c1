"""Avatars: pictures that a column of the user names, and initials where there is none."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import quote

from .. import clock
from ..actor import Actor
from ..audit import service as audit
from ..config import settings
from ..database import Sql, lane, write_transaction
from ..pictures.service import AVATARS, FORMATS, SHOWN, SIZES

COLOURS = ("#7c3aed", "#2563eb", "#0f766e", "#15803d", "#a16207", "#b91c1c", "#be185d", "#475569")

_AVATAR = "SELECT avatar FROM users WHERE id = ?"
_READ = Sql(_AVATAR)
_LOCKED = Sql(_AVATAR, postgresql=f"{_AVATAR} FOR UPDATE")
_STORE = Sql("UPDATE users SET avatar = ?, version = version + 1, updated_at = ? WHERE id = ?")
_NAMED = Sql("SELECT avatar FROM users WHERE avatar IS NOT NULL")


def set_avatar(actor: Actor, data: bytes, formats: tuple[str, ...] = FORMATS) -> None:
    """Make the picture in a file of one of the formats the actor's. Raises InvalidFields, Busy."""
    with AVATARS.drawn(data, formats) as token:
        old = _store(actor, token)
    AVATARS.remove(old)


def remove_avatar(actor: Actor) -> None:
    """Go back to the initials."""
    AVATARS.remove(_store(actor, None))


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
    if token is None:
        drawn = f"{quote(initials(profile))}-{user_id % len(COLOURS)}"
        found = dict.fromkeys(SIZES, f"{settings().base_url}/media/initials/{drawn}.svg")
    else:
        found = AVATARS.urls(token)
    return {"avatar_url": found[SHOWN], "avatar_urls": {str(k): url for k, url in found.items()}}


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


def sweep() -> int:
    """Remove files that no row names; how many."""
    return AVATARS.sweep(lambda: (token for (token,) in lane().all(_NAMED)))
