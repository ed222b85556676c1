"""`/api/v1/users`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from ..answers import (
    answer,
    answer_object,
    conditional,
    expected_version,
    no_content,
    version_tag,
)
from ..bodies import file_body, read_file
from ..config import settings
from ..http import Blueprint, actor, versioned
from . import avatars, service
from .schemas import Avatar, ProfilePatch, User

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


@users.route("/users/me/avatar", methods=["PUT"])
@users.doc(requestBody=file_body("image/jpeg", "image/png", "image/webp"))
@users.response(201, Avatar)
def set_avatar() -> Response:
    """Set one's picture: a JPEG, PNG or WebP file, as part `file` or as the body"""
    avatars.set_avatar(actor(), read_file(settings().avatar_bytes))
    user = service.show_user(actor().user_id)
    return answer_object({name: user[name] for name in ("avatar_url", "avatar_urls")}, 201)


@users.route("/users/me/avatar", methods=["DELETE"])
@users.response(204)
def remove_avatar() -> Response:
    """Go back to the initials"""
    avatars.remove_avatar(actor())
    return no_content()


def own_account() -> Response:
    """The actor's account, as `/users/me` and `/auth/me` answer it."""
    user = service.show_user(actor().user_id)
    body = orjson.dumps(user)
    return conditional(version_tag(user["version"], body), lambda: body)
