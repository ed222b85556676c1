"""The life of sessions: opened, refreshed, listed, ended."""

from __future__ import annotations

import logging
import uuid
from typing import Any, NamedTuple

import orjson

from .. import clock
from ..actor import Actor
from ..audit import service as audit
from ..config import Settings, settings
from ..database import Sql, lane, write_transaction
from ..errors import NotFound, Unauthenticated
from ..keyring import keyring
from . import places, tokens

log = logging.getLogger("contactapp")

GRACE_MS = 10_000

_LEAF = Sql(
    "SELECT s.refresh_jti, s.refresh_parent, s.refresh_issued_at, s.refresh_expires_at, "
    "s.expires_at, u.key_id FROM session s JOIN users u ON u.id = s.user_id "
    "WHERE s.id = ? AND s.user_id = ? AND s.ended_at IS NULL AND s.expires_at > ? AND u.active"
)
_LIVE = Sql(
    "SELECT s.id, s.uid, s.sealed, s.created_at, s.last_used_at, s.expires_at FROM session s "
    "WHERE s.user_id = ? AND s.ended_at IS NULL AND s.expires_at > ? AND s.refresh_expires_at > ? "
    "ORDER BY s.id DESC"
)
_LEAF_COLUMNS = ("refresh_jti", "refresh_issued_at", "refresh_expires_at")
_ROTATE = Sql(
    "UPDATE session SET refresh_parent = ?, refresh_jti = ?, refresh_issued_at = ?, "
    "refresh_expires_at = ? WHERE id = ? AND ended_at IS NULL AND refresh_jti = ?"
)
_RENEW = Sql(
    "UPDATE session SET refresh_parent = NULL, refresh_jti = ?, refresh_issued_at = ?, "
    "refresh_expires_at = ? WHERE id = ? AND user_id = ? AND ended_at IS NULL"
)
_ENDS = Sql("SELECT expires_at FROM session WHERE id = ? AND user_id = ? AND ended_at IS NULL")
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
    """Where a request comes from."""

    user_agent: str | None
    address: str
    request_id: str

    @property
    def details(self) -> dict[str, Any]:
        """What the audit trail says of it."""
        return {"address": self.address, "user_agent": (self.user_agent or "")[:300] or None}


class Leaf(NamedTuple):
    """The state of a session's refresh tokens, times in milliseconds."""

    jti: str
    parent: str | None
    issued_at: int
    expires_at: int
    session_expires_at: int
    key_id: int


def open_session(user_id: int, key_id: int, client: Client) -> TokenPair:
    """Insert a session in the running transaction."""
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
    places.remember(user_id, client.address)
    details = {**client.details, "session_id": session_id}
    audit.record("signed_in", user_id, key_id, client.request_id, details)
    return _pair(user_id, session_id, now, leaf)


def renew_session(actor: Actor) -> TokenPair:
    """Fresh tokens of the actor's session in the running transaction; its refresh tokens of before
    are spent. Raises Unauthenticated where it ended meanwhile."""
    now = clock.now_ms()
    row = lane().one(_ENDS, (actor.session_id, actor.user_id))
    if row is None:
        raise Unauthenticated("invalid_token")
    leaf = _new_leaf(now, row[0], settings())
    columns = tuple(leaf[name] for name in _LEAF_COLUMNS)
    if lane().run(_RENEW, (*columns, actor.session_id, actor.user_id)) != 1:
        raise Unauthenticated("invalid_token")
    return _pair(actor.user_id, actor.session_id, now, leaf)


def refresh(token: str, client: Client) -> TokenPair:
    """Spend a refresh token for its child.

    The direct parent of the live leaf is answered with the same child again for 10 s, so that a
    lost answer or a second tab signs nobody out. Any other spent token ends the session
    (RFC 9700 §4.14.2). Raises Unauthenticated.
    """
    claims = tokens.verify(token, "refresh")
    pair = _rotate(claims, client)
    if pair is None:
        log.warning("a spent refresh token came back, session %d ended", claims.session_id)
        raise Unauthenticated("refresh_token_reused")
    return pair


@write_transaction
def _rotate(claims: tokens.Claims, client: Client) -> TokenPair | None:
    """The next pair, or None after ending the session: that end must be committed, so it is told
    by the caller and not by an exception here."""
    now = clock.now_ms()
    leaf = _leaf(claims, now)
    child = _new_leaf(now, leaf.session_expires_at, settings())
    leaf_columns = tuple(child[name] for name in _LEAF_COLUMNS)
    if lane().run(_ROTATE, (claims.jti, *leaf_columns, claims.session_id, claims.jti)) == 1:
        return _pair(claims.user_id, claims.session_id, now, child)
    leaf = _leaf(claims, now)  # somebody else rotated: now the live leaf is theirs
    # On either side: after a clock was set back, the grace would last until it has caught up.
    if claims.jti == leaf.parent and abs(now - leaf.issued_at) <= GRACE_MS:
        known = {
            "refresh_jti": leaf.jti,
            "refresh_issued_at": leaf.issued_at,
            "refresh_expires_at": leaf.expires_at,
        }
        return _pair(claims.user_id, claims.session_id, now, known)
    lane().run(_END_ONE, (now, claims.user_id, claims.session_id))
    details = {**client.details, "session_id": claims.session_id}
    audit.record("refresh_token_reused", claims.user_id, leaf.key_id, client.request_id, details)
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


@write_transaction
def log_out(actor: Actor, scope: str) -> None:
    """End this session (`local`), all but this one (`others`), or `all` of the user's."""
    if scope == "all":
        end_all(actor.user_id)
    elif scope == "others":
        end_others(actor)
    else:
        lane().run(_END_ONE, (clock.now_ms(), actor.user_id, actor.session_id))
    details = {"scope": scope, "session_id": actor.session_id}
    audit.record("signed_out", actor.user_id, actor.key_id, actor.request_id, details)


@write_transaction
def end_session(actor: Actor, session_id: int) -> None:
    """End one of the user's own live sessions. Raises NotFound."""
    if lane().run(_END_ONE, (clock.now_ms(), actor.user_id, session_id)) == 0:
        raise NotFound()
    details = {"session_id": session_id}
    audit.record("signed_out", actor.user_id, actor.key_id, actor.request_id, details)


def end_all(user_id: int) -> None:
    """End every session of a user in the running transaction."""
    lane().run(_END_ALL, (clock.now_ms(), user_id))


def end_others(actor: Actor) -> None:
    """End every session of the actor's but this one, in the running transaction."""
    lane().run(_END_OTHERS, (clock.now_ms(), actor.user_id, actor.session_id))


def list_sessions(actor: Actor) -> list[dict[str, Any]]:
    """The user's live sessions, the newest first (schema Session)."""
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
