"""`/api/v1/auth`."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from ..answers import JSON, answer_object, no_content
from ..bodies import read_json
from ..errors import InvalidFields
from ..http import Blueprint, actor, public, request_id
from ..incoming import loaded
from ..paging import Pager, answer_page
from ..shapes import Paging
from ..users.routes import own_account
from ..users.schemas import User
from . import recovery, service, sessions
from .allowances import mailing, registering
from .credentials import bearer_token
from .guard import caller, client
from .schemas import (
    Address,
    EmailChange,
    LinkToken,
    LogoutQuery,
    Message,
    PasswordChange,
    PasswordReset,
    Refresh,
    Registered,
    Registration,
    SessionPage,
    SignIn,
    SignInForm,
    Tokens,
    Verification,
    Verified,
    proof_of,
)

auth = Blueprint("auth", __name__, description="Accounts, sign-in and sessions")
_refresh_body = Refresh()
_MAILED = "If there is something to be mailed, it is on its way."


@auth.route("/auth/register", methods=["POST"])
@public
@registering()
@auth.body(Registration)
@auth.response(201, Registered)
def register(fields: dict[str, Any]) -> Response:
    """Make an account"""
    user = service.register(fields, request_id())
    return answer_object(
        {**user, "message": "The account was made; sign in at /api/v1/auth/token."}, 201
    )


@auth.route("/auth/token", methods=["POST"])
@public
@auth.body(SignIn, form=SignInForm)
@auth.response(200, Tokens)
def create_token(fields: dict[str, Any]) -> Response:
    """Sign in with JSON, or with an OAuth 2.0 password form"""
    return _sign_in(fields)


@auth.route("/auth/login", methods=["POST"])
@public
@auth.body(SignIn, form=SignInForm)
@auth.response(200, Tokens)
def login(fields: dict[str, Any]) -> Response:
    """Sign in; the same as /auth/token"""
    return _sign_in(fields)


@auth.route("/auth/refresh", methods=["POST"])
@public
@auth.doc(requestBody={"required": False, "content": {JSON: {"schema": Refresh}}})
@auth.response(200, Tokens)
def refresh_token() -> Response:
    """Exchange a refresh token, sent as bearer or as {refresh_token}, for new tokens"""
    # The body first: clients' interceptors attach the access token to every request.
    sent = loaded(_refresh_body, read_json()) if request.content_length else {}
    token = sent.get("refresh_token", bearer_token(request))
    if token is None:
        raise InvalidFields.one("/refresh_token", "required", "Send it here or as bearer token.")
    return answer_object(sessions.refresh(token, client()).shown())


@auth.route("/auth/logout", methods=["POST"])
@auth.query(LogoutQuery)
@auth.response(204)
def log_out(query: dict[str, Any]) -> Response:
    """End this session, the others, or all"""
    sessions.log_out(actor(), query["scope"])
    return no_content()


@auth.route("/auth/sessions")
@auth.query(Paging)
@auth.response(200, SessionPage)
def list_sessions(query: dict[str, Any]) -> Response:
    """List one's own live sessions, the newest first"""
    who = actor()
    found = Pager(who, "sessions", query).cut(sessions.list_sessions(who), newest_first=True)
    return answer_page(b"sessions", found)


@auth.route("/auth/sessions/<id:session_id>", methods=["DELETE"])
@auth.response(204)
def end_session(session_id: int) -> Response:
    """End one of one's own sessions"""
    sessions.end_session(actor(), session_id)
    return no_content()


@auth.route("/auth/me")
@auth.response(200, User)
def who_am_i() -> Response:
    """Show one's own account; the same as /users/me"""
    return own_account()


@auth.route("/auth/verify-email", methods=["POST"])
@public
@mailing("verify")
@auth.body(Verification)
@auth.response(200, Verified)
def verify_email(fields: dict[str, Any]) -> Response:
    """Confirm an address with the token or the code that was mailed to it

    Whoever also sends the password, or asks with their access token, stays signed in everywhere.
    """
    names = ("token", "email", "code", "password")
    token, email, code, password = (fields.get(name) for name in names)
    found = recovery.verify_email(token, email, code, password, caller(), client())
    then = "Set a new password: ask for a reset link." if found.needs_password else "Sign in."
    message = f"The address is confirmed. {then}"
    return answer_object({"message": message, "needs_password": found.needs_password})


@auth.route("/auth/verify-email/resend", methods=["POST"])
@public
@mailing("resend")
@auth.body(Address)
@auth.response(202, Message)
def resend_verification(fields: dict[str, Any]) -> Response:
    """Mail a new link and code, if there is an account that has not confirmed this address"""
    recovery.ask_for_mail("auth.resend", fields["email"])
    return answer_object({"message": _MAILED}, 202)


@auth.route("/auth/password/forgot", methods=["POST"])
@public
@mailing("forgot")
@auth.body(Address)
@auth.response(202, Message)
def forgot_password(fields: dict[str, Any]) -> Response:
    """Mail a link to set a new password, if there is an account with this address"""
    recovery.ask_for_mail("auth.forgot", fields["email"])
    return answer_object({"message": _MAILED}, 202)


@auth.route("/auth/password/reset", methods=["POST"])
@public
@mailing("reset")
@auth.body(PasswordReset)
@auth.response(200, Message)
def reset_password(fields: dict[str, Any]) -> Response:
    """Set a new password with the token of a mail; all sessions end"""
    recovery.reset_password(fields["token"], fields["new_password"], client())
    return answer_object({"message": "The password was changed; sign in with it."})


@auth.route("/auth/password/change", methods=["POST"])
@auth.body(PasswordChange)
@auth.response(200, Tokens)
def change_password(fields: dict[str, Any]) -> Response:
    """Set a new password; the other sessions end, and this one gets new tokens"""
    current, wanted = fields["current_password"], fields["new_password"]
    return answer_object(recovery.change_password(actor(), current, wanted).shown())


@auth.route("/auth/email/change", methods=["POST"])
@mailing("change")
@auth.body(EmailChange)
@auth.response(202, Message)
def change_email(fields: dict[str, Any]) -> Response:
    """Mail a link to a new address; it becomes the account's when that is opened"""
    recovery.ask_for_email(actor(), fields["password"], fields["email"])
    return answer_object({"message": _MAILED}, 202)


@auth.route("/auth/email/confirm", methods=["POST"])
@public
@mailing("confirm")
@auth.body(LinkToken)
@auth.response(200, Message)
def confirm_email(fields: dict[str, Any]) -> Response:
    """Make the address that this token was mailed to the account's own"""
    recovery.confirm_email(fields["token"], client())
    return answer_object({"message": "The address was changed."})


def _sign_in(fields: dict[str, Any]) -> Response:
    pair = service.sign_in(*proof_of(fields), client())
    return answer_object(pair.shown())
