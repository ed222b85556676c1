"""`/api/v1/users`, for admins."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from ..answers import answer, conditional, expected_version, version_tag
from ..http import Blueprint, actor, admins_only, versioned
from ..paging import answer_page
from . import admin
from .admin import Change
from .admin_schemas import Account, AccountPage, AccountPatch, AccountQuery

accounts = Blueprint("accounts", __name__, description="All accounts, for admins", area="admin")


@accounts.route("/users")
@admins_only
@accounts.query(AccountQuery)
@accounts.response(200, AccountPage)
def list_users(query: dict[str, Any]) -> Response:
    """List accounts by id, or find one by its address (role admin)"""
    return answer_page(b"users", admin.list_users(actor(), query))


@accounts.route("/users/<id:user_id>")
@admins_only
@accounts.response(200, Account)
def show_user(user_id: int) -> Response:
    """Show an account (role admin)"""
    body, tag = _body(admin.show_user(user_id))
    return conditional(tag, lambda: body)


@accounts.route("/users/<id:user_id>", methods=["PATCH"])
@admins_only
@versioned
@accounts.body(AccountPatch)
@accounts.response(200, Account)
def patch_user(patch: dict[str, Any], user_id: int) -> Response:
    """Change role, active and contact limit (role admin); null is the standard limit"""
    change = Change(actor().user_id, actor().request_id)
    body, tag = _body(admin.change_user(user_id, patch, change, expected_version()))
    return answer(body, headers={"ETag": tag})


def _body(account: dict[str, Any]) -> tuple[bytes, str]:
    body = orjson.dumps(account)
    return body, version_tag(account["version"], body)
