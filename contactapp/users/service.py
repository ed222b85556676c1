"""Accounts: made, found, shown, changed, and charged for their contacts."""

from __future__ import annotations

import uuid
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from .. import clock
from ..actor import Actor
from ..audit import service as audit
from ..books.service import create_personal_book
from ..changes.service import create_stream
from ..config import settings
from ..database import ConstraintViolated, Sql, lane, write_transaction
from ..errors import Conflict, NotFound, PreconditionFailed
from ..keyring import create_key, keyring
from ..pictures.service import AVATARS
from . import avatars
from .finding import Credentials, email_is_taken, find_credentials, index_of, username_is_taken
from .identity import canonical_username, parse_email
from .usage import limit_reached, lock_usage, release_contacts, take_contacts

PROFILE = ("username", "full_name", "age", "gender", "timezone")

_SHOWN = Sql(
    "SELECT u.id, u.uid, u.sealed, u.key_id, u.role, u.email_verified, u.contact_limit, "
    "u.contact_count, u.version, u.created_at, u.updated_at, u.avatar, b.id FROM users u "
    "JOIN book b ON b.owner_id = u.id AND b.personal WHERE u.id = ?"
)
_LOCK = Sql(
    "SELECT uid, sealed, key_id, version FROM users WHERE id = ?",
    postgresql="SELECT uid, sealed, key_id, version FROM users WHERE id = ? FOR UPDATE",
)
_STORE = Sql(
    "UPDATE users SET username_index = ?, sealed = ?, version = ?, updated_at = ? WHERE id = ?"
)
_OWNER = (
    "SELECT id, uid, sealed, key_id, active, email_verified, password_hash FROM users WHERE id = ?"
)
_OWNER_READ = Sql(_OWNER)
_OWNER_LOCKED = Sql(_OWNER, postgresql=f"{_OWNER} FOR UPDATE")
_SET_PASSWORD = Sql("UPDATE users SET password_hash = ?, updated_at = ? WHERE id = ?")
_SET_VERIFIED = Sql(
    "UPDATE users SET email_verified = ?, version = version + 1, updated_at = ? "
    "WHERE id = ? AND NOT email_verified"
)
_SET_EMAIL = Sql(
    "UPDATE users SET email_index = ?, sealed = ?, email_verified = ?, version = version + 1, "
    "updated_at = ? WHERE id = ?"
)


class Owner(NamedTuple):
    """An account as mail, recovery and its own security need to know it."""

    user_id: int
    uid: str
    profile: dict[str, Any]
    key_id: int
    active: bool
    email_verified: bool
    password_hash: str

    @property
    def email(self) -> str:
        """The address as its owner writes it."""
        return self.profile["email"]

    @property
    def name(self) -> str:
        """What to call them in a letter, empty where they did not say."""
        return self.profile.get("full_name") or self.profile.get("username") or ""


