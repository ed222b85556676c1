"""`/api/v1/auth/api-tokens`."""

from __future__ import annotations

from typing import Any

from flask import Response

from ..answers import answer_object, no_content
from ..http import Blueprint, actor
from ..paging import Pager, answer_page
from ..shapes import Paging
from . import api_tokens as service
from .api_token_schemas import ApiTokenInput, ApiTokenPage, NewApiToken

api_tokens = Blueprint(
    "api-tokens",
    __name__,
    description="Tokens for programs. A reset of the password by mail revokes them all; signing "
    "out, or changing the password, revokes none.",
)


@api_tokens.route("/auth/api-tokens")
@api_tokens.query(Paging)
@api_tokens.response(200, ApiTokenPage)
def list_api_tokens(query: dict[str, Any]) -> Response:
    """List one's API tokens, the newest first"""
    who = actor()
    found = Pager(who, "api tokens", query).cut(service.list_tokens(who), newest_first=True)
    return answer_page(b"api tokens", found)


@api_tokens.route("/auth/api-tokens", methods=["POST"])
@api_tokens.body(ApiTokenInput)
@api_tokens.response(201, NewApiToken)
def create_api_token(fields: dict[str, Any]) -> Response:
    """Make an API token; the answer is the only place that tells it"""
    return answer_object(service.create_token(actor(), fields), 201)


@api_tokens.route("/auth/api-tokens/<id:token_id>", methods=["DELETE"])
@api_tokens.response(204)
def delete_api_token(token_id: int) -> Response:
    """Revoke an API token"""
    service.delete_token(actor(), token_id)
    return no_content()
