"""Registration, the one sign-in, and the life of sessions."""

from __future__ import annotations

import logging
import uuid
from typing import Any, NamedTuple

import orjson
from flask import current_app

from .. import clock
from ..actor import Actor
from ..config import Settings, settings
from ..database import Sql, lane, write_transaction
from ..errors import FieldError, InvalidFields, NotFound, Unauthenticated
from ..keyring import keyring
from ..users.service import create_user, find_credentials, show_user
from . import tokens
from .passwords import PasswordHasher, check_policy

log = logging.getLogger("contactapp")

GRACE_MS = 10_000

_USER = "SELECT active, password_hash, key_id FROM users WHERE id = ?"
# A shared lock suffices to insert a session, but two that share one could not both write the hash.
_USER_SHARED = Sql(_USER, postgresql=f"{_USER} FOR SHARE")
_USER_LOCKED = Sql(_USER, postgresql=f"{_USER} FOR UPDATE")
_NEW_HASH = Sql("UPDATE users SET password_hash = ? WHERE id = ?")
_LEAF = Sql(
    "SELECT s.refresh_jti, s.refresh_parent, s.refresh_issued_at, s.refresh_expires_at, "
    "s.expires_at FROM session s JOIN users u ON u.id = s.user_id "
    "WHERE s.id = ? AND s.user_id = ? AND s.ended_at IS NULL AND s.expires_at > ? AND u.active"
)
_LIVE = Sql(
    "SELECT s.id, s.uid, s.sealed, s.created_at, s.last_used_at, s.expires_at FROM session s "
    "WHERE s.user_id = ? AND s.ended_at IS NULL AND s.expires_at > ? AND s.refresh_expires_at > ? "
    "ORDER BY s.id"
)
_LEAF_COLUMNS = ("refresh_jti", "refresh_issued_at", "refresh_expires_at")
_ROTATE = Sql(
    "UPDATE session SET refresh_parent = ?, refresh_jti = ?, refresh_issued_at = ?, "
    "refresh_expires_at = ? WHERE id = ? AND ended_at IS NULL AND refresh_jti = ?"
)
_END = "UPDATE session SET ended_at = ? WHERE ended_at IS NULL AND"
_END_ONE = Sql(f"{_END} user_id = ? AND id = ?")
_END_OTHERS = Sql(f"{_END} user_id = ? AND id <> ?")
_END_ALL = Sql(f"{_END} user_id = ?")


class TokenPair(NamedTuple):
    """What a sign-in or refresh hands out; `expires_in` in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int

    def shown(self) -> dict[str, Any]:
        """The answer of the token routes (RFC 6749 §5.1)."""
        return {**self._asdict(), "token_type": "bearer"}


class Client(NamedTuple):
    """Where a sign-in comes from."""

    user_agent: str | None
    address: str


class Leaf(NamedTuple):
    """The state of a session's refresh tokens, times in milliseconds."""

    jti: str
    parent: str | None
    issued_at: int
    expires_at: int
    session_expires_at: int


def hasher() -> PasswordHasher:
    """The password hasher of the current application."""
    return current_app.extensions["contactapp.hasher"]


def register(fields: dict[str, Any], role: str = "user", verified: bool = False) -> dict[str, Any]:
    """Make an account and return it as its owner sees it.

    Raises InvalidFields for a weak password, Conflict for a taken address or user name.
    """
    personal = [fields["email"], fields.get("username") or ""]
    problems = check_policy(fields["password"], personal=personal)
    if problems:
        raise InvalidFields(errors=[FieldError("/password", p.code, p.message) for p in problems])
    # Hashed before the transaction: 200 ms of it would hold every writer up.
    password_hash = hasher().hash(fields["password"])
    return show_user(_insert_user(fields, password_hash, role, verified))


@write_transaction
def _insert_user(fields: dict[str, Any], password_hash: str, role: str, verified: bool) -> int:
    return create_user(fields, password_hash, role, verified)


def sign_in(login: str, password: str, client: Client) -> TokenPair:
    """Check an account's password and open a session; every sign-in route ends here.

    Raises Unauthenticated (`invalid_credentials`), the same whether the account is unknown, the
    password wrong or the account disabled, after the same work.
    """
    # Twice, because a parallel sign-in may have renewed an old hash while this one checked it.
    pair = _sign_in(login, password, client) or _sign_in(login, password, client)
    if pair is None:
        raise Unauthenticated("invalid_credentials")
    return pair


def _sign_in(login: str, password: str, client: Client) -> TokenPair | None:
    """None where the stored hash changed while the password was checked against it."""
    found = find_credentials(login)
    matches = hasher().verify(password, found.password_hash if found else None)
    if found is None or not matches or not found.active:
        raise Unauthenticated("invalid_credentials")
    fresh = None
    if hasher().needs_rehash(found.password_hash):
        fresh = hasher().hash(password)
    return _open_session(found.user_id, found.password_hash, fresh, client)


