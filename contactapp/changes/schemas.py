"""The shapes of the change feed, and of the history of anything."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from ..shapes import MAX_CURSOR, BookQuery, Names, PageShape, Paging, PlainInteger
from .feed import TYPES
from .service import ENTITIES, SHOWN

MAX_WAIT = 30  # seconds; under what proxies and clients give an answer
MAX_TICKET = 100  # characters


class _TypesQuery(BookQuery):
    types = Names(
        TYPES,
        signed=False,
        load_default=(),
        metadata={"description": f"Comma list of what to tell of: {', '.join(TYPES)}."},
    )


class ChangesQuery(_TypesQuery):
    """Where to go on in the feed, and what to leave out of it."""

    since = fields.String(
        validate=validate.Length(max=MAX_CURSOR),
        metadata={"description": "The `next_cursor` of the answer before; absent at first."},
    )
    limit = PlainInteger(load_default=50, minimum=1, maximum=500)
    wait = PlainInteger(
        load_default=0,
        minimum=0,
        maximum=MAX_WAIT,
        metadata={
            "description": "Seconds to wait for a change where there is none. Too many that wait "
            "are answered at once, with `Retry-After`."
        },
    )


class StreamQuery(_TypesQuery):
    """Where a stream begins, what it leaves out, and who opens it."""

    since = fields.String(
        validate=validate.Length(max=MAX_CURSOR),
        metadata={
            "description": "The id of an event, or a `next_cursor` of `/changes`, to begin after; "
            "from now on where it is absent. The header `Last-Event-ID` goes before."
        },
    )
    ticket = fields.String(
        validate=validate.Length(max=MAX_TICKET),
        metadata={
            "description": "In the place of a bearer token, for clients that cannot send one. The "
            "other parameters are free, but `book` must be as it was when the ticket was made."
        },
    )


class Ticket(Schema):
    """What opens one stream, once."""

    ticket = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds."})


class Change(Schema):
    """What happened to something in the book, or in one's data. `data`: its fields after that; null
    where it was deleted, or they have been erased. `key`: of data only. A contact that is deleted
    lies in the trash, with its notes; `restored` brings it back, `purged` is the end of it, also
    where it did not lie there before."""

    seq = fields.Integer(
        required=True, metadata={"description": "Its number in the book, or in the data."}
    )
    type = fields.String(required=True, validate=validate.OneOf(ENTITIES))
    op = fields.String(required=True, validate=validate.OneOf(tuple(SHOWN.values())))
    id = fields.Integer(required=True)
    version = fields.Integer(required=True)
    changed_fields = fields.List(fields.String(), required=True)
    at = fields.DateTime(required=True)
    actor_id = fields.Integer(required=True, allow_none=True)
    request_id = fields.String(required=True)
    data = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    key = fields.String(allow_none=True)


class ChangeFeed(Schema):
    """Changes in the order in which they were made, of one's own book together with those of one's
    data. `next_cursor` is always there: keep it, and ask again with `since`; at once with
    `has_more`, though there may be few items in this answer, or none."""

    items = fields.List(fields.Nested(Change), required=True)
    next_cursor = fields.String(required=True)
    has_more = fields.Boolean(required=True)


class HistoryQuery(BookQuery, Paging):
    """Which part of a history."""


class FieldChange(Schema):
    """What a field was and what it became; null where it was empty or became so."""

    before = fields.Raw(required=True, allow_none=True)
    after = fields.Raw(required=True, allow_none=True)


class Version(Schema):
    """One change of an object, by field. `id` is the change's number in its book."""

    id = fields.Integer(required=True)
    version = fields.Integer(required=True)
    op = fields.String(required=True, validate=validate.OneOf(tuple(SHOWN.values())))
    at = fields.DateTime(required=True)
    actor_id = fields.Integer(required=True, allow_none=True)
    request_id = fields.String(required=True)
    operation_id = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The bulk call, merge, undo or the like that it was a part of."},
    )
    changes = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(FieldChange),
        required=True,
        allow_none=True,
        metadata={"description": "By field; null where they have been erased."},
    )


class HistoryPage(PageShape):
    """The versions of an object, the newest first, as far back as changes are kept. It has fewer
    than `limit` items where they are long: go on while there is a `next_cursor`."""

    items = fields.List(fields.Nested(Version), required=True)


class Revert(Schema):
    """Which version's fields an object is to have again."""

    version = fields.Integer(
        required=True, strict=True, validate=validate.Range(min=1, max=2**53 - 1)
    )
