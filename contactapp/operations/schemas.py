"""The shapes of operations."""

from __future__ import annotations

from marshmallow import Schema, fields

from ..shapes import BookQuery, PageShape, Paging


class OperationsQuery(BookQuery, Paging):
    """Which part of the operations."""


class Operation(Schema):
    """Many changes that were made by one call, and can be undone as one. `count`: how many changes
    it made. `undoes`: the operation that this one took back; `undone_at` and `undone_by`: when and
    by whom it was taken back itself. `can_undo` is false where that was done, where something that
    it changed was changed again or is no longer kept, and for who may only read the book."""

    id = fields.Integer(required=True)
    kind = fields.String(
        required=True,
        metadata={"enum": ["bulk", "merge", "label", "custom_field", "import", "undo"]},
    )
    count = fields.Integer(required=True)
    at = fields.DateTime(required=True)
    actor_id = fields.Integer(required=True)
    undoes = fields.Integer(required=True, allow_none=True)
    undone_at = fields.DateTime(required=True, allow_none=True)
    undone_by = fields.Integer(required=True, allow_none=True)
    can_undo = fields.Boolean(required=True)


class AcrossContacts(Schema):
    """A change of many contacts: the operation by which it can be undone, null where there was
    nothing to do, and how many contacts it changed."""

    operation_id = fields.Integer(required=True, allow_none=True)
    contacts = fields.Integer(required=True)


class OperationPage(PageShape):
    """One page of the book's operations, the newest first, as long as they are kept: 30 days unless
    the operator says otherwise."""

    items = fields.List(fields.Nested(Operation), required=True)
