"""The shape of what is asked of an export."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, validate

from ..contacts.filters import filters
from ..contacts.queries import ListQuery
from ..exchange.service import FORMATS, VERSIONS


class ExportQuery(ListQuery):
    """The filters of the list of contacts, and how they are written."""

    class Meta:
        exclude = ("limit", "skip", "offset", "cursor", "sort", "fields_")

    format = fields.String(load_default="vcard", validate=validate.OneOf(FORMATS))
    version = fields.String(
        load_default="3.0",
        validate=validate.OneOf(VERSIONS),
        metadata={"description": "Of the vCards."},
    )

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Also what the filters are."""
        data["where"] = filters(data)
        return data
