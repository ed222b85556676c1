"""How many contacts an account has, and may have: counted in the transaction of every write."""

from __future__ import annotations

from ..config import settings
from ..database import Sql, lane
from ..errors import Forbidden

# A limit of 0 is none.
_TAKE = Sql(
    "UPDATE users SET contact_count = contact_count + ? WHERE id = ? AND "
    "(coalesce(contact_limit, ?) = 0 OR contact_count + ? <= coalesce(contact_limit, ?))"
)
# A count that is wrong all the same must not keep anybody from deleting.
_RELEASE = Sql(
    "UPDATE users SET contact_count = "
    "CASE WHEN contact_count >= ? THEN contact_count - ? ELSE 0 END WHERE id = ?"
)
_USED = "SELECT coalesce(contact_limit, ?), contact_count FROM users WHERE id = ?"
_USAGE = Sql(_USED)
_USAGE_LOCKED = Sql(_USED, postgresql=f"{_USED} FOR NO KEY UPDATE")


def take_contacts(owner_id: int, count: int) -> None:
    """Charge the owner for contacts in the running transaction; raise Forbidden at the limit."""
    standard = settings().contact_limit
    if lane().run(_TAKE, (count, owner_id, standard, count, standard)) != 1:
        limit, used = lane().one(_USAGE, (standard, owner_id))
        raise limit_reached(limit, used)


def release_contacts(owner_id: int, count: int) -> None:
    """Give the owner back what take_contacts charged."""
    lane().run(_RELEASE, (count, count, owner_id))


def lock_usage(owner_id: int) -> tuple[int, int]:
    """The owner's limit (0 is none) and how many contacts they have, which nobody else changes
    until the running transaction ends."""
    return lane().one(_USAGE_LOCKED, (settings().contact_limit, owner_id))


def limit_reached(limit: int, used: int) -> Forbidden:
    """What who wants more contacts than that is told."""
    detail = f"{used} of {limit} contacts are used."
    return Forbidden("contact_limit_reached", detail, limit=limit, used=used)
