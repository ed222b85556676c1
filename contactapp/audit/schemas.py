"""The shapes of the audit trail."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from ..shapes import PageShape
from .service import KINDS

_KINDS = "; ".join(f"`{kind}`: {meaning}" for kind, meaning in KINDS.items())


class Event(Schema):
    """Something done to or with an account."""

    id = fields.Integer(required=True)
    at = fields.DateTime(required=True)
    kind = fields.String(
        required=True, validate=validate.OneOf(tuple(KINDS)), metadata={"description": _KINDS}
    )
    user_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Whose account."}
    )
    actor_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Who; 0 on the command line."}
    )
    request_id = fields.String(required=True)
    count = fields.Integer(required=True)
    details = fields.Dict(required=True, keys=fields.String())


class EventPage(PageShape):
    items = fields.List(fields.Nested(Event), required=True)