def create_user(
    fields: dict[str, Any], password_hash: str, role: str = "user", verified: bool = False
) -> int:
    """Insert an account with its keys, data stream and personal book in the running transaction.

    `fields`: `email` and any of PROFILE. Raises Conflict (`email_taken`, `username_taken`).
    """
    uid, now = str(uuid.uuid4()), clock.now_ms()
    stored, canonical = parse_email(fields["email"])
    username = fields.get("username")
    cipher = create_key()
    profile = {"email": stored} | {key: fields.get(key) for key in PROFILE}
    row = {
        "uid": uid,
        "email_index": index_of("email", canonical),
        "username_index": username and index_of("username", canonical_username(username)),
        "sealed": cipher.seal(orjson.dumps(profile), *_place(uid)),
        "password_hash": password_hash,
        "role": role,
        "active": True,
        "email_verified": verified,
        "contact_count": 0,
        "key_id": cipher.key_id,
        "stream_id": create_stream("data"),
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    try:
        user_id = lane().insert("users", row)
    except ConstraintViolated as error:
        raise _taken(error) from None
    create_personal_book(user_id)
    return user_id


def read_owner(user_id: int) -> Owner | None:
    """An account, or None where there is none."""
    return _opened(lane().one(_OWNER_READ, (user_id,)))


def today_of(user_id: int) -> date:
    """Which day it is for somebody, by the time zone of their profile."""
    owner = read_owner(user_id)
    return clock.today(owner.profile.get("timezone") if owner else None)


def lock_owner(user_id: int) -> Owner:
    """An account, locked to the end of the running transaction. Raises NotFound."""
    owner = _opened(lane().one(_OWNER_LOCKED, (user_id,)))
    if owner is None:
        raise NotFound()
    return owner


def set_password(user_id: int, password_hash: str | None) -> None:
    """Store a hash in the running transaction; None makes that no password opens the account."""
    lane().run(_SET_PASSWORD, (password_hash or "!", clock.now_ms(), user_id))


def set_verified(user_id: int) -> None:
    """Say in the running transaction that the address is its owner's."""
    lane().run(_SET_VERIFIED, (True, clock.now_ms(), user_id))


def set_email(owner: Owner, email: str) -> None:
    """Give a locked account another address, which is proven. Raises Conflict (`email_taken`)."""
    stored, canonical = parse_email(email)
    profile = orjson.dumps({**owner.profile, "email": stored})
    sealed = keyring().cipher(owner.key_id).seal(profile, *_place(owner.uid))
    row = (index_of("email", canonical), sealed, True, clock.now_ms(), owner.user_id)
    try:
        lane().run(_SET_EMAIL, row)
    except ConstraintViolated as error:
        raise _taken(error) from None


def picture_token(user_id: int) -> str | None:
    """What names an account's picture, if it has one."""
    return avatars.token_of(user_id)


def picture_files(token: str | None) -> list[Path]:
    """The files of a picture."""
    return AVATARS.files(token)


def opened_profile(uid: str, sealed: bytes, key_id: int) -> dict[str, Any]:
    """What an account's owner says of themselves: `email` and PROFILE."""
    return orjson.loads(keyring().cipher(key_id).open(sealed, *_place(uid)))


def _opened(row: Any) -> Owner | None:
    if row is None or not row[-1]:  # an account without even a hash is being erased
        return None
    user_id, uid, sealed, key_id, active, verified, password_hash = row
    profile = opened_profile(uid, sealed, key_id)
    return Owner(user_id, uid, profile, key_id, bool(active), bool(verified), password_hash)


def show_user(user_id: int) -> dict[str, Any]:
    """The account as its owner sees it (schema User)."""
    row = lane().one(_SHOWN, (user_id,))
    if row is None:
        raise NotFound()
    id_, uid, sealed, key_id, role, verified, limit, count, version, created, updated = row[:11]
    profile = opened_profile(uid, sealed, key_id)
    return {
        "id": id_,
        "user_id": id_,
        "uid": uid,
        "email": profile["email"],
        "email_verified": bool(verified),
        **{key: profile.get(key) for key in PROFILE},
        **avatars.urls(row[11], id_, profile),
        "role": role,
        "book_id": row[12],
        "contact_limit": settings().contact_limit if limit is None else limit,
        "contact_count": count,
        "version": version,
        "created_at": clock.rfc3339(created),
        "updated_at": clock.rfc3339(updated),
    }


@write_transaction
def patch_profile(actor: Actor, patch: dict[str, Any], versions: tuple[int, ...] | None) -> None:
    """Apply a merge patch to the actor's own profile. Raises Conflict or PreconditionFailed."""
    uid, sealed, key_id, version = lane().one(_LOCK, (actor.user_id,))
    if versions is not None and version not in versions:
        raise PreconditionFailed(current_version=version)
    cipher = keyring().cipher(key_id)
    before = orjson.loads(cipher.open(sealed, *_place(uid)))
    after = {**before, **patch}
    if after == before:
        return
    username = after.get("username")
    index = index_of("username", canonical_username(username)) if username else None
    sealed = cipher.seal(orjson.dumps(after), *_place(uid))
    try:
        lane().run(_STORE, (index, sealed, version + 1, clock.now_ms(), actor.user_id))
    except ConstraintViolated as error:
        raise _taken(error) from None
    fields = sorted(name for name in patch if after[name] != before.get(name))
    audit.record("profile_changed", actor.user_id, key_id, actor.request_id, {"fields": fields})


def _taken(error: ConstraintViolated) -> Conflict:
    if "email_index" in error.constraint:
        return Conflict("email_taken")
    if "username_index" in error.constraint:
        return Conflict("username_taken")
    raise error


def _place(uid: str) -> tuple[object, ...]:
    return ("users", "sealed", uid, uid)


__all__ = [
    "PROFILE",
    "Credentials",
    "Owner",
    "create_user",
    "email_is_taken",
    "find_credentials",
    "limit_reached",
    "lock_owner",
    "lock_usage",
    "opened_profile",
    "patch_profile",
    "picture_files",
    "picture_token",
    "read_owner",
    "release_contacts",
    "set_email",
    "set_password",
    "set_verified",
    "show_user",
    "take_contacts",
    "today_of",
    "username_is_taken",
]
