"""Reading key-value data: one entry, lists, and all of an account."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from flask import Flask, current_app

from .. import clock
from ..actor import Actor, Book
from ..changes.service import history
from ..crypto import Cipher
from ..database import Sql, lane
from ..errors import NotFound
from ..keyring import keyring
from ..paging import PAGE_BYTES, CursorSeal, Page
from .entry import Entry, Meta
from .recent import RecentEntries

COLUMNS = ", ".join(f"e.{name}" for name in (*Meta._fields, "sealed"))
ONE = Sql(f"SELECT {COLUMNS} FROM data_entry e WHERE e.user_id = ? AND e.key = ?")  # noqa: S608
_IN_STATE = Sql(
    f"SELECT s.head, {COLUMNS} FROM stream s "  # noqa: S608
    "LEFT JOIN data_entry e ON e.user_id = ? AND e.key = ? WHERE s.id = ?"
)
_METAS = ", ".join(Meta._fields)
_RANGE = "user_id = ? AND key >= ? AND key < ?"
_NEXT_EXPIRY = "SELECT min(expires_at) FROM data_entry WHERE user_id = ? AND expires_at > ?"
_EXPIRY = Sql(_NEXT_EXPIRY)
# One statement sees one state: the store's, how many entries there are, and those of the page. A
# value is read only as far as the page goes.
_LIST = Sql(
    f"SELECT s.head, ({_NEXT_EXPIRY}), (SELECT count(*) FROM data_entry WHERE {_RANGE}) - "  # noqa: S608
    f"(SELECT count(*) FROM data_entry WHERE {_RANGE} AND expires_at <= ?), "
    f"{', '.join(f'k.{name}' for name in Meta._fields)}, "
    "CASE WHEN k.upto - k.size < ? THEN e.sealed END FROM stream s LEFT JOIN ("
    "SELECT p.*, sum(p.size) OVER (ORDER BY p.key) AS upto FROM ("
    f"SELECT {_METAS} FROM data_entry WHERE {_RANGE} AND (expires_at IS NULL OR expires_at > ?) "
    "ORDER BY key LIMIT ? OFFSET ?) p) k ON 1 = 1 "
    "LEFT JOIN data_entry e ON e.id = k.id WHERE s.id = ? ORDER BY k.key"
)
_EXPORTED_AT_ONCE = 50  # which may have 3 MiB
_EXPORTED = Sql(
    f"SELECT {COLUMNS} FROM data_entry e WHERE e.user_id = ? AND e.key > ? "  # noqa: S608
    "AND (e.expires_at IS NULL OR e.expires_at > ?) ORDER BY e.key LIMIT ?"
)
_STORE = Sql(
    "SELECT 0, u.id, u.key_id, u.stream_id, s.seq, s.head, 'owner', s.items, s.size FROM users u "
    "JOIN stream s ON s.id = u.stream_id "
    # An account that is being erased has its keys emptied first.
    "JOIN key k ON k.id = u.key_id AND length(k.wrapped) > 0 WHERE u.id = ?"
)
_LAST = "\U0010ffff" * 256  # above every key
_NEXT = "\x01"  # a key with it follows directly, because none has NUL


def init_app(app: Flask) -> None:
    """Give the application a place for what it read last."""
    app.extensions["contactapp.recent_data"] = RecentEntries()


def recent() -> RecentEntries:
    """The entries that this process read last."""
    return current_app.extensions["contactapp.recent_data"]


def get_entry(actor: Actor, key: str) -> Entry:
    """A live entry of the actor's data. Raises NotFound (`key_not_found`)."""
    store = actor.book
    entry = recent().get(store, key) or _read(store, key)
    if entry is None or not entry.meta.is_live(clock.now_ms()):
        raise NotFound("key_not_found")
    return entry


def _read(store: Book, key: str) -> Entry | None:
    row = lane().one(_IN_STATE, (store.owner_id, key, store.stream_id))
    if row is None or row[1] is None:
        return None
    entry = opened(keyring().cipher(store.key_id), store, row[1:])
    recent().keep(store, row[0], entry)
    return entry


