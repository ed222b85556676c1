"""What a client wants an entry to be at before it changes it."""

from __future__ import annotations

from typing import Any

import orjson

from ..actor import Actor
from ..answers import Precondition
from ..changes.conflicts import Mine, Present, stale
from ..changes.service import ChangeLog
from ..clock import rfc3339
from ..errors import PreconditionFailed
from .entry import Entry


def require(
    log: ChangeLog,
    actor: Actor,
    found: Entry | None,
    wanted: Precondition,
    mine: Mine | None = None,
) -> None:
    """Raise PreconditionFailed, which tells of what `mine` would have changed, where what is wanted
    does not hold of the entry under the lock."""
    try:
        wanted.check(found.meta.version if found else None)
    except PreconditionFailed:
        if found is None or wanted.versions is None:
            raise
        meta, fields = found.meta, fields_of(found.text, found.meta.expires_at)
        present = Present(meta.id, meta.version, actor.user_id, meta.updated_at, fields)
        raise stale(log, "data", present, wanted.versions, mine, ("key",)) from None


def fields_of(text: bytes, expires_at: int | None) -> dict[str, Any]:
    """What can change of an entry, as the change log tells it."""
    return {"value": orjson.loads(text), "expires_at": expires_at and rfc3339(expires_at)}
