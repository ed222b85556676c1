"""Wrapping the keys of a database with the newest master key, and who still needs the older ones.

The keys themselves stay as they are, and processes remember those that they opened, so nobody who
is served notices. Every batch is a transaction; what was wrapped anew is not wrapped again, so that
a rotation that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from . import crypto
from .config import settings
from .database import Sql, lane, write_transaction
from .keyring import WrongMasterKey, keyring

_BATCH = 100
_COUNT = Sql("SELECT substr(wrapped, 2, 4), count(*) FROM key WHERE length(wrapped) > 0 GROUP BY 1")
_OTHERS = Sql(
    "SELECT id, uid, wrapped FROM key WHERE id > ? AND length(wrapped) > 0 "
    "AND substr(wrapped, 2, 4) <> ? ORDER BY id LIMIT ?"
)
# Not where the key was destroyed since: erasing would be undone.
_REWRAP = Sql("UPDATE key SET wrapped = ? WHERE id = ? AND wrapped = ?")


def count_wrapped() -> dict[str, int]:
    """How many keys each master key wraps; those that are set and wrap none too."""
    found = {master.id: 0 for master in settings().master_keys}
    return found | {crypto.master_name(bytes(raw)): count for raw, count in lane().all(_COUNT)}


def rotate() -> Iterator[tuple[int, int]]:
    """Wrap every key with the newest master key, a batch at a time: how many were, and how many no
    master key of the settings opens, which stay as they are."""
    newest = crypto.master_id(settings().master_keys[0].id).to_bytes(4, "big")
    last = 0
    while rows := lane().all(_OTHERS, (last, newest, _BATCH)):
        last = rows[-1][0]
        opened = {}
        for id_, uid, wrapped in rows:
            with suppress(WrongMasterKey):
                opened[id_] = uid, keyring().unwrap(uid, wrapped), wrapped
        yield _rewrap(opened), len(rows) - len(opened)


@write_transaction
def _rewrap(opened: dict[int, tuple[str, bytes, bytes]]) -> int:
    return sum(
        lane().run(_REWRAP, (keyring().wrap(key, uid), id_, wrapped))
        for id_, (uid, key, wrapped) in opened.items()
    )
