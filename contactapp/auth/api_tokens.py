"""API tokens: what programs sign in with, each for some scopes.

A token is `ca_` and 256 random bits. The database holds its SHA-256, which opens nothing and needs
no salt or slow hash: nobody guesses 256 bits (ASVS 6.6.3 is about what people choose).
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from threading import Lock
from typing import Any, NamedTuple

from flask import Flask, current_app

from .. import clock
from ..actor import Actor
from ..audit import service as audit
from ..database import Sql, lane, write_transaction
from ..errors import Forbidden, InvalidFields, NotFound, Unauthenticated
from ..keyring import keyring
from ..users.service import lock_owner

PREFIX = "ca_"
MAX_NAME = 100  # characters
MAX_TOKENS = 50  # of a user: each is a secret that may get lost
_LENGTH = len(PREFIX) + 43
_KNOWN = 8192  # tokens remembered by a process
# Milliseconds until it looks again: whom a revoked token belonged to must not be charged for it in
# their quota for ever.
_REMEMBERED = 60_000

_WHOSE = Sql("SELECT user_id, id, scopes, expires_at FROM api_token WHERE hash = ?")
_OWN = Sql(
    "SELECT id, uid, sealed, scopes, created_at, expires_at, last_used_at FROM api_token "
    "WHERE user_id = ? ORDER BY id DESC"
)
_COUNT = Sql("SELECT count(*) FROM api_token WHERE user_id = ?")
_SIGNED_IN = Sql("SELECT 1 FROM session WHERE id = ? AND user_id = ? AND ended_at IS NULL")
_DELETE = Sql("DELETE FROM api_token WHERE user_id = ? AND id = ?")
_FORGET = Sql("DELETE FROM api_token WHERE user_id = ?")


class ApiClaims(NamedTuple):
    """Whose a token is, what for and until when: facts that never change. It may be gone."""

    user_id: int
    token_id: int
    scopes: frozenset[str]
    expires_at: int | None


class KnownTokens:
    """The tokens that this process has seen lately, by their hashes, so that a request needs one
    read of the database as with a session. Whether a token is still there is never kept."""

    def __init__(self) -> None:
        self._found: dict[bytes, tuple[int, ApiClaims]] = {}
        self._lock = Lock()

    def claims(self, token: str) -> ApiClaims | None:
        """Whose it is, or None for what is no token of ours, or none any more."""
        if len(token) != _LENGTH or not token.isascii():
            return None
        digest, now = hashlib.sha256(token.encode()).digest(), clock.now_ms()
        read_at, known = self._found.get(digest, (0, None))
        if abs(now - read_at) > _REMEMBERED:
            known = self._read(digest, now)
        if known is None or (known.expires_at is not None and known.expires_at <= now):
            return None
        return known

    def _read(self, digest: bytes, now: int) -> ApiClaims | None:
        row = lane().one(_WHOSE, (digest,))
        with self._lock:
            if row is None:
                self._found.pop(digest, None)
                return None
            known = ApiClaims(row[0], row[1], frozenset(row[2].split()), row[3])
            if len(self._found) >= _KNOWN:
                self._found.clear()
            self._found[digest] = now, known
        return known


def init_app(app: Flask) -> None:
    """Give the application its memory of tokens."""
    app.extensions["contactapp.api_tokens"] = KnownTokens()


def claims_of(token: str) -> ApiClaims | None:
    """Whose an API token is, or None."""
    known: KnownTokens = current_app.extensions["contactapp.api_tokens"]
    return known.claims(token)


def create_token(actor: Actor, fields: dict[str, Any]) -> dict[str, Any]:
    """Make a token of loaded fields (schema ApiTokenInput); its text is in the answer and nowhere
    else. Raises Forbidden (`api_token_limit_reached`), InvalidFields for an expiry that has
    passed, and Unauthenticated where the session ended meanwhile."""
    now, expires = clock.now_ms(), fields.get("expires_at")
    expires_ms = int(expires.timestamp() * 1000) if expires else None
    if expires_ms is not None and expires_ms <= now:
        raise InvalidFields.one("/expires_at", "in_the_past", "This time has passed.")
    token, uid = PREFIX + secrets.token_urlsafe(32), str(uuid.uuid4())
    place = _place(actor.user_id, uid)
    row: dict[str, Any] = {
        "uid": uid,
        "user_id": actor.user_id,
        "hash": hashlib.sha256(token.encode()).digest(),
        "scopes": " ".join(sorted(set(fields["scopes"]))),
        "sealed": keyring().cipher(actor.key_id).seal(fields["name"].encode(), *place),
        "created_at": now,
        "expires_at": expires_ms,
        "last_used_at": None,
    }
    token_id = _insert(actor, row)
    shown = _shown(token_id, fields["name"], row["scopes"], now, expires_ms, None)
    return {**shown, "token": token}


@write_transaction
def _insert(actor: Actor, row: dict[str, Any]) -> int:
    lock_owner(actor.user_id)  # else two at once would not count each other
    # A reset takes every token away, and who was let in before it waits here until it is done.
    if lane().one(_SIGNED_IN, (actor.session_id, actor.user_id)) is None:
        raise Unauthenticated("invalid_token")
    [used] = lane().one(_COUNT, (actor.user_id,))
    if used >= MAX_TOKENS:
        problem = f"{used} of {MAX_TOKENS} API tokens are used."
        raise Forbidden("api_token_limit_reached", problem, limit=MAX_TOKENS, used=used)
    token_id: int = lane().insert("api_token", row)
    _record("api_token_made", actor, {"api_token_id": token_id, "scopes": row["scopes"].split()})
    return token_id


@write_transaction
def delete_token(actor: Actor, token_id: int) -> None:
    """Revoke one of the actor's own tokens, from the next request on. Raises NotFound."""
    if lane().run(_DELETE, (actor.user_id, token_id)) == 0:
        raise NotFound()
    _record("api_token_revoked", actor, {"api_token_id": token_id})


def _record(kind: str, actor: Actor, details: dict[str, Any]) -> None:
    audit.record(kind, actor.user_id, actor.key_id, actor.request_id, details)


def list_tokens(actor: Actor) -> list[dict[str, Any]]:
    """The actor's tokens, the newest first, without their texts (schema ApiToken)."""
    cipher = keyring().cipher(actor.key_id)
    return [
        _shown(id_, cipher.open(sealed, *_place(actor.user_id, uid)).decode(), *about)
        for id_, uid, sealed, *about in lane().all(_OWN, (actor.user_id,))
    ]


def _shown(
    id_: int, name: str, scopes: str, created: int, expires: int | None, used: int | None
) -> dict[str, Any]:
    return {
        "id": id_,
        "name": name,
        "scopes": scopes.split(),
        "created_at": clock.rfc3339(created),
        "expires_at": expires and clock.rfc3339(expires),
        "last_used_at": used and clock.rfc3339(used),
    }


def forget(user_id: int) -> None:
    """Revoke all tokens of a user, in the running transaction."""
    lane().run(_FORGET, (user_id,))


def _place(user_id: int, uid: str) -> tuple[object, ...]:
    return ("api_token", "sealed", user_id, uid)
