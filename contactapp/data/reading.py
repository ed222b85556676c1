"""Reading key-value data."""

from __future__ import annotations

from typing import Any

from .. import clock
from ..actor import Actor, Book
from ..config import settings
from ..crypto import Cipher
from ..database import Sql, lane
from ..errors import NotFound
from ..keyring import keyring
from .entry import Entry, Meta

COLUMNS = ", ".join(f"e.{name}" for name in (*Meta._fields, "sealed"))
_ONE = Sql(f"SELECT {COLUMNS} FROM data_entry e WHERE e.user_id = ? AND e.key = ?")  # noqa: S608


def get_entry(actor: Actor, key: str) -> Entry:
    """A live entry of the actor's data. Raises NotFound (`key_not_found`)."""
    store = actor.book
    row = lane().one(_ONE, (store.owner_id, key))
    if row is None or not Meta(*row[:-1]).is_live(clock.now_ms()):
        raise NotFound("key_not_found")
    return opened(keyring().cipher(store.key_id), store, row)


def opened(cipher: Cipher, store: Book, row: tuple[Any, ...]) -> Entry:
    """The entry of a row of COLUMNS."""
    meta = Meta(*row[:-1])
    return Entry(meta, cipher.open(row[-1], *place(store, meta.key)))


def place(store: Book, key: str) -> tuple[object, ...]:
    """Where a value belongs: what is sealed for one key does not open for another."""
    return ("data_entry", "sealed", store.owner_id, key)


def quota_headers(store: Book) -> dict[str, str]:
    """What an answer says of the quota; nothing of what has no limit."""
    found = {}
    for what, used, limit in (
        ("Entries", store.items, settings().data_max_entries),
        ("Bytes", store.size, settings().data_max_bytes),
    ):
        if limit:
            found[f"X-Data-{what}-Limit"] = str(limit)
            found[f"X-Data-{what}-Remaining"] = str(max(0, limit - used))
    return found
