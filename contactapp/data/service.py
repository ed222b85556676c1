"""Everything that is done to key-value data. Each write is one transaction and one change row.

`actor.book` is the actor's data store, as the guard gives it to the views that are marked
`own_data`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..actor import Actor, Book
from ..answers import Precondition
from ..changes.service import ChangeLog
from ..crypto import Cipher
from ..database import Sql, lane, write_transaction
from ..errors import Conflict, InvalidFields, NotFound
from ..keyring import keyring
from ..strict_json import MAX_INTEGER
from .entry import Entry, Meta, json_of, merged, same
from .quota import quota_headers, take
from .reading import (
    ONE,
    data_store,
    entry_history,
    export_data,
    get_entry,
    init_app,
    list_entries,
    opened,
    place,
    state_of_lists,
)
from .wanted import fields_of, require

Versions = tuple[int, ...] | None
ANYHOW = Precondition()

_STORE = Sql(
    "UPDATE data_entry SET version = ?, size = ?, sealed = ?, expires_at = ?, updated_at = ? "
    "WHERE user_id = ? AND id = ?"
)
_DELETE = Sql("DELETE FROM data_entry WHERE user_id = ? AND id = ?")


class Stored(NamedTuple):
    """An entry after a write, whether that made it, and the store as it is then."""

    entry: Entry
    made: bool
    store: Book


def create_entry(actor: Actor, key: str, value: Any, ttl: int | None = None) -> Stored:
    """Add an entry; `key` is one that `checked_key` returned, `ttl` in seconds. Raises Conflict
    (`key_exists`), InvalidFields, or Forbidden at the quota (`data_quota_exceeded`)."""
    text = json_of(value)
    # Sealed before the transaction: every other writer waits for what is done in it.
    return _create(actor, key, text, _sealed(actor.book, key, text), ttl)


@write_transaction
def _create(actor: Actor, key: str, text: bytes, sealed: bytes, ttl: int | None) -> Stored:
    log = ChangeLog(actor, actor.book)
    if _find(log, actor.book, key) is not None:
        raise Conflict("key_exists")
    return _insert(log, actor.book, key, text, sealed, _expiry(log, ttl))


def put_entry(
    actor: Actor, key: str, value: Any, ttl: int | None = None, wanted: Precondition = ANYHOW
) -> Stored:
    """Give an entry this value and expiry, none without `ttl`; make it where there is none. Raises
    PreconditionFailed, InvalidFields or Forbidden."""
    text = json_of(value)
    return _put(actor, key, text, _sealed(actor.book, key, text), ttl, wanted)


@write_transaction
def _put(
    actor: Actor, key: str, text: bytes, sealed: bytes, ttl: int | None, wanted: Precondition
) -> Stored:
    log = ChangeLog(actor, actor.book)
    found = _find(log, actor.book, key)
    expires_at = _expiry(log, ttl)
    require(log, actor, found, wanted, lambda: (fields_of(text, expires_at), None))
    if found is None:
        return _insert(log, actor.book, key, text, sealed, expires_at)
    return _store(log, actor.book, found, text, expires_at, sealed)


@write_transaction
def patch_entry(actor: Actor, key: str, patch: dict[str, Any], versions: Versions = None) -> Stored:
    """Apply a merge patch (RFC 7396) of `value` and `ttl`; an expiry stays where `ttl` is absent.
    Raises NotFound, PreconditionFailed, InvalidFields or Forbidden."""
    log = ChangeLog(actor, actor.book)
    found = _live(log, actor.book, key)

    def patched() -> tuple[bytes, int | None]:
        text, expires_at = found.text, found.meta.expires_at
        if "value" in patch:
            text = json_of(merged(found.value, patch["value"]))
        return text, _expiry(log, patch["ttl"]) if "ttl" in patch else expires_at

    sent = {"expires_at" if name == "ttl" else name for name in patch}
    wanted = Precondition(versions)
    require(log, actor, found, wanted, lambda: (fields_of(*patched()), sent))
    return _store(log, actor.book, found, *patched())


@write_transaction
def increment_entry(
    actor: Actor, key: str, by: int = 1, ttl: int | None = None, wanted: Precondition = ANYHOW
) -> Stored:
    """Add to a whole number, from 0 where there is no entry; an expiry stays without `ttl`. Raises
    PreconditionFailed, Conflict (`not_a_number`), InvalidFields or Forbidden."""
    log = ChangeLog(actor, actor.book)
    found = _find(log, actor.book, key)
    require(log, actor, found, wanted)
    number = 0 if found is None else found.value
    if isinstance(number, bool) or not isinstance(number, int):
        raise Conflict("not_a_number")
    if abs(number + by) > MAX_INTEGER:
        problem = f"{number} and this are beyond ±{MAX_INTEGER}."
        raise InvalidFields.one("/by", "number_out_of_range", problem)
    text, expires_at = json_of(number + by), _expiry(log, ttl)
    if found is None:
        return _insert(log, actor.book, key, text, _sealed(actor.book, key, text), expires_at)
    kept = found.meta.expires_at if ttl is None else expires_at
    return _store(log, actor.book, found, text, kept)


@write_transaction
def delete_entry(actor: Actor, key: str, versions: Versions = None) -> Book:
    """Delete an entry; the store as it is then. Raises NotFound or PreconditionFailed."""
    log = ChangeLog(actor, actor.book)
    found = _live(log, actor.book, key)
    require(log, actor, found, Precondition(versions))
    remove(log, actor.book, found)
    return _state(log, actor.book)


def remove(log: ChangeLog, store: Book, entry: Entry, *, by_nobody: bool = False) -> None:
    """Delete an entry in the running transaction, give back its quota and leave its tombstone."""
    take(log, -1, -entry.meta.size)
    lane().run(_DELETE, (store.owner_id, entry.meta.id))
    told, version = entry.told(), log.seq + 1
    log.append("data", entry.meta.id, "delete", version, told, None, by_nobody=by_nobody)


def _live(log: ChangeLog, store: Book, key: str) -> Entry:
    found = _find(log, store, key)
    if found is None:
        raise NotFound("key_not_found")
    return found


def _find(log: ChangeLog, store: Book, key: str) -> Entry | None:
    """A live entry under the store's lock. One that has expired is deleted on the way."""
    row = lane().one(ONE, (store.owner_id, key))
    if row is None:
        return None
    entry = opened(log.cipher, store, row)
    if entry.meta.is_live(log.now):
        return entry
    remove(log, store, entry, by_nobody=True)
    return None


