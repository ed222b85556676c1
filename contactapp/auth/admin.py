"""Accounts as admins see and change them. Nobody's contacts are among that."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import clock
from ..actor import Actor
from ..audit import service as audit
from ..database import Sql, lane, write_transaction
from ..errors import Conflict, NotFound, PreconditionFailed
from ..paging import Page, Pager
from ..users.service import find_credentials, lock_owner, opened_profile
from . import links
from .links import Link
from .sessions import end_all

_COLUMNS = (
    "SELECT id, uid, sealed, key_id, role, active, email_verified, contact_limit, contact_count, "
    "version, created_at, updated_at FROM users WHERE "
)
_PAGE = Sql(f"{_COLUMNS}id > ? AND password_hash <> '' ORDER BY id LIMIT ? OFFSET ?")
_BY_ID = f"{_COLUMNS}id = ? AND password_hash <> ''"
_ONE = Sql(_BY_ID)
_ONE_LOCKED = Sql(_BY_ID, postgresql=f"{_BY_ID} FOR UPDATE")
_TOTAL = Sql("SELECT count(*) FROM users WHERE password_hash <> ''")
_ADMINS = "SELECT id FROM users WHERE role = 'admin' AND active ORDER BY id"
_ADMINS_LOCKED = Sql(_ADMINS, postgresql=f"{_ADMINS} FOR UPDATE")
_STORE = Sql(
    "UPDATE users SET role = ?, active = ?, contact_limit = ?, version = version + 1, "
    "updated_at = ? WHERE id = ?"
)
CHANGEABLE = ("role", "active", "contact_limit")


class Change(NamedTuple):
    """Who changes an account, and by which request; no actor is the command line."""

    actor_id: int | None
    request_id: str


def list_users(actor: Actor, query: dict[str, Any]) -> Page:
    """The accounts by id, or the one with an address. Raises BadRequest for a cursor that is not of
    this list."""
    pager = Pager(actor, "users", query)
    if "email" in query:
        found = find_credentials(query["email"])
        rows = lane().all(_ONE, (found.user_id,)) if found else []
        return pager.cut([_shown(*row) for row in rows])
    rows = lane().all(_PAGE, (pager.after(0), pager.rows, pager.skip))
    return pager.page([_shown(*row) for row in rows], lane().one(_TOTAL)[0])


def every_user() -> list[dict[str, Any]]:
    """All accounts, by id."""
    return [_shown(*row) for row in lane().all(_PAGE, (0, 2**31 - 1, 0))]


def show_user(user_id: int) -> dict[str, Any]:
    """One account (schema Account). Raises NotFound."""
    row = lane().one(_ONE, (user_id,))
    if row is None:
        raise NotFound()
    return _shown(*row)


@write_transaction
def change_user(
    user_id: int, patch: dict[str, Any], change: Change, versions: tuple[int, ...] | None = None
) -> dict[str, Any]:
    """Set any of CHANGEABLE; an account that is deactivated loses its sessions and links. Raises
    NotFound, PreconditionFailed, and Conflict (`last_admin`) where nobody would be left."""
    admins = admins_locked()
    row = lane().one(_ONE_LOCKED, (user_id,))
    if row is None:
        raise NotFound()
    before = _shown(*row)
    if versions is not None and before["version"] not in versions:
        raise PreconditionFailed(current_version=before["version"])
    after = {**before, **patch}
    changed = [name for name in CHANGEABLE if after[name] != before[name]]
    if not changed:
        return before
    if admins == [user_id] and not (after["role"] == "admin" and after["active"]):
        raise Conflict("last_admin")
    values = (after["role"], after["active"], after["contact_limit"], clock.now_ms(), user_id)
    lane().run(_STORE, values)
    for name in changed:
        _record(name, before, after, row[3], change)
    if before["active"] and not after["active"]:
        end_all(user_id)
        links.end(user_id)
    return show_user(user_id)


def admins_locked() -> list[int]:
    """Who can look after the accounts, locked first and in one order by everybody who may change
    that, so that two do not leave at once."""
    return [row[0] for row in lane().all(_ADMINS_LOCKED)]


def _record(
    name: str, before: dict[str, Any], after: dict[str, Any], key_id: int, change: Change
) -> None:
    kind = f"{name}_changed"
    if name == "active":
        kind = "activated" if after["active"] else "deactivated"
    details = {"before": before[name], "after": after[name]}
    actor_id = change.actor_id or 0
    audit.record(kind, before["id"], key_id, change.request_id, details, actor_id=actor_id)


@write_transaction
def make_reset_link(user_id: int, request_id: str) -> Link:
    """A link to set a new password, for somebody whose mail does not arrive. Raises NotFound."""
    owner = lock_owner(user_id)
    audit.record("reset_link_made", user_id, owner.key_id, request_id, actor_id=0)
    return links.hand_out(owner, "reset")


def _shown(
    id_: int,
    uid: str,
    sealed: bytes,
    key_id: int,
    role: str,
    active: bool,
    verified: bool,
    limit: int | None,
    count: int,
    version: int,
    created: int,
    updated: int,
) -> dict[str, Any]:
    profile = opened_profile(uid, sealed, key_id)
    return {
        "id": id_,
        "uid": uid,
        "email": profile["email"],
        "email_verified": bool(verified),
        "username": profile.get("username"),
        "full_name": profile.get("full_name"),
        "role": role,
        "active": bool(active),
        "contact_limit": limit,
        "contact_count": count,
        "version": version,
        "created_at": clock.rfc3339(created),
        "updated_at": clock.rfc3339(updated),
    }
