"""The write side of the change log: one hold on a stream, and the rows that it chains."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any, Literal, get_args

import orjson

from .. import clock, metrics
from ..actor import Actor, Book
from ..crypto import Cipher
from ..database import Sql, after_commit, insert_all, lane
from ..errors import Forbidden, InvalidFields, NotFound
from ..keyring import keyring
from ..webhooks.outbox import Outbox
from .chain import GENESIS
from .poller import poller

Entity = Literal["contact", "note", "custom_field", "data"]
Op = Literal["create", "update", "delete", "restore", "purge", "process"]
ENTITIES: tuple[Entity, ...] = get_args(Entity)
SHOWN: dict[Op, str] = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "restore": "restored",
    "purge": "purged",
    "process": "processed",
}

_STATE = "SELECT seq, head, items, size, followed FROM stream WHERE id = ?"
_LOCK = Sql(_STATE, postgresql=f"{_STATE} FOR UPDATE")
_ADVANCE = Sql("UPDATE stream SET seq = ?, head = ?, items = ?, size = ? WHERE id = ?")

# Of one object, above the floor: what is not, goes or is empty, and no chain vouches for it. What a
# job adds to a version ("process") is no version of its own.
# `+seq` keeps SQLite from walking through the whole stream.
VERSIONS = (
    "FROM change WHERE stream_id = ? AND +seq > (SELECT floor FROM stream WHERE id = ?) "
    "AND entity = ? AND entity_id = ? AND op <> 'process'"
)
_STATE_AT = Sql(f"SELECT seq, sealed {VERSIONS} AND version = ?")


class ChangeLog:
    """One write's hold on a book's stream: taken first, held to the commit.

    The lock makes seq order the commit order without gaps, limits exact and If-Match true. `now`
    is the write's time in milliseconds, `cipher` seals and opens the book's rows. What is put into
    `items` (see `actor.Book`) and `size`, which a user's data are charged by, is stored with the
    next change. The changes appended while `operation_id` is set belong to that operation, and
    `touched` counts them.
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
        self.seq, self._head, self.items, self.size, followed = state
        self._outbox = Outbox(book, self.now) if followed else None
        self.operation_id: int | None = None
        self.touched = 0
        self._waiting: list[dict[str, Any]] | None = None

    @property
    def book(self) -> Book:
        """The book in the state that the write has brought it to."""
        return self._book._replace(seq=self.seq, head=self._head, items=self.items)

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
        merged_into: int | None = None,
    ) -> None:
        """Add the row of one touched entity and advance the stream. `by_nobody`: the actor's write
        only came upon what had ended by itself. `merged_into`: the contact that one was merged into
        when it went, or had been until it came back."""
        self.seq += 1
        texts: dict[str, Any] = {"before": before, "after": after}
        if merged_into is not None:
            texts["merged_into"] = merged_into
        place = ("change", "sealed", self._book.stream_id, self.seq)
        sealed = self.cipher.seal(orjson.dumps(texts), *place)
        row = {
            "stream_id": self._book.stream_id,
            "seq": self.seq,
            "at": self.now,
            "actor_id": 0 if by_nobody else self._actor.user_id,
            "token_id": None if by_nobody else self._actor.token_id,
            "request_id": self._actor.request_id,
            "operation_id": self.operation_id,
            "entity": entity,
            "entity_id": entity_id,
            "op": op,
            "version": version,
            "changed_fields": " ".join(changed_fields(before, after)),
            "sealed_hash": hashlib.sha256(sealed).digest(),
        }
        self._head = next_head(self._chain, self._head, row)
        self.touched += self.operation_id is not None
        if self._outbox is not None:
            self._outbox.add(self.seq, entity, SHOWN[op])
        self._write({**row, "sealed": sealed, "head": self._head})

    def _write(self, row: dict[str, Any]) -> None:
        if self._waiting is not None:
            self._waiting.append(row)
            return
        lane().insert("change", row, returning="")
        self._advance()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what is appended within it at its end, many rows by a statement; PostgreSQL would
        walk along all earlier states of the stream's row at each change of many."""
        if self._waiting is not None:
            yield
            return
        rows: list[dict[str, Any]] = []
        self._waiting = rows
        yield
        self._waiting = None
        if rows:
            insert_all("change", rows)
            self._advance()

    def _advance(self) -> None:
        state = (self.seq, self._head, self.items, self.size)
        lane().run(_ADVANCE, (*state, self._book.stream_id))
        if self._outbox is not None:
            self._outbox.write()
        after_commit(partial(poller().tell, self._book.stream_id))

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


def opened(
    cipher: Cipher, stream_id: int, seq: int, sealed: bytes | None
) -> dict[str, dict[str, Any] | None] | None:
    """The `before` and `after` of a change; None where they were erased."""
    if sealed is None:
        return None
    return orjson.loads(cipher.open(sealed, "change", "sealed", stream_id, seq))


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
        if (old := before.get(name)) is not (new := after.get(name)) and _text(old) != _text(new)
    )


def _text(value: Any) -> bytes:
    """One text per value: to Python 1, 1.0 and true are equal, in JSON they are not."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def create_stream(kind: str) -> int:
    """Insert an empty stream in the running transaction and return its id."""
    row = {"kind": kind, "seq": 0, "head": GENESIS, "floor": 0}
    return lane().insert("stream", row)
