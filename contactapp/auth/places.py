"""Where people signed in before, as keyed hashes of addresses: a place of one's own cannot be shut
to its owner by strangers who try passwords elsewhere."""

from __future__ import annotations

from .. import clock
from ..crypto import blind_index
from ..database import Sql, lane
from ..keyring import keyring
from ..limits import counted_address

KEPT_MS = 90 * 86_400_000

_KNOWN = Sql("SELECT 1 FROM known_place WHERE user_id = ? AND place = ? AND seen_at > ?")
_REMEMBER = Sql(
    "INSERT INTO known_place (user_id, place, seen_at) VALUES (?, ?, ?) "
    "ON CONFLICT (user_id, place) DO UPDATE SET seen_at = excluded.seen_at"
)
_FORGET = Sql("DELETE FROM known_place WHERE user_id = ?")
_PURGE = Sql("DELETE FROM known_place WHERE seen_at < ?")


def is_known(user_id: int, address: str) -> bool:
    """Whether somebody signed in to this account from there in the last 90 days."""
    since = clock.now_ms() - KEPT_MS
    return lane().one(_KNOWN, (user_id, _hashed(address), since)) is not None


def remember(user_id: int, address: str) -> None:
    """Know the place from now on, in the running transaction."""
    lane().run(_REMEMBER, (user_id, _hashed(address), clock.now_ms()))


def forget(user_id: int) -> None:
    """Know none of the account's places any more, in the running transaction."""
    lane().run(_FORGET, (user_id,))


def purge() -> None:
    """Delete what no longer counts, in the running transaction."""
    lane().run(_PURGE, (clock.now_ms() - KEPT_MS,))


def _hashed(address: str) -> bytes:
    return blind_index(keyring().purpose("index"), "place", counted_address(address))
