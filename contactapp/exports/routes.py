"""`/api/v1/exports`."""

from __future__ import annotations

from typing import Any

from flask import Response, request, stream_with_context

from ..config import settings
from ..exchange.service import ENDINGS, MEDIA_TYPES
from ..extensions import limiter
from ..http import Blueprint, actor
from ..limits import limit_text
from . import service
from .schemas import ExportQuery

exports = Blueprint(
    "exports", __name__, description="Contacts as files for other programs", area="contacts"
)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE = {
    "200": {
        "description": "The file, by UID: the same contacts always make the same bytes.",
        "content": {kind.partition(";")[0]: _BINARY for kind in MEDIA_TYPES.values()},
    }
}


def _export_limit() -> str:
    return limit_text(settings().export_rate_limits)


@exports.route("/exports")
@limiter.limit(_export_limit, key_func=lambda: f"u{actor().user_id}")
@exports.query(ExportQuery)
@exports.doc(responses=_FILE)
def export_contacts(query: dict[str, Any]) -> Response:
    """Download contacts as vCards, CSV or JSON

    All contacts of the book that pass the filters, which are those of the list. vCards and JSON
    have notes and photos, and what a vCard said that no field holds; CSV has all that fits a table.
    In CSV a cell that a spreadsheet would run gets a quote sign before it. Imported again, each
    makes the same contacts, and an export of these the same bytes.
    """
    kind = MEDIA_TYPES[query["format"]]
    if request.method == "HEAD":
        answer = Response(content_type=kind)
    else:
        made = service.export_contacts(actor(), query)
        answer = Response(stream_with_context(made.parts), content_type=kind)
        # Whoever hangs up before the first part has begun no generator that could end.
        answer.call_on_close(made.close)
    name = f"contacts.{ENDINGS[query['format']]}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
