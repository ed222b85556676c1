"""`/api/v1/operations`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from ..answers import answer_object, conditional, list_tag
from ..http import Blueprint, actor
from ..paging import answer_page
from ..shapes import BookQuery
from . import service, undo
from .schemas import Operation, OperationPage, OperationsQuery

operations = Blueprint(
    "operations",
    __name__,
    description="Many changes made as one, and undone as one",
    area="contacts",
)


@operations.route("/operations")
@operations.query(OperationsQuery)
@operations.response(200, OperationPage)
def list_operations(query: dict[str, Any]) -> Response:
    """List the bulk calls, merges, imports and undos of the book, the newest first"""
    return answer_page(b"operations", service.list_operations(actor(), query))


@operations.route("/operations/<id:operation_id>")
@operations.query(BookQuery)
@operations.response(200, Operation)
def get_operation(_query: dict[str, Any], operation_id: int) -> Response:
    """Show an operation"""
    body = orjson.dumps(service.get_operation(actor().book, operation_id))
    return conditional(list_tag(b"operation", body), lambda: body)


@operations.route("/operations/<id:operation_id>/undo", methods=["POST"])
@operations.query(BookQuery)
@operations.response(200, Operation)
def undo_operation(_query: dict[str, Any], operation_id: int) -> Response:
    """Take an operation back whole

    Answers the operation that did it, which can be undone too. What was created goes into the
    trash, what was deleted comes back, and what was changed is as before, also notes. Where
    something was changed again since, nothing is done and 409 `edited_since` lists it; 403
    `contact_limit_reached` where there is no room for what would come back.
    """
    return answer_object(undo.undo(actor(), actor().book, operation_id))
