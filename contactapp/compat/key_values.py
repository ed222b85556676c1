"""User management with key-value data: `/api/register`, `/api/token`, `/api/data`."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from ..answers import answer_object
from ..auth import service as auth
from ..auth.guard import client
from ..auth.routes import registrations
from ..auth.schemas import SignInForm
from ..errors import BadRequest, InvalidFields
from ..http import public, request_id
from ..incoming import FORM, loaded, read_form, read_json
from .key_value_errors import told_in_capitals
from .key_value_registration import checked_registration
from .system import System

key_values = System("key-values", ("/api",), told_in_capitals)
_SHOWN = ("user_id", "username", "email", "full_name", "age", "gender")
_login = SignInForm(only=("username", "password"))


@key_values.route("/api/register", methods=["POST"])
@public
@registrations
def register() -> Response:
    """Make an account."""
    user = auth.register(checked_registration(_json_object()), request_id())
    shown = {name: user[name] for name in _SHOWN}
    return _success("User successfully registered!", shown, 201)


@key_values.route("/api/token", methods=["POST"])
@public
def create_token() -> Response:
    """Sign in with JSON or a form; a user name may be the e-mail address."""
    sent = read_form() if request.mimetype == FORM else _json_object()
    for name in ("username", "password"):
        if not sent.get(name):
            raise InvalidFields.one(f"/{name}", "required", "")
    fields = loaded(_login, sent)
    pair = auth.sign_in(fields["username"], fields["password"], client())
    shown = {"access_token": pair.access_token, "expires_in": pair.expires_in}
    return _success("Access token generated successfully.", shown)


def _json_object() -> dict[str, Any]:
    sent = read_json()
    if not isinstance(sent, dict):
        raise BadRequest(detail="The body must be a JSON object.")
    return sent


def _success(message: str, data: dict[str, Any] | None = None, status: int = 200) -> Response:
    body: dict[str, Any] = {"status": "success", "message": message}
    if data is not None:
        body["data"] = data
    return answer_object(body, status)
