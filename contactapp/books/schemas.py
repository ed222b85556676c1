"""The shapes of book answers."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from ..shapes import PageShape


class Book(Schema):
    """An address book that the account may use. `role`: owner, editor or viewer."""

    id = fields.Integer(required=True)
    uid = fields.UUID(required=True)
    personal = fields.Boolean(required=True)
    owner_id = fields.Integer(required=True)
    role = fields.String(required=True, validate=validate.OneOf(["owner", "editor", "viewer"]))
    created_at = fields.DateTime(required=True)


class BookPage(PageShape):
    items = fields.List(fields.Nested(Book), required=True)
