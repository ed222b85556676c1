"""How the trail shows a row of either kind."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import orjson

from .. import clock
from ..changes.service import shown
from ..crypto import SealError
from ..keyring import keyring
from .kinds import BY_ANYBODY, kind_of
from .service import opened

log = logging.getLogger("contactapp")

EVENT_COLUMNS = (
    "e.id, e.uid, e.at, e.kind, e.user_id, e.actor_id, e.request_id, e.count, e.sealed, u.key_id"
)
CHANGE_COLUMNS = (
    "k.seq, k.at, k.actor_id, k.request_id, k.entity, k.entity_id, k.op, k.version, "
    "k.changed_fields, k.sealed"
)


def shown_event(
    id_: int,
    uid: str,
    at: int,
    kind: str,
    user_id: int | None,
    actor_id: int | None,
    request_id: str,
    count: int,
    sealed: bytes | None,
    key_id: int | None,
) -> dict[str, Any]:
    """An event (schema Event), from EVENT_COLUMNS."""
    try:
        details = opened(sealed, key_id, user_id, uid)
    except SealError:
        log.warning("the details of audit event %d do not open", id_)
        details = {}
    if actor_id is None and kind not in BY_ANYBODY:
        actor_id = user_id
    return {
        "id": id_,
        "source": "account",
        "at": clock.rfc3339(at),
        "kind": kind,
        "user_id": user_id,
        "actor_id": actor_id,
        "request_id": request_id,
        "count": count,
        "book_id": None,
        "entity": None,
        "entity_id": None,
        "op": None,
        "version": None,
        "changed_fields": None,
        "details": details,
    }


def _told(entity: str, texts: bytes) -> orjson.Fragment:
    """The JSON of `before` and `after`, read only where it must be."""
    if entity == "contact" and (b'"photo"' in texts or b'"vcard"' in texts):
        texts = orjson.dumps(shown(entity, orjson.loads(texts)))
    return orjson.Fragment(texts)


class BookChanges(NamedTuple):
    """How the changes of a book are shown, or without one those of its owner's data."""

    owner_id: int
    book_id: int | None
    stream_id: int
    key_id: int
    floor: int

    def shown(
        self,
        seq: int,
        at: int,
        actor_id: int | None,
        request_id: str,
        entity: str,
        entity_id: int,
        op: str,
        version: int,
        changed: str,
        sealed: bytes | None,
    ) -> dict[str, Any]:
        """A change (schema Event), from CHANGE_COLUMNS."""
        place = ("change", "sealed", self.stream_id, seq)
        details: Any = {}
        if sealed is not None:
            try:
                details = _told(entity, keyring().cipher(self.key_id).open(sealed, *place))
            except SealError:
                log.warning("change %d of stream %d does not open", seq, self.stream_id)
        return {
            "id": seq,
            "source": "data" if self.book_id is None else "book",
            "at": clock.rfc3339(at),
            "kind": kind_of(entity, op),
            "user_id": self.owner_id,
            "actor_id": actor_id,
            "request_id": request_id,
            "count": 1,
            "book_id": self.book_id,
            "entity": entity,
            "entity_id": entity_id,
            "op": op,
            "version": version,
            "changed_fields": changed.split(),
            "details": details,
        }
