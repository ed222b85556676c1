"""Proving an address, a forgotten password, and changing either."""

from __future__ import annotations

from typing import NamedTuple

from ..actor import Actor
from ..audit import service as audit
from ..database import Sql, lane, write_transaction
from ..errors import Conflict, Forbidden
from ..feeds import service as feeds
from ..jobs.service import Effect, Job, enqueue
from ..users.service import (
    Owner,
    email_is_taken,
    find_credentials,
    lock_owner,
    read_owner,
    set_email,
    set_password,
    set_verified,
)
from ..webhooks import service as webhooks
from . import api_tokens, attempts, links, places, second_factor
from .links import Link
from .service import hashed, hasher
from .sessions import Client, TokenPair, end_all, end_others, renew_session

_SIGNED_IN = Sql("SELECT 1 FROM session WHERE user_id = ? LIMIT 1")


class Verified(NamedTuple):
    """What came of proving an address. Where somebody else may have made the account, everything
    of theirs is gone, and a new password has to be set by mail."""

    needs_password: bool


def ask_for_mail(kind: str, email: str) -> None:
    """Queue `auth.forgot` or `auth.resend` for whoever has this address, if anybody has: the same
    work whether there is an account or not, so that nobody can tell (ASVS 6.3.8)."""
    found = find_credentials(email)
    _queue(kind, found.user_id if found else None)


@write_transaction
def _queue(kind: str, user_id: int | None) -> None:
    enqueue(kind, user_id=user_id)


def verify_email(
    token: str | None,
    email: str | None,
    code: str | None,
    password: str | None,
    actor: Actor | None,
    client: Client,
) -> Verified:
    """Prove an address by the token or the code of its mail.

    The mailbox alone does not prove who made the account: somebody may have registered another
    person's address and be signed in to wait for them (CVE-2026-44166). Who also knows the password
    or is signed in keeps everything. Else, if anybody ever signed in, all sessions and links end
    and the password opens nothing any more. Raises BadRequest (`invalid_link`).
    """
    if token is not None:
        link = links.find(token, "verify")
    else:
        found = find_credentials(email or "")
        link = links.find_by_code(found.user_id if found else None, "verify", code or "")
    owner = read_owner(link.user_id)
    checked = None
    if (
        owner is not None
        and password is not None
        and hasher().verify(password, owner.password_hash)
    ):
        checked = owner.password_hash
    return _verify(link, checked, actor is not None and actor.user_id == link.user_id, client)


@write_transaction
def _verify(link: Link, checked: str | None, signed_in: bool, client: Client) -> Verified:
    owner = lock_owner(link.user_id)
    links.spend(link)
    set_verified(owner.user_id)
    _record("email_verified", owner, client)
    if signed_in or checked == owner.password_hash:
        return Verified(needs_password=False)
    if lane().one(_SIGNED_IN, (owner.user_id,)) is None:
        return Verified(needs_password=False)
    _clear(owner)
    _record("account_cleared", owner, client)
    links.issue(owner, "reset", owner.email, proven=True)
    return Verified(needs_password=True)


def _clear(owner: Owner) -> None:
    """End whatever somebody holds of an account besides its mailbox."""
    set_password(owner.user_id, None)
    end_all(owner.user_id)
    links.end(owner.user_id)
    places.forget(owner.user_id)
    api_tokens.forget(owner.user_id)
    feeds.forget(owner.user_id)
    webhooks.forget(owner.user_id)
    # Whoever made the account for an address that was not theirs may have set one. Of an owner who
    # proved the address before, it stays: a mailbox alone is one factor.
    if not owner.email_verified:
        second_factor.forget(owner.user_id)


def _record(kind: str, owner: Owner, client: Client) -> None:
    audit.record(kind, owner.user_id, owner.key_id, client.request_id, client.details)


def reset_password(token: str, new_password: str, client: Client) -> None:
    """Set a new password by the token of a mail; every session ends. Raises BadRequest
    (`invalid_link`) and InvalidFields."""
    link = links.find(token, "reset")
    owner = read_owner(link.user_id)
    about = owner.profile if owner else {}
    _reset(link, hashed(new_password, "/new_password", about), client)


@write_transaction
def _reset(link: Link, password_hash: str, client: Client) -> None:
    owner = lock_owner(link.user_id)
    links.spend(link)
    _clear(owner)
    set_password(owner.user_id, password_hash)
    set_verified(owner.user_id)  # the mailbox is theirs: the mail went there
    # Else strangers' tries could keep its owner out at a place where they never were.
    places.remember(owner.user_id, client.address)
    _record("password_reset", owner, client)
    enqueue("mail.password_changed", user_id=owner.user_id)


def change_password(actor: Actor, current: str, new_password: str) -> TokenPair:
    """Set a new password; the other sessions end, this one gets new tokens. Raises Forbidden
    (`wrong_password`) and InvalidFields."""
    owner = proven(actor, current)
    return _change(actor, owner.password_hash, hashed(new_password, "/new_password", owner.profile))


@write_transaction
def _change(actor: Actor, checked: str, password_hash: str) -> TokenPair:
    owner = lock_owner(actor.user_id)
    if owner.password_hash != checked:
        raise Forbidden("wrong_password")  # it was changed while this one was being checked
    set_password(owner.user_id, password_hash)
    end_others(actor)
    links.end(owner.user_id, "reset")
    audit.record("password_changed", owner.user_id, owner.key_id, actor.request_id)
    enqueue("mail.password_changed", user_id=owner.user_id)
    return renew_session(actor)


def ask_for_email(actor: Actor, password: str, email: str) -> None:
    """Mail a link to a new address, which becomes the account's when it is opened. Raises Forbidden
    (`wrong_password`) and Conflict (`email_taken`)."""
    proven(actor, password)
    if email_is_taken(email):
        raise Conflict("email_taken")
    _ask_for_email(actor, email)


@write_transaction
def _ask_for_email(actor: Actor, email: str) -> None:
    links.issue(lock_owner(actor.user_id), "email", email)


def confirm_email(token: str, client: Client) -> None:
    """Give an account the address that its link was mailed to; the old one is told. Raises
    BadRequest (`invalid_link`) and Conflict (`email_taken`)."""
    _confirm_email(links.find(token, "email"), client)


@write_transaction
def _confirm_email(link: Link, client: Client) -> None:
    owner = lock_owner(link.user_id)
    links.spend(link)
    links.end(owner.user_id)  # what was mailed to the old address
    old = links.remember(owner, owner.email)
    set_email(owner, link.address(owner.key_id))
    _record("email_changed", owner, client)
    enqueue("mail.email_changed", old, owner.user_id)


def proven(actor: Actor, password: str) -> Owner:
    """The actor's account, if this is its password. Raises Forbidden (`wrong_password`), and
    TooManyRequests before anything is checked."""
    attempts.count_proof(actor.user_id)
    owner = read_owner(actor.user_id)
    if not hasher().verify(password, owner.password_hash if owner else None) or owner is None:
        raise Forbidden("wrong_password")
    return owner


def answer_asking(job: Job) -> Effect:
    """What the jobs `auth.forgot` and `auth.resend` do: the mail, where the account wants one."""
    purpose = "reset" if job.kind == "auth.forgot" else "verify"
    return lambda: _issue(job.user_id, purpose)


def _issue(user_id: int | None, purpose: str) -> None:
    owner = lock_owner(user_id) if user_id and read_owner(user_id) else None
    if owner is not None and owner.active and not (purpose == "verify" and owner.email_verified):
        links.issue(owner, purpose, owner.email)
