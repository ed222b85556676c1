"""`/api/v1/auth`."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from ..answers import JSON, answer_object, no_content
from ..config import settings
from ..errors import InvalidFields
from ..extensions import limiter
from ..http import Blueprint, actor, public
from ..incoming import loaded, read_json
from ..limits import limit_text
from ..users.routes import own_account
from ..users.schemas import User
from . import service
from .guard import address, bearer_token
from .schemas import (
    LogoutQuery,
    Refresh,
    Registered,
    Registration,
    SessionPage,
    SignIn,
    SignInForm,
    Tokens,
)
from .service import Client

auth = Blueprint("auth", __name__, description="Accounts, sign-in and sessions")
_refresh_body = Refresh()


@auth.route("/auth/register", methods=["POST"])
@public
@limiter.limit(lambda: limit_text(settings().register_rate_limits))
@auth.body(Registration)
@auth.response(201, Registered)
def register(fields: dict[str, Any]) -> Response:
    """Make an account"""
    user = service.register(fields)
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
    return answer_object(service.refresh(token).shown())


@auth.route("/auth/logout", methods=["POST"])
@auth.query(LogoutQuery)
@auth.response(204)
def log_out(query: dict[str, Any]) -> Response:
    """End this session, the others, or all"""
    service.log_out(actor(), query["scope"])
    return no_content()


@auth.route("/auth/sessions")
@auth.response(200, SessionPage)
def list_sessions() -> Response:
    """List one's own live sessions"""
    sessions = service.list_sessions(actor())
    return answer_object({"items": sessions, "next_cursor": None, "total": len(sessions)})


@auth.route("/auth/sessions/<id:session_id>", methods=["DELETE"])
@auth.response(204)
def end_session(session_id: int) -> Response:
    """End one of one's own sessions"""
    service.end_session(actor(), session_id)
    return no_content()


@auth.route("/auth/me")
@auth.response(200, User)
def who_am_i() -> Response:
    """Show one's own account; the same as /users/me"""
    return own_account()


def _sign_in(fields: dict[str, Any]) -> Response:
    login = fields.get("email") or fields.get("username") or ""
    client = Client(request.headers.get("User-Agent"), address())
    return answer_object(service.sign_in(login, fields["password"], client).shown())
