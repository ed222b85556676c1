"""Writing the change log. Every write of a book goes through `ChangeLog`."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select, update

from .. import clock
from ..actor import Actor, Book
from ..crypto import Cipher
from ..database import db
from ..errors import Forbidden
from ..keyring import keyring
from .models import GENESIS, Change, Stream

# Tables, not mapped classes: the ORM's own way of executing doubles what a write costs.
_STREAM = Stream.metadata.tables["stream"]
_LOCK = (
    select(_STREAM.c.seq, _STREAM.c.head)
    .where(_STREAM.c.id == bindparam("stream_id"))
    .with_for_update()
)
_ADVANCE = update(_STREAM).where(_STREAM.c.id == bindparam("stream_id"))
_APPEND = insert(Change.metadata.tables["change"])


class ChangeLog:
    """One write's hold on a book's stream: taken first, held to the commit.

    The lock makes seq order the commit order without gaps, limits exact and If-Match true.
    Raises Forbidden where the actor may only read the book, before anything is locked.
    """

    def __init__(self, actor: Actor, book: Book) -> None:
        if not book.writable:
            raise Forbidden("read_only_book")
        self._actor = actor
        self._book = book
        self._cipher: Cipher = keyring().cipher(book.key_id)
        self._chain = keyring().purpose("chain")
        self.now = clock.now_ms()
        parameters = {"stream_id": book.stream_id}
        self.seq, self._head = db.session.execute(_LOCK, parameters).one()

    def append(
        self,
        entity: str,
        entity_id: int,
        op: str,
        version: int,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
    ) -> None:
        """Add the row of one touched entity and advance the stream."""
        self.seq += 1
        fields = changed_fields(before, after)
        sealed = self._cipher.seal(
            orjson.dumps({"before": before, "after": after}),
            *("change", "sealed", self._book.stream_id, self.seq),
        )
        row = {
            "stream_id": self._book.stream_id,
            "seq": self.seq,
            "at": self.now,
            "actor_id": self._actor.user_id,
            "token_id": None,
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
        db.session.execute(_APPEND, {**row, "sealed": sealed, "head": self._head})
        state = {"stream_id": self._book.stream_id, "seq": self.seq, "head": self._head}
        db.session.execute(_ADVANCE, state)


def next_head(chain_key: bytes, previous: bytes, row: dict[str, Any]) -> bytes:
    """HMAC-SHA256 over the previous head and every column of the row but `sealed` and `head`."""
    content = {name: value for name, value in row.items() if name not in {"sealed", "head"}}
    content["sealed_hash"] = row["sealed_hash"].hex()
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hmac.digest(chain_key, previous + text, hashlib.sha256)


def changed_fields(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[str]:
    """The names of the top-level fields that differ, sorted. Custom fields count as one, because
    their keys are the user's own words and this column is not sealed."""
    old, new = before or {}, after or {}
    return sorted(
        name for name in old.keys() | new.keys() if _text(old.get(name)) != _text(new.get(name))
    )


def _text(value: Any) -> bytes:
    """One text per value: to Python 1, 1.0 and true are equal, in JSON they are not."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def create_stream(kind: str) -> int:
    """Insert an empty stream in the running transaction and return its id."""
    row = {"kind": kind, "seq": 0, "head": GENESIS, "floor": 0}
    return db.session.execute(insert(Stream).returning(Stream.id), row).scalar_one()