@write_transaction
def _open_session(
    user_id: int, checked: str, fresh: str | None, client: Client
) -> TokenPair | None:
    """Insert the session, unless the password was changed while it was being checked."""
    row = lane().one(_USER_LOCKED if fresh else _USER_SHARED, (user_id,))
    if row is None or not row[0]:
        raise Unauthenticated("invalid_credentials")
    _, stored, key_id = row
    if stored != checked:
        return None
    if fresh is not None:
        lane().run(_NEW_HASH, (fresh, user_id))
    now, limits = clock.now_ms(), settings()
    uid = str(uuid.uuid4())
    about = orjson.dumps([(client.user_agent or "")[:300] or None, client.address])
    ends = now + limits.session_seconds * 1000
    leaf = _new_leaf(now, ends, limits)
    session = {
        "uid": uid,
        "user_id": user_id,
        "refresh_parent": None,
        **leaf,
        "sealed": keyring().cipher(key_id).seal(about, *_place(user_id, uid)),
        "created_at": now,
        "last_used_at": now,
        "expires_at": ends,
    }
    session_id = lane().insert("session", session)
    return _pair(user_id, session_id, now, leaf)


def refresh(token: str) -> TokenPair:
    """Spend a refresh token for its child.

    The direct parent of the live leaf is answered with the same child again for 10 s, so that a
    lost answer or a second tab signs nobody out. Any other spent token ends the session
    (RFC 9700 §4.14.2). Raises Unauthenticated.
    """
    claims = tokens.verify(token, "refresh")
    pair = _rotate(claims)
    if pair is None:
        log.warning("a spent refresh token came back, session %d ended", claims.session_id)
        raise Unauthenticated("refresh_token_reused")
    return pair


@write_transaction
def _rotate(claims: tokens.Claims) -> TokenPair | None:
    """The next pair, or None after ending the session: that end must be committed, so it is told
    by the caller and not by an exception here."""
    now = clock.now_ms()
    leaf = _leaf(claims, now)
    child = _new_leaf(now, leaf.session_expires_at, settings())
    leaf_columns = tuple(child[name] for name in _LEAF_COLUMNS)
    if lane().run(_ROTATE, (claims.jti, *leaf_columns, claims.session_id, claims.jti)) == 1:
        return _pair(claims.user_id, claims.session_id, now, child)
    leaf = _leaf(claims, now)  # somebody else rotated: now the live leaf is theirs
    if claims.jti == leaf.parent and now - leaf.issued_at <= GRACE_MS:
        known = {
            "refresh_jti": leaf.jti,
            "refresh_issued_at": leaf.issued_at,
            "refresh_expires_at": leaf.expires_at,
        }
        return _pair(claims.user_id, claims.session_id, now, known)
    lane().run(_END_ONE, (now, claims.user_id, claims.session_id))
    return None


def _leaf(claims: tokens.Claims, now: int) -> Leaf:
    row = lane().one(_LEAF, (claims.session_id, claims.user_id, now))
    if row is None:
        raise Unauthenticated("invalid_token")
    return Leaf(*row)


def _new_leaf(now: int, session_ends: int, limits: Settings) -> dict[str, Any]:
    return {
        "refresh_jti": uuid.uuid4().hex,
        "refresh_issued_at": now,
        "refresh_expires_at": min(now + limits.session_idle_seconds * 1000, session_ends),
    }


def _pair(user_id: int, session_id: int, now: int, leaf: dict[str, Any]) -> TokenPair:
    lifetime = settings().access_token_seconds
    return TokenPair(
        tokens.issue_access(user_id, session_id, now // 1000, lifetime),
        tokens.issue_refresh(
            user_id,
            session_id,
            leaf["refresh_jti"],
            leaf["refresh_issued_at"] // 1000,
            leaf["refresh_expires_at"] // 1000,
        ),
        lifetime,
    )


def log_out(actor: Actor, scope: str) -> None:
    """End this session (`local`), all but this one (`others`), or `all` of the user's."""
    if scope == "all":
        _end_sessions(_END_ALL, actor.user_id)
    else:
        _end_sessions(
            _END_ONE if scope == "local" else _END_OTHERS, actor.user_id, actor.session_id
        )


def end_session(actor: Actor, session_id: int) -> None:
    """End one of the user's own live sessions. Raises NotFound."""
    if _end_sessions(_END_ONE, actor.user_id, session_id) == 0:
        raise NotFound()


@write_transaction
def _end_sessions(sql: Sql, *of: int) -> int:
    return lane().run(sql, (clock.now_ms(), *of))


def list_sessions(actor: Actor) -> list[dict[str, Any]]:
    """The user's live sessions, oldest first (schema Session)."""
    now = clock.now_ms()
    cipher = keyring().cipher(actor.key_id)
    sessions = []
    for id_, uid, sealed, created, used, ends in lane().all(_LIVE, (actor.user_id, now, now)):
        user_agent, address = orjson.loads(cipher.open(sealed, *_place(actor.user_id, uid)))
        sessions.append(
            {
                "id": id_,
                "user_agent": user_agent,
                "address": address,
                "created_at": clock.rfc3339(created),
                "last_used_at": clock.rfc3339(used),
                "expires_at": clock.rfc3339(ends),
                "is_current": id_ == actor.session_id,
            }
        )
    return sessions


def _place(user_id: int, uid: str) -> tuple[object, ...]:
    return ("session", "sealed", user_id, uid)
