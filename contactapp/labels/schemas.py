"""The shapes of labels."""

from __future__ import annotations

from marshmallow import Schema, fields

from ..contacts.entry_schemas import MAX_LABEL
from ..contacts.lines import Line
from ..shapes import BookQuery, PageShape, Paging


class LabelsQuery(BookQuery, Paging):
    """Which part of the labels."""


class Label(Schema):
    """A label, as most of the contacts that have it write it, and how many these are. Upper and
    lower case, and accents, are one label."""

    name = fields.String(required=True)
    count = fields.Integer(required=True)


class LabelPage(PageShape):
    """One page of the labels, in the order of their names."""

    items = fields.List(fields.Nested(Label), required=True)


class LabelPatch(Schema):
    """Another name. One that there is already takes the contacts of both."""

    name = Line(MAX_LABEL, allow_none=False, required=True)
