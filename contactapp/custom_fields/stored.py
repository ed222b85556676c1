"""Definitions at rest, each write in the running transaction and with its change. No definition is
asked for between the two (see `ViewCache.current`).

Definitions are known by their keys, which others may have afterwards. So a version is the number of
its change, and no tag fits another definition of that key.
"""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from ..actor import Actor
from ..books.service import definitions
from ..changes.service import ChangeLog
from ..crypto import Cipher
from ..database import Sql, lane
from ..errors import Forbidden, NotFound, PreconditionFailed
from .definition import MAX_DEFINITIONS, Definition, Meta

Versions = tuple[int, ...] | None

_STORE = Sql(
    "UPDATE custom_field SET sealed = ?, version = ?, updated_at = ?, updated_by = ?, "
    "deleted_at = ? WHERE book_id = ? AND id = ?"
)


def find(log: ChangeLog, key: str, versions: Versions) -> Definition:
    """A definition of the book under the stream's lock, at one of the expected versions. Raises
    NotFound or PreconditionFailed."""
    found = definitions(log.book).get(key)
    if found is None:
        raise NotFound()
    version = found.meta.version
    if versions is not None and version not in versions:
        detail = f"The definition is at version {version} now; read it and try again."
        raise PreconditionFailed(detail=detail, current_version=version)
    return found


def require_room(count: int) -> None:
    """Raise Forbidden where a book has so many definitions that there is no room for another."""
    if count >= MAX_DEFINITIONS:
        limit = MAX_DEFINITIONS
        problem = f"{count} of {limit} definitions are used."
        raise Forbidden("custom_field_limit_reached", problem, limit=limit, used=count)


def insert(log: ChangeLog, actor: Actor, fields: dict[str, Any]) -> Definition:
    """Add a definition. Raises InvalidFields, or Forbidden at the limit."""
    require_room(log.items)
    row: dict[str, Any] = {
        "uid": str(uuid.uuid4()),
        "book_id": log.book.id,
        "version": log.seq + 1,
        "created_at": log.now,
        "updated_at": log.now,
        "created_by": actor.user_id,
        "updated_by": actor.user_id,
    }
    definition = Definition.of(Meta(0, **row), fields)
    definition.check()
    field_id = lane().insert("custom_field", {**row, "sealed": _sealed(log.cipher, definition)})
    log.items += 1
    version = definition.meta.version
    log.append("custom_field", field_id, "create", version, None, definition.told())
    return definition._replace(meta=Meta(field_id, **row))


def update(log: ChangeLog, actor: Actor, found: Definition, changed: Definition) -> Definition:
    """Store a definition that was changed."""
    changed = _moved(log, actor, changed)
    _store(log, changed, None)
    told = (found.told(), changed.told())
    log.append("custom_field", found.id, "update", changed.meta.version, *told)
    return changed


def delete(log: ChangeLog, actor: Actor, found: Definition) -> None:
    """Delete a definition; its row stays as long as that can be undone."""
    gone = _moved(log, actor, found)
    _store(log, gone, log.now)
    log.items -= 1
    log.append("custom_field", found.id, "delete", gone.meta.version, found.told(), None)


def restore(log: ChangeLog, actor: Actor, deleted: Definition) -> None:
    """Take a definition back that was deleted. Raises Forbidden at the limit."""
    require_room(log.items)
    back = _moved(log, actor, deleted)
    _store(log, back, None)
    log.items += 1
    log.append("custom_field", back.id, "restore", back.meta.version, None, back.told())


def _moved(log: ChangeLog, actor: Actor, definition: Definition) -> Definition:
    meta = definition.meta
    meta = meta._replace(version=log.seq + 1, updated_at=log.now, updated_by=actor.user_id)
    return definition._replace(meta=meta)


def _store(log: ChangeLog, definition: Definition, deleted_at: int | None) -> None:
    meta = definition.meta
    row = (meta.version, meta.updated_at, meta.updated_by, deleted_at, meta.book_id, meta.id)
    lane().run(_STORE, (_sealed(log.cipher, definition), *row))


def _sealed(cipher: Cipher, definition: Definition) -> bytes:
    return cipher.seal(orjson.dumps(definition.told()), *place(definition.meta))


def opened(cipher: Cipher, meta: Meta, sealed: bytes) -> Definition:
    """The definition of a row."""
    return Definition.opened(meta, cipher.open(sealed, *place(meta)))


def place(meta: Meta) -> tuple[object, ...]:
    """Where a definition belongs: what is sealed for one does not open for another."""
    return ("custom_field", "sealed", meta.book_id, meta.uid)
