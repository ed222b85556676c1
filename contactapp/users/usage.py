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
_USAGE = Sql("SELECT coalesce(contact_limit, ?), contact_count FROM users WHERE id = ?")


def take_contacts(owner_id: int, count: int) -> None:
    """Charge the owner for contacts in the running transaction; raise Forbidden at the limit."""
    standard = settings().contact_limit
    if lane().run(_TAKE, (count, owner_id, standard, count, standard)) != 1:
        limit, used = lane().one(_USAGE, (standard, owner_id))
        raise Forbidden(
            "contact_limit_reached",
            f"{used} of {limit} contacts are used.",
            limit=limit,
            used=used,
        )


def release_contacts(owner_id: int, count: int) -> None:
    """Give the owner back what take_contacts charged."""
    lane().run(_RELEASE, (count, count, owner_id))