def list_entries(actor: Actor, query: dict[str, Any]) -> tuple[bytes, Page]:
    """A page of the actor's live entries by key, for orjson, and the state that it was read in;
    `query` is a parsed schemas.DataQuery. It ends early where the values get long. Raises
    BadRequest for a cursor that is not of this list, or NotFound where the account was erased."""
    store, now, prefix = actor.book, clock.now_ms(), query["prefix"]
    seal, listing = CursorSeal(actor.user_id, store.id), _listing(prefix)
    begin, end = (store.owner_id, prefix), _above(prefix)
    first = prefix
    if "cursor" in query:
        first += seal.open(query["cursor"], listing)[0] + _NEXT
    names = query.get("fields_")
    room = PAGE_BYTES if names is None or "value" in names else -1
    rows = lane().all(
        _LIST,
        (
            *(store.owner_id, now, *begin, end, *begin, end, now, room),
            *(store.owner_id, first, end, now, query["limit"] + 1, query["skip"], store.stream_id),
        ),
    )
    if not rows:  # the account was erased since the actor was let in
        raise NotFound()
    head, next_expiry, total = rows[0][:3]
    found = [row[3:] for row in rows[: query["limit"]] if row[3] is not None]
    if room > 0:
        found = [row for row in found if row[-1] is not None]
    cursor = None
    if rows[-1][3] is not None and len(found) < len(rows):
        cursor = seal.seal([found[-1][1].removeprefix(prefix)], listing)
    return _state(head, next_expiry), Page(_shown(store, found, names), cursor, total)


def state_of_lists(actor: Actor) -> bytes:
    """What the lists of the actor's data depend on besides what was asked for: the changes, and
    what has expired, of which the next expiry tells."""
    [expiry] = lane().one(_EXPIRY, (actor.book.owner_id, clock.now_ms()))
    return _state(actor.book.head, expiry)


def _state(head: bytes, next_expiry: int | None) -> bytes:
    return b"%b %d" % (head, next_expiry or 0)


def _shown(
    store: Book, rows: list[tuple[Any, ...]], names: tuple[str, ...] | None
) -> list[dict[str, Any]]:
    if names is not None and "value" not in names:
        metas = (Meta(*row[:-1]).shown() for row in rows)
        return [{name: meta[name] for name in names} for meta in metas]
    cipher = keyring().cipher(store.key_id)
    entries = (opened(cipher, store, row).shown() for row in rows)
    return [{name: entry[name] for name in names or entry} for entry in entries]


def _above(prefix: str) -> str:
    """The first text above all that begin so, by code points, of which surrogates are none."""
    while prefix:
        last = ord(prefix[-1]) + 1
        prefix = prefix[:-1]
        if last <= 0x10FFFF:
            return prefix + chr(0xE000 if last == 0xD800 else last)
    return _LAST


def _listing(prefix: str) -> str:
    """What a cursor is bound to."""
    return f"data {hashlib.blake2b(prefix.encode(), digest_size=16).hexdigest()}"


def opened(cipher: Cipher, store: Book, row: tuple[Any, ...]) -> Entry:
    """The entry of a row of COLUMNS."""
    meta = Meta(*row[:-1])
    return Entry(meta, cipher.open(row[-1], *place(store, meta.key)))


def place(store: Book, key: str) -> tuple[object, ...]:
    """Where a value belongs: what is sealed for one key does not open for another."""
    return ("data_entry", "sealed", store.owner_id, key)


def entry_history(actor: Actor, key: str, query: dict[str, Any]) -> Page:
    """The versions of a live entry that are kept, the newest first; not those of an earlier one
    under its key. Raises NotFound, or BadRequest for a cursor that is not of this list."""
    return history(actor, "data", get_entry(actor, key).meta.id, query)


def export_data(actor: Actor) -> Iterator[dict[str, Any]]:
    """Every live entry of the actor's own, by key, for orjson; a few at a time."""
    store, last = data_store(actor.user_id), ""
    if store is None:
        return
    cipher = keyring().cipher(store.key_id)
    while rows := lane().all(_EXPORTED, (store.owner_id, last, clock.now_ms(), _EXPORTED_AT_ONCE)):
        for row in rows:
            entry = opened(cipher, store, row)
            yield entry.shown()
            last = entry.meta.key


def data_store(user_id: int) -> Book | None:
    """A user's data store as its owner may use it, for whom the guard did not find it; None where
    the account is gone or being erased."""
    row = lane().one(_STORE, (user_id,))
    return row and Book(*row)
