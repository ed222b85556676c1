"""Users with avatars: `/auth`, and the shared `/contacts`."""

from __future__ import annotations

from typing import Any

from flask import Response

from ..answers import answer_object
from ..auth import recovery, service
from ..auth.allowances import mailing, registering
from ..auth.guard import client
from ..auth.schemas import Address, PasswordReset, Registration, SignIn, SignInForm, proof_of
from ..bodies import read_file
from ..config import settings
from ..http import actor, public, request_id
from ..pages.account import press, show
from ..users import avatars
from ..users.service import show_user
from .system import System, body
from .told import telling, with_message

_PICTURES = ("JPEG", "PNG")
# Its clients know 400 for what is no picture.
_REFUSED_PICTURE = {"/auth/update-avatar": telling({"invalid_fields": 400})}
profiles = System("profiles", ("/auth",), with_message, _REFUSED_PICTURE)


@profiles.post("/auth/register")
@public
@registering()
@body(Registration)
def register(fields: dict[str, Any]) -> Response:
    """Make an account; its address is mailed a link"""
    user = service.register(fields, request_id())
    return answer_object({**user, "message": "The account was made."}, 201)


@profiles.post("/auth/token")
@public
@body(SignIn, form=SignInForm)
def create_token(fields: dict[str, Any]) -> Response:
    """Sign in with an OAuth 2.0 password form, or with JSON"""
    return answer_object(service.sign_in(*proof_of(fields), client()).shown())


@profiles.post("/auth/forgot-password")
@public
@mailing("forgot")
@body(Address)
def forgot_password(fields: dict[str, Any]) -> Response:
    """Mail a link to set a new password, if there is an account with this address"""
    recovery.ask_for_mail("auth.forgot", fields["email"])
    return answer_object({"message": "If there is such an account, a mail is on its way."}, 202)


@profiles.post("/auth/reset-password")
@public
@mailing("reset")
@body(PasswordReset, form=PasswordReset)
def reset_password(fields: dict[str, Any]) -> Response:
    """Set a new password with the token of a mail; all sessions end"""
    recovery.reset_password(fields["token"], fields["new_password"], client())
    return answer_object({"message": "The password was changed; sign in with it."})


@profiles.route("/auth/update-avatar", methods=["POST", "PUT", "PATCH"])
def update_avatar() -> Response:
    """Set one's picture: a JPEG or PNG file, as part `file`"""
    avatars.set_avatar(actor(), read_file(settings().avatar_bytes), _PICTURES)
    return answer_object(show_user(actor().user_id))


# The page's form goes to the address that it was opened by, wherever the server is mounted.
@profiles.get("/auth/verify-email")
@public
def show_verification() -> Response:
    """Show the button that confirms an address"""
    return show("verify")


@profiles.post("/auth/verify-email")
@public
@mailing("page")
def verify_email() -> Response:
    """Confirm an address, by that button"""
    return press("verify")


@profiles.get("/auth/reset-password-form")
@public
def show_reset() -> Response:
    """Show the form for a new password"""
    return show("reset")


@profiles.post("/auth/reset-password-form")
@public
@mailing("page")
def press_reset() -> Response:
    """Set a new password, by that form"""
    return press("reset")
