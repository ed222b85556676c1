"""The contact management app: `/api/users`, `/api/contacts`, and the shared `/contacts`."""

from __future__ import annotations

from typing import Any

from flask import Response

from ..answers import answer_object
from ..auth import service
from ..auth.allowances import registering
from ..auth.guard import client
from ..auth.schemas import Registration, SignIn, proof_of
from ..http import public, request_id
from ..users.routes import own_account
from .contacts import add_contact_routes
from .system import System, body
from .told import with_message

contacts_app = System("contacts-app", ("/api/users", "/api/contacts"), with_message)
add_contact_routes(contacts_app, "/api/contacts")


@contacts_app.post("/api/users/register")
@public
@registering()
@body(Registration)
def register(fields: dict[str, Any]) -> Response:
    """Make an account"""
    user = service.register(fields, request_id())
    return answer_object({**user, "message": "The account was made."}, 201)


@contacts_app.post("/api/users/login")
@public
@body(SignIn)
def log_in(fields: dict[str, Any]) -> Response:
    """Sign in"""
    tokens = service.sign_in(*proof_of(fields), client()).shown()
    return answer_object({**tokens, "accessToken": tokens["access_token"]})


@contacts_app.get("/api/users/info")
def show_account() -> Response:
    """Show one's own account"""
    return own_account()