def _insert(
    log: ChangeLog, store: Book, key: str, text: bytes, sealed: bytes, expires_at: int | None
) -> Stored:
    take(log, 1, len(text))
    row: dict[str, Any] = {
        "key": key,
        "version": log.seq + 1,
        "size": len(text),
        "expires_at": expires_at,
        "created_at": log.now,
        "updated_at": log.now,
    }
    owned = {"user_id": store.owner_id, "sealed": sealed}
    entry = Entry(Meta(lane().insert("data_entry", {**row, **owned}), **row), text)
    log.append("data", entry.meta.id, "create", entry.meta.version, None, entry.told())
    return Stored(entry, True, _state(log, store))


def _store(
    log: ChangeLog,
    store: Book,
    found: Entry,
    text: bytes,
    expires_at: int | None,
    sealed: bytes | None = None,
) -> Stored:
    """Write what changed. A write that changes nothing makes no version and no change row."""
    if expires_at == found.meta.expires_at and same(text, found.text):
        return Stored(found, False, _state(log, store))
    take(log, 0, len(text) - found.meta.size)
    meta = found.meta._replace(
        version=log.seq + 1, size=len(text), expires_at=expires_at, updated_at=log.now
    )
    sealed = sealed or _sealed(store, meta.key, text)
    changed = (meta.version, meta.size, sealed, meta.expires_at, meta.updated_at)
    lane().run(_STORE, (*changed, store.owner_id, meta.id))
    entry = Entry(meta, text)
    log.append("data", meta.id, "update", meta.version, found.told(), entry.told())
    return Stored(entry, False, _state(log, store))


def _state(log: ChangeLog, store: Book) -> Book:
    return store._replace(items=log.items, size=log.size)


def _expiry(log: ChangeLog, ttl: int | None) -> int | None:
    return None if ttl is None else log.now + 1000 * ttl


def _sealed(store: Book, key: str, text: bytes) -> bytes:
    return _cipher(store).seal(text, *place(store, key))


def _cipher(store: Book) -> Cipher:
    return keyring().cipher(store.key_id)


__all__ = [
    "ANYHOW",
    "Stored",
    "Versions",
    "create_entry",
    "data_store",
    "delete_entry",
    "entry_history",
    "export_data",
    "get_entry",
    "increment_entry",
    "init_app",
    "list_entries",
    "patch_entry",
    "put_entry",
    "quota_headers",
    "remove",
    "state_of_lists",
]
