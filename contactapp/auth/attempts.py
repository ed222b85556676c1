"""How often a password may be tried, judged before it is checked (ASVS 6.3.1).

A try counts for the account and the address together. Where nobody signed in to the account from
that address before, it also counts for the address, which may be trying many accounts, and for the
account, which may be tried from many addresses. So strangers use up the shares of strangers, and
who has signed in before can always do so again. Accounts that do not exist are counted alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import current_app

from .. import clock, metrics
from ..config import Window, settings
from ..errors import TooManyRequests
from ..limits import Quota, counted_address
from ..users.identity import MAX_LOGIN, parse_login

_CODES = Window(5, 900)  # of six digits, three of them good: 1 in 66 000 a quarter of an hour


def quota() -> Quota:
    """The counts of the current application."""
    return current_app.extensions["contactapp.quota"]


def subject_of(user_id: int | None, login: str) -> str:
    """Whom a try is for: an account, or the one that there would be. All spellings of a name count
    together in both cases, or they would tell which it is."""
    if user_id is not None:
        return f"i{user_id}"
    try:
        canonical = "|".join(parse_login(login))
    except ValueError:
        canonical = login[:MAX_LOGIN]
    return "n" + quota().hashed(f"login {canonical}")


def count_try(subject: str, address: str, *, known: bool) -> None:
    """Count a try. Raises TooManyRequests."""
    for share in _shares(subject, address, known=known):
        _count(*share)


def forgive(subject: str, address: str, *, known: bool) -> None:
    """Somebody knew the password: forget their tries, and give back what they took of the shares
    that strangers have too. Else the counts would tell which accounts somebody signed in to."""
    now = clock.now_ms() / 1000
    own, *others = _shares(subject, address, known=known)
    quota().forget(own[0])
    for key, windows, *_ in others:
        if windows:
            quota().give_back(key, windows, now)


def _shares(
    subject: str, address: str, *, known: bool
) -> Iterator[tuple[str, tuple[Window, ...], str, str]]:
    """What a try counts for: key, windows, what the metrics and what people call it."""
    limits = settings()
    place = quota().hashed(counted_address(address))
    own = limits.sign_in_rate_limits
    yield f"sign in {subject} {place}", own, "sign_in", "this account and address"
    if not known:
        windows = limits.sign_in_address_rate_limits
        yield f"sign in from {place}", windows, "sign_in_address", "this address"
        windows = limits.sign_in_account_rate_limits
        yield f"sign in {subject}", windows, "sign_in_account", "this account"


def count_proof(user_id: int) -> None:
    """Count a try to prove the password of an account that one is signed in to: a stolen token must
    not be a way to guess it. Raises TooManyRequests."""
    windows = settings().sign_in_rate_limits
    _count(f"proof {user_id}", windows, "proof", "the password of this account")


def count_code(user_id: int, address: str = "", *, known: bool = True) -> None:
    """Count a one-time code that is to be checked; of all strangers' together (see `count_try`).
    Counted before it is checked, so of 50 at once five are (RL-5). Raises TooManyRequests."""
    _count(_code_key(user_id, address, known), (_CODES,), "otp", "the codes of this account")


def forgive_codes(user_id: int, address: str = "", *, known: bool = True) -> None:
    """Somebody had the right one: forget their tries."""
    quota().forget(_code_key(user_id, address, known))


def _code_key(user_id: int, address: str, known: bool) -> str:
    place = quota().hashed(counted_address(address)) if known and address else ""
    return f"code {user_id} {place}"


def _count(key: str, windows: tuple[Window, ...], limit: str, what: str) -> None:
    verdict = quota().restrict(key, windows, clock.now_ms() / 1000)
    if verdict is not None and not verdict.allowed:
        metrics.count_limited(limit)
        raise TooManyRequests(
            verdict.retry_after,
            f"{verdict.limit} tries in {verdict.window.seconds} s for {what} are used up; wait "
            f"{verdict.retry_after} s, or set a new password by mail.",
        )
