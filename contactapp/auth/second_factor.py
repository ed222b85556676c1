"""The second factor: one-time codes of an authenticator (RFC 6238), and recovery codes.

A code opens one session: its time step, once used, is behind it (ASVS 6.5.1). Recovery codes are
kept as keyed hashes, each good once.
"""

from __future__ import annotations

import hmac
import re
import uuid
from typing import Any, NamedTuple

from .. import clock
from ..actor import Actor
from ..audit import service as audit
from ..database import Sql, lane, write_transaction
from ..errors import Conflict, InvalidFields, NotFound, Unauthenticated
from ..keyring import keyring
from ..users.service import Owner, lock_owner
from . import attempts
from .recovery_codes import hashes_of, new_codes
from .sessions import end_others

ISSUER = "contactapp"
STEP_SECONDS = 30
_DRIFT = 1  # steps by which the clock of a telephone may be off (RFC 6238 §5.2)
_SECRET_BYTES = 20  # as the HMAC's output (RFC 4226 §4, R6)
_CODE = re.compile(r"[0-9]{6}", re.ASCII)

_READ = (
    "SELECT uid, sealed, confirmed_at, last_step, created_at FROM second_factor WHERE user_id = ?"
)
_FIND = Sql(_READ)
_LOCKED = Sql(_READ, postgresql=f"{_READ} FOR UPDATE")
_CONFIRM = Sql("UPDATE second_factor SET confirmed_at = ?, last_step = ? WHERE user_id = ?")
_SPEND = Sql("UPDATE second_factor SET last_step = ? WHERE user_id = ? AND last_step < ?")
_SPEND_RECOVERY = Sql(
    "UPDATE recovery_code SET used_at = ? WHERE user_id = ? AND hash = ? AND used_at IS NULL"
)
_LEFT = Sql("SELECT count(*) FROM recovery_code WHERE user_id = ? AND used_at IS NULL")
_FORGET = Sql("DELETE FROM second_factor WHERE user_id = ?")
_FORGET_CODES = Sql("DELETE FROM recovery_code WHERE user_id = ?")


class Factor(NamedTuple):
    """An account's second factor as it is stored; it counts from `confirmed_at` on."""

    uid: str
    sealed: bytes
    confirmed_at: int | None
    last_step: int
    created_at: int

    def step_of(self, code: str, user_id: int, key_id: int) -> int | None:
        """The time step of a right code that is not yet behind, else None."""
        if not _CODE.fullmatch(code):
            return None
        secret = keyring().cipher(key_id).open(self.sealed, *_place(user_id, self.uid))
        now = clock.now_ms() // 1000 // STEP_SECONDS
        for step in range(now - _DRIFT, now + _DRIFT + 1):
            if step > self.last_step and hmac.compare_digest(_at(secret, step), code):
                return step
        return None


