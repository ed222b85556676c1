"""Registration, and the one sign-in."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from flask import current_app

from ..audit import service as audit
from ..config import settings
from ..crypto import SealError
from ..database import Sql, lane, write_transaction
from ..engine import DatabaseFailure
from ..errors import FieldError, Forbidden, InvalidFields, Unauthenticated
from ..keyring import MissingKey
from ..users.service import (
    Credentials,
    create_user,
    find_credentials,
    lock_owner,
    set_password,
    show_user,
)
from . import attempts, links, places, second_factor
from .passwords import PasswordHasher, check_policy
from .sessions import Client, TokenPair, open_session

log = logging.getLogger("contactapp")

_USER = "SELECT active, password_hash, key_id, email_verified FROM users WHERE id = ?"
# A shared lock suffices to insert a session, but two that share one could not both write the hash.
_USER_SHARED = Sql(_USER, postgresql=f"{_USER} FOR SHARE")
_USER_LOCKED = Sql(_USER, postgresql=f"{_USER} FOR UPDATE")


class Proof(NamedTuple):
    """What somebody shows to be let in, and whether they come from where they were before."""

    password: str
    otp: str | None
    known: bool


def hasher() -> PasswordHasher:
    """The password hasher of the current application."""
    return current_app.extensions["contactapp.hasher"]


def register(
    fields: dict[str, Any], request_id: str, role: str = "user", verified: bool = False
) -> dict[str, Any]:
    """Make an account and return it as its owner sees it; mail its address for confirmation.

    Raises InvalidFields for a weak password, Conflict for a taken address or user name.
    """
    password_hash = hashed(fields["password"], "/password", fields)
    return show_user(_insert_user(fields, password_hash, request_id, role, verified))


def hashed(password: str, pointer: str, about: dict[str, Any]) -> str:
    """The hash of a new password, made before the transaction: 200 ms in it would hold every writer
    up. Raises InvalidFields for a weak one."""
    refuse_weak(password, pointer, about)
    return hasher().hash(password)


def refuse_weak(password: str, pointer: str, about: dict[str, Any]) -> None:
    """Raise InvalidFields for a weak password; `about` holds its owner's `email` and `username`."""
    personal = [about.get("email") or "", about.get("username") or ""]
    problems = check_policy(password, personal=personal)
    if problems:
        raise InvalidFields(errors=[FieldError(pointer, p.code, p.message) for p in problems])


@write_transaction
def _insert_user(
    fields: dict[str, Any], password_hash: str, request_id: str, role: str, verified: bool
) -> int:
    user_id = create_user(fields, password_hash, role, verified)
    owner = lock_owner(user_id)
    audit.record("registered", user_id, owner.key_id, request_id)
    if not verified and settings().email_verification != "off":
        links.issue(owner, "verify", owner.email)
    return user_id


def sign_in(login: str, password: str, otp: str | None, client: Client) -> TokenPair:
    """Check an account's password, and its one-time code where it asks for one, and open a session;
    every sign-in route ends here.

    Raises TooManyRequests before anything is checked; Unauthenticated (`invalid_credentials`), the
    same whether the account is unknown, the password wrong or the account deactivated, after the
    same work; where the password is right, Unauthenticated (`otp_required`, `invalid_otp`), and
    Forbidden (`email_not_verified`) where that is required.
    """
    found = find_credentials(login)
    subject = attempts.subject_of(found and found.user_id, login)
    known = places.is_known(found.user_id if found else 0, client.address)
    attempts.count_try(subject, client.address, known=known)
    # Twice, because a parallel sign-in may have renewed an old hash while this one checked it.
    proof = Proof(password, otp, known)
    pair = _sign_in(found, proof, client)
    if pair is None:
        pair = _sign_in(find_credentials(login), proof, client)
    if pair is None:
        raise Unauthenticated("invalid_credentials")
    attempts.forgive(subject, client.address, known=known)
    if found is not None and otp is not None:
        attempts.forgive_codes(found.user_id, client.address, known=known)
    return pair


def _note_failure(found: Credentials, client: Client) -> None:
    """Neither a busy database nor an account that is just being erased may make the answer another
    one, or a later one, than for unknown accounts."""
    about = (found.user_id, found.key_id, client.request_id, client.details)
    try:
        audit.note("sign_in_failed", *about)
    except (DatabaseFailure, MissingKey, SealError):
        log.warning("a failed sign-in of account %d could not be recorded", found.user_id)


def _sign_in(found: Credentials | None, proof: Proof, client: Client) -> TokenPair | None:
    """None where the stored hash changed while the password was checked against it."""
    matches = hasher().verify(proof.password, found.password_hash if found else None)
    if found is None:
        audit.count_unknown(attempts.quota())
        raise Unauthenticated("invalid_credentials")
    if not matches or not found.active:
        _note_failure(found, client)
        raise Unauthenticated("invalid_credentials")
    fresh = None
    if hasher().needs_rehash(found.password_hash):
        fresh = hasher().hash(proof.password)
    if proof.otp is not None:
        attempts.count_code(found.user_id, client.address, known=proof.known)
    try:
        return _open_session(found.user_id, found.password_hash, fresh, proof.otp, client)
    except (Forbidden, Unauthenticated) as refusal:
        if refusal.code != "otp_required":  # that is half a sign-in, and no failed one
            _note_failure(found, client)
        raise


@write_transaction
def _open_session(
    user_id: int, checked: str, fresh: str | None, otp: str | None, client: Client
) -> TokenPair | None:
    """Open the session, unless the password was changed while it was being checked."""
    row = lane().one(_USER_LOCKED if fresh else _USER_SHARED, (user_id,))
    if row is None or not row[0]:
        raise Unauthenticated("invalid_credentials")
    _, stored, key_id, verified = row
    if stored != checked:
        return None
    if settings().email_verification == "required" and not verified:
        raise Forbidden("email_not_verified")
    second_factor.check(user_id, key_id, otp, client.request_id)
    if fresh is not None:
        set_password(user_id, fresh)
    return open_session(user_id, key_id, client)
