"""The shapes of feeds."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from ..contacts.schemas import Line
from ..shapes import PageShape
from .service import KINDS, MAX_LABEL


class FeedInput(Schema):
    """A calendar to subscribe to."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    label = Line(MAX_LABEL, metadata={"description": "What calendar programs call it."})


class Feed(Schema):
    """A calendar feed. Whoever has `url` may read it, until it is deleted."""

    id = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    label = fields.String(required=True, allow_none=True)
    book_id = fields.Integer(required=True)
    active = fields.Boolean(
        required=True,
        metadata={"description": "False while the address book is not shared with one."},
    )
    url = fields.String(required=True)
    created_at = fields.DateTime(required=True)


class FeedPage(PageShape):
    items = fields.List(fields.Nested(Feed), required=True)