def begin(actor: Actor, owner: Owner) -> dict[str, str]:
    """A secret for an authenticator, which counts when a code of it came back; `owner` is the actor
    who just proved their password. Raises Conflict (`totp_active`)."""
    import pyotp  # not needed where nobody signs in
    import segno

    secret = pyotp.random_base32(_SECRET_BYTES * 8 // 5)
    _store(actor, secret)
    uri = pyotp.TOTP(secret).provisioning_uri(name=owner.email, issuer_name=ISSUER)
    picture = segno.make_qr(uri).svg_inline(scale=5, light="white")
    return {"secret": secret, "otpauth_uri": uri, "qr_svg": picture}


@write_transaction
def _store(actor: Actor, secret: str) -> None:
    owner = lock_owner(actor.user_id)
    if is_on(owner.user_id):
        raise Conflict("totp_active")
    lane().run(_FORGET, (owner.user_id,))
    uid = str(uuid.uuid4())
    row = {
        "user_id": owner.user_id,
        "uid": uid,
        "sealed": keyring().cipher(owner.key_id).seal(secret.encode(), *_place(owner.user_id, uid)),
        "last_step": 0,
        "created_at": clock.now_ms(),
    }
    lane().insert("second_factor", row, returning="")


def confirm(actor: Actor, code: str) -> list[str]:
    """Have the begun factor count from now on; its recovery codes. Other sessions end: whoever is
    in them never showed it (ASVS 7.4.3). Raises Conflict (`totp_active`, `totp_not_begun`),
    InvalidFields for a wrong code, and TooManyRequests before it is checked."""
    attempts.count_code(actor.user_id)
    codes = new_codes()
    _confirm(actor, code, codes)
    attempts.forgive_codes(actor.user_id)
    return codes


@write_transaction
def _confirm(actor: Actor, code: str, codes: list[str]) -> None:
    owner = lock_owner(actor.user_id)
    factor = _factor(_LOCKED, owner.user_id)
    if factor is None:
        raise Conflict("totp_not_begun")
    if factor.confirmed_at is not None:
        raise Conflict("totp_active")
    step = factor.step_of(code, owner.user_id, owner.key_id)
    if step is None:
        raise InvalidFields.one("/code", "invalid_code", "Not the code of this moment.")
    lane().run(_CONFIRM, (clock.now_ms(), step, owner.user_id))
    for hashed in hashes_of(owner.user_id, codes):
        row = {"user_id": owner.user_id, "hash": hashed}
        lane().insert("recovery_code", row, returning="")
    end_others(actor)
    audit.record("totp_enabled", owner.user_id, owner.key_id, actor.request_id)


def status(user_id: int) -> dict[str, Any]:
    """Whether an account has a second factor, and how many recovery codes are left."""
    factor = _factor(_FIND, user_id)
    confirmed = factor.confirmed_at if factor else None
    return {
        "enabled": confirmed is not None,
        "enabled_at": None if confirmed is None else clock.rfc3339(confirmed),
        "recovery_codes_left": lane().one(_LEFT, (user_id,))[0],
    }


def is_on(user_id: int) -> bool:
    """Whether signing in to an account asks for a code."""
    factor = _factor(_FIND, user_id)
    return factor is not None and factor.confirmed_at is not None


def check(user_id: int, key_id: int, otp: str | None, request_id: str) -> None:
    """Spend a code in the running transaction, where the account asks for one. Raises
    Unauthenticated (`otp_required`, `invalid_otp`)."""
    factor = _factor(_LOCKED, user_id)
    if factor is None or factor.confirmed_at is None:
        return
    if otp is None:
        raise Unauthenticated("otp_required")
    code = otp.replace(" ", "")
    step = factor.step_of(code, user_id, key_id)
    if step is not None and lane().run(_SPEND, (step, user_id, step)) == 1:
        return
    [hashed] = hashes_of(user_id, [code])
    if lane().run(_SPEND_RECOVERY, (clock.now_ms(), user_id, hashed)) != 1:
        raise Unauthenticated("invalid_otp")
    details = {"left": lane().one(_LEFT, (user_id,))[0]}
    audit.record("recovery_code_used", user_id, key_id, request_id, details)


@write_transaction
def disable(owner_id: int, request_id: str, actor_id: int) -> None:
    """Take an account's second factor away. Raises NotFound where it has none."""
    owner = lock_owner(owner_id)
    was_on = is_on(owner_id)
    forget(owner_id)
    if not was_on:
        raise NotFound()
    audit.record("totp_disabled", owner_id, owner.key_id, request_id, actor_id=actor_id)


def forget(user_id: int) -> None:
    """The same in the running transaction, whether there is one or not."""
    lane().run(_FORGET, (user_id,))
    lane().run(_FORGET_CODES, (user_id,))


def _factor(sql: Sql, user_id: int) -> Factor | None:
    row = lane().one(sql, (user_id,))
    return row and Factor(*row)


def _at(secret: bytes, step: int) -> str:
    import pyotp

    return pyotp.TOTP(secret.decode()).generate_otp(step)


def _place(user_id: int, uid: str) -> tuple[object, ...]:
    return ("second_factor", "sealed", user_id, uid)
