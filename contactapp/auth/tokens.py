"""Access and refresh tokens: issued and decoded by Flask-JWT-Extended, judged by us.

Flask-JWT-Extended takes any signed token that is not `refresh` as an access token and fills in
missing claims. So every purpose has a key of its own (named in `kid`), and a token counts only
with exactly our header and with type, exp, iat, jti, aud, iss, sub and sid (RFC 8725 §3).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt as pyjwt
from flask import Flask, current_app
from flask_jwt_extended import create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException

from .. import clock
from ..crypto import derive
from ..errors import Unauthenticated
from ..extensions import jwt
from ..incoming import MAX_ID

if TYPE_CHECKING:
    from ..config import NamedSecret

PURPOSES = ("access", "refresh")
ISSUER = "contactapp"
AUDIENCE = "contactapp-api"
MAX_LENGTH = 2048
_CLAIMS = {"type", "exp", "iat", "jti", "aud", "iss", "sub", "sid", "fresh"}
_JTI = re.compile("[0-9a-f]{32}")
_SUB = re.compile("[1-9][0-9]{0,15}")


class Subject(NamedTuple):
    """What Flask-JWT-Extended calls the identity: it also tells which key signs."""

    user_id: int
    purpose: str


class Claims(NamedTuple):
    """A token whose signature and form are right; times in seconds. It may have expired."""

    user_id: int
    session_id: int
    jti: str
    issued_at: int
    expires_at: int


class TokenKeys:
    """A signing key per secret and purpose, and the verified tokens of this process.

    The cache spares the signature's check, never the token's validity: expiry is compared and the
    session read on every request.
    """

    def __init__(self, secrets: tuple[NamedSecret, ...]) -> None:
        self._newest = secrets[0].id
        self._keys = {
            f"{secret.id}.{purpose}": derive(secret.value, f"contactapp {purpose} token")
            for secret in secrets
            for purpose in PURPOSES
        }
        self.verified: Callable[[str, str], Claims] = lru_cache(maxsize=8192)(self._verify)

    def kid(self, purpose: str) -> str:
        """The id of the key that signs this purpose now."""
        return f"{self._newest}.{purpose}"

    def key(self, kid: str) -> bytes:
        """The key of an id. Raises KeyError."""
        return self._keys[kid]

    def _verify(self, token: str, purpose: str) -> Claims:
        header = pyjwt.get_unverified_header(token)
        kid = header.get("kid")
        if header != {"alg": "HS256", "typ": "JWT", "kid": kid} or kid not in self._keys:
            raise ValueError("not a header of ours")
        if kid.rpartition(".")[2] != purpose:
            raise ValueError("a token of another purpose")
        # The claims as they are: decode_token would fill in a missing type or jti.
        sent = pyjwt.decode(token, options={"verify_signature": False})
        claims = decode_token(token, allow_expired=True)
        if sent != claims or claims.keys() != _CLAIMS:
            raise ValueError("not the claims of ours")
        if (claims["type"], claims["aud"], claims["iss"]) != (purpose, AUDIENCE, ISSUER):
            raise ValueError("of another type, or for others too")
        if not _JTI.fullmatch(claims["jti"]) or not _SUB.fullmatch(claims["sub"]):
            raise ValueError("not a jti or sub of ours")
        numbers = [claims["sid"], claims["iat"], claims["exp"], int(claims["sub"])]
        if not all(type(n) is int and 0 < n <= MAX_ID for n in numbers):
            raise ValueError("not the numbers of ours")
        session_id, issued_at, expires_at, user_id = numbers
        return Claims(user_id, session_id, claims["jti"], issued_at, expires_at)


# What the libraries raise for hostile tokens, beside their own: wrong types, broken base64, and
# the recursion of a deeply nested payload.
_REFUSED = (
    pyjwt.PyJWTError,
    JWTExtendedException,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)


def init_app(app: Flask, secrets: tuple[NamedSecret, ...]) -> None:
    """Configure Flask-JWT-Extended and give the application its keys."""
    app.config.update(
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_ENCODE_ISSUER=ISSUER,
        JWT_DECODE_ISSUER=ISSUER,
        JWT_ENCODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_AUDIENCE=AUDIENCE,
        JWT_ENCODE_NBF=False,
        JWT_TOKEN_LOCATION=["headers"],
        # No cookies, so no CSRF value: it would make each refresh token unique.
        JWT_COOKIE_CSRF_PROTECT=False,
        # We compare the expiry ourselves, without leeway, on every use. PyJWT would also refuse an
        # `iat` ahead of a clock that was set back, which would sign everybody out.
        JWT_DECODE_LEEWAY=10 * 365 * 86400,
    )
    jwt.init_app(app)
    app.extensions["contactapp.tokens"] = TokenKeys(secrets)


def token_keys() -> TokenKeys:
    """The keys of the current application."""
    return current_app.extensions["contactapp.tokens"]


@jwt.user_identity_loader
def _subject(subject: Subject) -> str:
    return str(subject.user_id)


@jwt.encode_key_loader
def _signing_key(subject: Subject) -> bytes:
    keys = token_keys()
    return keys.key(keys.kid(subject.purpose))


@jwt.decode_key_loader
def _checking_key(header: dict[str, Any], _claims: dict[str, Any]) -> bytes:
    return token_keys().key(header["kid"])


def issue_access(user_id: int, session_id: int, now: int, lifetime: int) -> str:
    """An access token; `now` and `lifetime` in seconds."""
    claims = {"sid": session_id, "iat": now, "exp": now + lifetime, "jti": uuid.uuid4().hex}
    return _issue(create_access_token, Subject(user_id, "access"), claims)


def issue_refresh(user_id: int, session_id: int, jti: str, issued_at: int, expires_at: int) -> str:
    """A refresh token; the same arguments always give the same token, so that a lost answer can
    be repeated. Times in seconds."""
    claims = {"sid": session_id, "iat": issued_at, "exp": expires_at, "jti": jti}
    return _issue(create_refresh_token, Subject(user_id, "refresh"), claims)


def _issue(create: Callable[..., str], subject: Subject, claims: dict[str, Any]) -> str:
    return create(
        subject,
        additional_claims=claims,
        additional_headers={"kid": token_keys().kid(subject.purpose)},
        expires_delta=False,
    )


def verify(token: str, purpose: str) -> Claims:
    """The claims of a token of this purpose that has not expired. Raises Unauthenticated."""
    try:
        if len(token) > MAX_LENGTH:
            raise ValueError("longer than any token of ours")
        claims = token_keys().verified(token, purpose)
    except _REFUSED:
        raise Unauthenticated("invalid_token") from None
    if claims.expires_at * 1000 <= clock.now_ms():
        raise Unauthenticated("invalid_token")
    return claims
