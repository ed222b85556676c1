"""`/api/v1/auth/totp`."""

from __future__ import annotations

from typing import Any

from flask import Response

from ..answers import answer_object, no_content
from ..http import Blueprint, actor
from . import second_factor as service
from .recovery import proven
from .schemas import Password
from .second_factor_schemas import RecoveryCodes, SecondFactor, TotpCode, TotpSecret

second_factor = Blueprint(
    "second-factor",
    __name__,
    description="One-time codes of an authenticator (TOTP, RFC 6238): where they are on, every "
    "sign-in takes the code as `otp` beside the password.",
)


@second_factor.route("/auth/totp")
@second_factor.response(200, SecondFactor)
def show_totp() -> Response:
    """Show whether signing in asks for a code"""
    return answer_object(service.status(actor().user_id))


@second_factor.route("/auth/totp", methods=["POST"])
@second_factor.body(Password)
@second_factor.response(201, TotpSecret)
def begin_totp(fields: dict[str, Any]) -> Response:
    """Make a secret for an authenticator; it counts once it is confirmed by a code"""
    who = actor()
    return answer_object(service.begin(who, proven(who, fields["password"])), 201)


@second_factor.route("/auth/totp/confirm", methods=["POST"])
@second_factor.body(TotpCode)
@second_factor.response(200, RecoveryCodes)
def confirm_totp(fields: dict[str, Any]) -> Response:
    """Have every sign-in ask for a code from now on; the other sessions end

    The answer is the only place that tells the recovery codes: each is good once as `otp`.
    """
    return answer_object({"recovery_codes": service.confirm(actor(), fields["code"])})


@second_factor.route("/auth/totp", methods=["DELETE"])
@second_factor.body(Password)
@second_factor.response(204)
def disable_totp(fields: dict[str, Any]) -> Response:
    """Sign in without a code again"""
    who = actor()
    proven(who, fields["password"])
    service.disable(who.user_id, who.request_id, who.user_id)
    return no_content()
