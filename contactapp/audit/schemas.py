"""The shapes of the audit trail."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from ..incoming import MAX_ID, Problem
from ..shapes import PageShape, Paging, PlainInteger
from .kinds import CHANGE_KINDS, ENTITIES, EVENT_KINDS, KINDS

_MEANINGS = "; ".join(f"`{kind}`: {meaning}" for kind, meaning in EVENT_KINDS.items())
_CHANGES = ", ".join(f"`{kind}`" for kind in CHANGE_KINDS)


def _known(text: str) -> None:
    unknown = [kind for kind in text.split(",") if kind not in KINDS]
    if unknown:
        raise ValidationError(Problem("unknown_kind", f"There is no kind {unknown[0][:80]!r}."))


class Asked(Paging):
    """Which part of the trail; what is given must all be so."""

    kind = fields.String(
        validate=_known, metadata={"description": "One kind or more, divided by commas."}
    )
    entity = fields.String(validate=validate.OneOf(ENTITIES))
    entity_id = PlainInteger(minimum=1, maximum=MAX_ID, metadata={"description": "With entity."})
    request_id = fields.String(validate=validate.Length(min=1, max=64))

    @validates_schema
    def name_the_entity(self, data: dict[str, Any], **_: Any) -> None:
        """An id alone names nothing."""
        if "entity_id" in data and "entity" not in data:
            raise ValidationError({"entity": [Problem("required", "Say of what entity_id is.")]})


class Event(Schema):
    """Something done to or with an account (`source` is `account`), or a change of one of its books
    (`book`) or of its key-value data (`data`). `id` is a number of its own in each: with `source`
    and `book_id` it is unique."""

    id = fields.Integer(required=True)
    source = fields.String(required=True, validate=validate.OneOf(("account", "book", "data")))
    at = fields.DateTime(required=True)
    kind = fields.String(
        required=True,
        validate=validate.OneOf(KINDS),
        metadata={"description": f"{_MEANINGS}. Of books and data: {_CHANGES}."},
    )
    user_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Whose account or book."}
    )
    actor_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Who; 0 on the command line."}
    )
    request_id = fields.String(required=True)
    count = fields.Integer(required=True)
    book_id = fields.Integer(required=True, allow_none=True)
    entity = fields.String(required=True, allow_none=True)
    entity_id = fields.Integer(required=True, allow_none=True)
    op = fields.String(required=True, allow_none=True)
    version = fields.Integer(required=True, allow_none=True)
    changed_fields = fields.List(fields.String(), required=True, allow_none=True)
    details = fields.Dict(
        required=True,
        keys=fields.String(),
        metadata={"description": "Of a change `before` and `after`, null where there is none."},
    )


class EventPage(PageShape):
    """One page of the trail. It has fewer than `limit` items where they are long: go on while there
    is a `next_cursor`."""

    items = fields.List(fields.Nested(Event), required=True)
