"""Accounts: made, found, shown, changed, and charged for their contacts."""

from __future__ import annotations

import unicodedata
import uuid
from typing import Any, NamedTuple

import orjson
from sqlalchemy import bindparam, case, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from .. import clock
from ..actor import Actor
from ..books.service import create_personal_book
from ..changes.service import create_stream
from ..config import settings
from ..crypto import blind_index
from ..database import Sql, constraint_of, db, lane, write_transaction
from ..errors import Conflict, Forbidden, NotFound, PreconditionFailed
from ..keyring import create_key, keyring
from .identity import canonical_username, parse_email
from .models import User

MAX_LOGIN = 320  # characters, as the schema says; more could not be normalised cheaply
PROFILE = ("username", "full_name", "age", "gender", "timezone")

_BY_EMAIL = Sql("SELECT id, password_hash, active FROM users WHERE email_index = ?")
_BY_USERNAME = Sql("SELECT id, password_hash, active FROM users WHERE username_index = ?")
_SHOWN = Sql(
    "SELECT u.id, u.uid, u.sealed, u.key_id, u.role, u.email_verified, u.contact_limit, "
    "u.contact_count, u.version, u.created_at, u.updated_at, b.id FROM users u "
    "JOIN book b ON b.owner_id = u.id AND b.personal WHERE u.id = ?"
)
_USERS = User.metadata.tables["users"]  # the ORM is too dear for what every write does
_allowed = func.coalesce(_USERS.c.contact_limit, bindparam("standard"))
_TAKE = (
    update(_USERS)
    .where(_USERS.c.id == bindparam("user"))
    .where(or_(_allowed == 0, _USERS.c.contact_count + bindparam("count") <= _allowed))
    .values(contact_count=_USERS.c.contact_count + bindparam("count"))
)
_RELEASE = (
    update(_USERS)
    .where(_USERS.c.id == bindparam("user"))
    # A count that is wrong all the same must not keep anybody from deleting.
    .values(
        contact_count=case(
            (
                _USERS.c.contact_count >= bindparam("count"),
                _USERS.c.contact_count - bindparam("count"),
            ),
            else_=0,
        )
    )
)
_USAGE = select(_allowed, _USERS.c.contact_count).where(_USERS.c.id == bindparam("user"))


class Credentials(NamedTuple):
    """What sign-in needs to know of an account."""

    user_id: int
    password_hash: str
    active: bool


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
        "email_index": _index("email", canonical),
        "username_index": username and _index("username", canonical_username(username)),
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
        user_id = db.session.execute(insert(User).returning(User.id), row).scalar_one()
    except IntegrityError as error:
        raise _taken(error) from None
    create_personal_book(user_id)
    return user_id


def find_credentials(login: str) -> Credentials | None:
    """The account that an address or user name means, or None."""
    try:
        if "@" in unicodedata.normalize("NFKC", login[:MAX_LOGIN]):
            row = lane().one(_BY_EMAIL, (_index("email", parse_email(login)[1]),))
        else:
            row = lane().one(_BY_USERNAME, (_index("username", canonical_username(login)),))
    except ValueError:
        return None
    return row and Credentials(row[0], row[1], bool(row[2]))


def show_user(user_id: int) -> dict[str, Any]:
    """The account as its owner sees it (schema User)."""
    row = lane().one(_SHOWN, (user_id,))
    if row is None:
        raise NotFound()
    id_, uid, sealed, key_id, role, verified, limit, count, version, created, updated, book = row
    profile = orjson.loads(keyring().cipher(key_id).open(sealed, *_place(uid)))
    return {
        "id": id_,
        "user_id": id_,
        "uid": uid,
        "email": profile["email"],
        "email_verified": bool(verified),
        **{key: profile.get(key) for key in PROFILE},
        "role": role,
        "book_id": book,
        "contact_limit": settings().contact_limit if limit is None else limit,
        "contact_count": count,
        "version": version,
        "created_at": clock.rfc3339(created),
        "updated_at": clock.rfc3339(updated),
    }


@write_transaction
def patch_profile(actor: Actor, patch: dict[str, Any], versions: tuple[int, ...] | None) -> None:
    """Apply a merge patch to the actor's own profile. Raises Conflict or PreconditionFailed."""
    user = db.session.get_one(User, actor.user_id, with_for_update=True)
    if versions is not None and user.version not in versions:
        raise PreconditionFailed(current_version=user.version)
    cipher = keyring().cipher(user.key_id)
    before = orjson.loads(cipher.open(user.sealed, *_place(user.uid)))
    after = {**before, **patch}
    if after == before:
        return
    username = after.get("username")
    user.username_index = _index("username", canonical_username(username)) if username else None
    user.sealed = cipher.seal(orjson.dumps(after), *_place(user.uid))
    user.version += 1
    user.updated_at = clock.now_ms()
    try:
        db.session.flush()
    except IntegrityError as error:
        raise _taken(error) from None


def take_contacts(owner_id: int, count: int) -> None:
    """Charge the owner for contacts in the running transaction; raise Forbidden at the limit."""
    parameters = {"user": owner_id, "count": count, "standard": settings().contact_limit}
    if db.session.execute(_TAKE, parameters).rowcount != 1:  # type: ignore[attr-defined]
        limit, used = db.session.execute(_USAGE, parameters).one()
        raise Forbidden(
            "contact_limit_reached",
            f"{used} of {limit} contacts are used.",
            limit=limit,
            used=used,
        )


def release_contacts(owner_id: int, count: int) -> None:
    """Give the owner back what take_contacts charged."""
    db.session.execute(_RELEASE, {"user": owner_id, "count": count})


def _taken(error: IntegrityError) -> Conflict:
    name = constraint_of(error)
    if "email_index" in name:
        return Conflict("email_taken")
    if "username_index" in name:
        return Conflict("username_taken")
    raise error


def _index(kind: str, canonical: str) -> bytes:
    return blind_index(keyring().purpose("index"), kind, canonical)


def _place(uid: str) -> tuple[object, ...]:
    return ("users", "sealed", uid, uid)
