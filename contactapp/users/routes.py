"""`/api/v1/users`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from ..answers import answer, conditional, expected_version, version_tag
from ..http import Blueprint, actor, versioned
from . import service
from .schemas import ProfilePatch, User

users = Blueprint("users", __name__, description="The account that is signed in")


@users.route("/users/me")
@users.response(200, User)
def show_me() -> Response:
    """Show one's own account"""
    return own_account()


@users.route("/users/me", methods=["PATCH"])
@versioned
@users.body(ProfilePatch)
@users.response(200, User)
def patch_me(patch: dict[str, Any]) -> Response:
    """Change one's own profile; null clears a field"""
    service.patch_profile(actor(), patch, expected_version())
    user = service.show_user(actor().user_id)
    body = orjson.dumps(user)
    return answer(body, headers={"ETag": version_tag(user["version"], body)})


def own_account() -> Response:
    """The actor's account, as `/users/me` and `/auth/me` answer it."""
    user = service.show_user(actor().user_id)
    body = orjson.dumps(user)
    return conditional(version_tag(user["version"], body), lambda: body)
