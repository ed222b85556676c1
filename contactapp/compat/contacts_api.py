"""The authenticated contacts API: `/register`, `/token`, and the shared `/contacts`."""

from __future__ import annotations

from typing import Any

from flask import Response

from ..answers import answer_object
from ..auth import service
from ..auth.allowances import registering
from ..auth.guard import client
from ..auth.schemas import Registration, SignIn, proof_of
from ..http import public, request_id
from .system import System, body
from .told import telling

_DETAILS = {
    "email_taken": "User with this email already exists",
    "invalid_credentials": "Invalid credentials",
}
contacts_api = System("contacts-api", ("/register", "/token"), telling(details=_DETAILS))


@contacts_api.post("/register")
@public
@registering()
@body(Registration)
def register(fields: dict[str, Any]) -> Response:
    """Make an account"""
    user = service.register(fields, request_id())
    return answer_object({"user_id": user["user_id"], "email": user["email"]}, 201)


@contacts_api.post("/token")
@public
@body(SignIn)
def create_token(fields: dict[str, Any]) -> Response:
    """Sign in"""
    return answer_object(service.sign_in(*proof_of(fields), client()).shown())
