"""The change log, through which every write of a book goes, and what it tells later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import clock
from ..actor import Actor
from ..crypto import Cipher
from ..database import Sql, lane
from ..keyring import keyring
from ..paging import PAGE_BYTES, Page, Pager, kept_json
from .log import (
    ENTITIES,
    SHOWN,
    VERSIONS,
    ChangeLog,
    Entity,
    Op,
    changed_fields,
    create_stream,
    next_head,
    opened,
)
from .shown import shown

_ABOUT = ("actor_id", "request_id", "entity", "entity_id", "op", "version", "operation_id")
_EXPORTED_AT_ONCE = 50  # which may have 6 MiB
_EXPORTED = Sql(
    f"SELECT b.id, b.key_id, k.stream_id, k.seq, k.at, {', '.join(f'k.{n}' for n in _ABOUT)}, "  # noqa: S608
    "k.changed_fields, k.sealed FROM (SELECT id, key_id, stream_id FROM book WHERE owner_id = ? "
    "UNION ALL SELECT NULL, key_id, stream_id FROM users WHERE id = ?) b "
    "JOIN change k ON k.stream_id = b.stream_id "
    "WHERE (k.stream_id, k.seq) > (?, ?) ORDER BY k.stream_id, k.seq LIMIT ?"
)
_NEWEST = 2**62  # a seq after all
# The number of all versions beside each of the page's, and beside none: one state of the database.
# `found`: how many there would be if the page had room for them.
_HISTORY = Sql(
    "SELECT t.total, k.found, c.seq, c.version, c.op, c.at, c.actor_id, c.request_id, "  # noqa: S608
    "c.operation_id, c.sealed "
    f"FROM (SELECT count(*) AS total {VERSIONS}) t LEFT JOIN (SELECT p.seq, count(*) OVER () "
    "AS found, sum(p.size) OVER (ORDER BY p.seq DESC) - p.size AS above FROM ("
    f"SELECT seq, coalesce(length(sealed), 0) AS size {VERSIONS} AND +seq < ? "
    "ORDER BY +seq DESC LIMIT ? OFFSET ?) p) k ON k.above < ? "
    "LEFT JOIN change c ON c.stream_id = ? AND c.seq = k.seq ORDER BY k.seq DESC"
)


def history(actor: Actor, entity: Entity, entity_id: int, query: dict[str, Any]) -> Page:
    """The versions of an object of the actor's book that are kept, the newest first, each with its
    fields before and after; `query` is a parsed `schemas.HistoryQuery`. Empty where there is no
    such object. Raises BadRequest for a cursor that is not of this list."""
    pager = Pager(actor, f"history of {entity} {entity_id}", query)
    book = actor.book
    place = (book.stream_id, book.stream_id, entity, entity_id)
    part = (pager.after(_NEWEST), pager.rows, pager.skip)
    rows = lane().all(_HISTORY, (*place, *place, *part, PAGE_BYTES, book.stream_id))
    cipher, (total, count) = keyring().cipher(book.key_id), rows[0][:2]
    items = [_version(cipher, book.stream_id, entity, *row[2:]) for row in rows if count]
    return pager.page(items, total, more=len(items) < (count or 0))


def _version(
    cipher: Cipher,
    stream_id: int,
    entity: Entity,
    seq: int,
    version: int,
    op: Op,
    at: int,
    actor_id: int | None,
    request_id: str,
    operation_id: int | None,
    sealed: bytes | None,
) -> dict[str, Any]:
    texts = shown(entity, opened(cipher, stream_id, seq, sealed))
    return {
        "id": seq,
        "version": version,
        "op": SHOWN[op],
        "at": clock.rfc3339(at),
        "actor_id": actor_id,
        "request_id": request_id,
        "operation_id": operation_id,
        "changes": texts and kept_json(_field_by_field(texts["before"], texts["after"])),
    }


def _field_by_field(
    before: dict[str, Any] | None, after: dict[str, Any] | None
) -> dict[str, dict[str, Any]]:
    old, new = before or {}, after or {}
    return {
        name: {"before": old.get(name), "after": new.get(name)}
        for name in changed_fields(before, after)
    }


def export_changes(owner_id: int) -> Iterator[dict[str, Any]]:
    """Every change of the books that a user owns and, without a book, of their data, in their
    order; a few hundred at a time."""
    last = (0, 0)
    while rows := lane().all(_EXPORTED, (owner_id, owner_id, *last, _EXPORTED_AT_ONCE)):
        for book_id, key_id, stream_id, seq, at, *about, changed, sealed in rows:
            texts = opened(keyring().cipher(key_id), stream_id, seq, sealed)
            yield {
                "book_id": book_id,
                "seq": seq,
                "at": clock.rfc3339(at),
                **dict(zip(_ABOUT, about, strict=True)),
                "changed_fields": changed.split(),
                **(shown(about[2], texts) or {}),
            }
            last = (stream_id, seq)


__all__ = [
    "ENTITIES",
    "SHOWN",
    "ChangeLog",
    "Entity",
    "Op",
    "changed_fields",
    "create_stream",
    "export_changes",
    "history",
    "next_head",
    "opened",
]
