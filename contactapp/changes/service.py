"""Writing the change log, through which every write of a book goes, and what it tells later."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from time import perf_counter
from typing import Any, Literal, get_args

import orjson

from .. import clock, metrics
from ..actor import Actor, Book
from ..crypto import Cipher
from ..database import Sql, lane
from ..errors import Forbidden, InvalidFields, NotFound
from ..keyring import keyring
from ..paging import PAGE_BYTES, Page, Pager, kept_json
from .models import GENESIS

Entity = Literal["contact", "note", "data"]
Op = Literal["create", "update", "delete", "process"]
ENTITIES: tuple[Entity, ...] = get_args(Entity)
SHOWN: dict[Op, str] = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "process": "processed",
}

_LOCK = Sql(
    "SELECT seq, head, items, size FROM stream WHERE id = ?",
    postgresql="SELECT seq, head, items, size FROM stream WHERE id = ? FOR UPDATE",
)
_ADVANCE = Sql("UPDATE stream SET seq = ?, head = ?, items = ?, size = ? WHERE id = ?")


_ABOUT = ("actor_id", "request_id", "entity", "entity_id", "op", "version")
_EXPORTED_AT_ONCE = 50  # which may have 6 MiB
_EXPORTED = Sql(
    f"SELECT b.id, b.key_id, k.stream_id, k.seq, k.at, {', '.join(f'k.{n}' for n in _ABOUT)}, "  # noqa: S608
    "k.changed_fields, k.sealed FROM (SELECT id, key_id, stream_id FROM book WHERE owner_id = ? "
    "UNION ALL SELECT NULL, key_id, stream_id FROM users WHERE id = ?) b "
    "JOIN change k ON k.stream_id = b.stream_id "
    "WHERE (k.stream_id, k.seq) > (?, ?) ORDER BY k.stream_id, k.seq LIMIT ?"
)
# Of one object, above the floor: what is not, goes or is empty, and no chain vouches for it. What a
# job adds to a version ("process") is no version of its own.
# `+seq` keeps SQLite from walking through the whole stream.
_VERSIONS = (
    "FROM change WHERE stream_id = ? AND +seq > (SELECT floor FROM stream WHERE id = ?) "
    "AND entity = ? AND entity_id = ? AND op <> 'process'"
)
_NEWEST = 2**62  # a seq after all
# The number of all versions beside each of the page's, and beside none: one state of the database.
# `found`: how many there would be if the page had room for them.
_HISTORY = Sql(
    "SELECT t.total, k.found, c.seq, c.version, c.op, c.at, c.actor_id, c.request_id, c.sealed "  # noqa: S608
    f"FROM (SELECT count(*) AS total {_VERSIONS}) t LEFT JOIN (SELECT p.seq, count(*) OVER () "
    "AS found, sum(p.size) OVER (ORDER BY p.seq DESC) - p.size AS above FROM ("
    f"SELECT seq, coalesce(length(sealed), 0) AS size {_VERSIONS} AND +seq < ? "
    "ORDER BY +seq DESC LIMIT ? OFFSET ?) p) k ON k.above < ? "
    "LEFT JOIN change c ON c.stream_id = ? AND c.seq = k.seq ORDER BY k.seq DESC"
)
_STATE_AT = Sql(f"SELECT seq, sealed {_VERSIONS} AND version = ?")


class ChangeLog:
    """One write's hold on a book's stream: taken first, held to the commit.

    The lock makes seq order the commit order without gaps, limits exact and If-Match true. `now`
    is the write's time in milliseconds, `cipher` seals and opens the book's rows. What is put into
    `items` and `size`, which a user's data are charged by, is stored with the next change.
    Raises Forbidden where the actor may only read the book, before anything is locked; NotFound
    where it is gone.
    """

    def __init__(self, actor: Actor, book: Book) -> None:
        if not book.writable:
            raise Forbidden("read_only_book")
        self._actor = actor
        self._book = book
        self.cipher: Cipher = keyring().cipher(book.key_id)
        self._chain = keyring().purpose("chain")
        self.now = clock.now_ms()
        began = perf_counter()
        state = lane().one(_LOCK, (book.stream_id,))
        metrics.count_wait("stream", perf_counter() - began)
        if state is None:  # the book was erased since the actor was let in
            raise NotFound()
        self.seq, self._head, self.items, self.size = state

    def append(
        self,
        entity: Entity,
        entity_id: int,
        op: Op,
        version: int,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        *,
        by_nobody: bool = False,
    ) -> None:
        """Add the row of one touched entity and advance the stream. `by_nobody`: the actor's write
        only came upon what had ended by itself."""
        self.seq += 1
        fields = changed_fields(before, after)
        sealed = self.cipher.seal(
            orjson.dumps({"before": before, "after": after}),
            *("change", "sealed", self._book.stream_id, self.seq),
        )
        row = {
            "stream_id": self._book.stream_id,
            "seq": self.seq,
            "at": self.now,
            "actor_id": 0 if by_nobody else self._actor.user_id,
            "token_id": None if by_nobody else self._actor.token_id,
            "request_id": self._actor.request_id,
            "operation_id": None,
            "entity": entity,
            "entity_id": entity_id,
            "op": op,
            "version": version,
            "changed_fields": " ".join(fields),
            "sealed_hash": hashlib.sha256(sealed).digest(),
        }
        self._head = next_head(self._chain, self._head, row)
        lane().insert("change", {**row, "sealed": sealed, "head": self._head}, returning="")
        state = (self.seq, self._head, self.items, self.size)
        lane().run(_ADVANCE, (*state, self._book.stream_id))

    def state_at(self, entity: Entity, entity_id: int, version: int) -> dict[str, Any]:
        """The fields that an object of this book had at a version. Raises InvalidFields where it
        had no such version, lay in the trash, or the version is no longer kept."""
        state = self.kept_state(entity, entity_id, version)
        if state is None:
            problem = f"There is no version {version} to go back to, or it is no longer kept."
            raise InvalidFields.one("/version", "unknown_version", problem)
        return state

    def kept_state(self, entity: Entity, entity_id: int, version: int) -> dict[str, Any] | None:
        """The same; None where it cannot be told."""
        stream_id = self._book.stream_id
        row = lane().one(_STATE_AT, (stream_id, stream_id, entity, entity_id, version))
        texts = opened(self.cipher, stream_id, *row) if row else None
        return texts and texts["after"]


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
    items = [_version(cipher, book.stream_id, *row[2:]) for row in rows if count]
    return pager.page(items, total, more=len(items) < (count or 0))


def _version(
    cipher: Cipher,
    stream_id: int,
    seq: int,
    version: int,
    op: Op,
    at: int,
    actor_id: int | None,
    request_id: str,
    sealed: bytes | None,
) -> dict[str, Any]:
    texts = opened(cipher, stream_id, seq, sealed)
    return {
        "id": seq,
        "version": version,
        "op": SHOWN[op],
        "at": clock.rfc3339(at),
        "actor_id": actor_id,
        "request_id": request_id,
        "changes": texts and kept_json(_field_by_field(**texts)),
    }


def _field_by_field(
    before: dict[str, Any] | None, after: dict[str, Any] | None
) -> dict[str, dict[str, Any]]:
    old, new = before or {}, after or {}
    return {
        name: {"before": old.get(name), "after": new.get(name)}
        for name in changed_fields(before, after)
    }


def opened(
    cipher: Cipher, stream_id: int, seq: int, sealed: bytes | None
) -> dict[str, dict[str, Any] | None] | None:
    """The `before` and `after` of a change; None where they were erased."""
    if sealed is None:
        return None
    return orjson.loads(cipher.open(sealed, "change", "sealed", stream_id, seq))


def export_changes(owner_id: int) -> Iterator[dict[str, Any]]:
    """Every change of the books that a user owns and, without a book, of their data, in their
    order; a few hundred at a time."""
    last = (0, 0)
    while rows := lane().all(_EXPORTED, (owner_id, owner_id, *last, _EXPORTED_AT_ONCE)):
        for book_id, key_id, stream_id, seq, at, *about, changed, sealed in rows:
            texts = opened(keyring().cipher(key_id), stream_id, seq, sealed) or {}
            yield {
                "book_id": book_id,
                "seq": seq,
                "at": clock.rfc3339(at),
                **dict(zip(_ABOUT, about, strict=True)),
                "changed_fields": changed.split(),
                **texts,
            }
            last = (stream_id, seq)


def next_head(chain_key: bytes, previous: bytes, row: dict[str, Any]) -> bytes:
    """HMAC-SHA256 over the previous head and every column of the row but `sealed` and `head`."""
    content = {name: value for name, value in row.items() if name not in {"sealed", "head"}}
    content["sealed_hash"] = row["sealed_hash"].hex()
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hmac.digest(chain_key, previous + text, hashlib.sha256)


def changed_fields(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[str]:
    """The names of the top-level fields that differ, sorted. Custom fields count as one, because
    their keys are the user's own words and this column is not sealed."""
    if before is None or after is None:
        return sorted(n for n, value in (before or after or {}).items() if value is not None)
    return sorted(
        name
        for name in before.keys() | after.keys()
        if _text(before.get(name)) != _text(after.get(name))
    )


def _text(value: Any) -> bytes:
    """One text per value: to Python 1, 1.0 and true are equal, in JSON they are not."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def create_stream(kind: str) -> int:
    """Insert an empty stream in the running transaction and return its id."""
    row = {"kind": kind, "seq": 0, "head": GENESIS, "floor": 0}
    return lane().insert("stream", row)
