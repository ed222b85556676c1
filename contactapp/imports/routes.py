"""`/api/v1/imports`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, stream_with_context

from ..answers import answer_object, conditional, list_tag, location
from ..bodies import MULTIPART
from ..config import settings
from ..exchange.service import ENDINGS, MEDIA_TYPES
from ..extensions import limiter
from ..http import Blueprint, actor, large_body
from ..incoming import loaded
from ..limits import limit_text
from ..multipart import read_upload
from ..paging import answer_page
from ..shapes import BookQuery
from . import service
from .schemas import (
    Commit,
    ImportForm,
    ImportPage,
    ImportQuery,
    ImportRowsQuery,
    ImportsQuery,
    ImportWithRows,
)
from .stored import PART

imports = Blueprint(
    "imports", __name__, description="Contacts from files of other programs", area="imports"
)

FILE_TIMES = 64  # as much as other bodies may have
_FORM = ImportForm()
_FIRST = {"skip": 0, "limit": 50}  # rows that are shown with what a POST has done
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_REJECTED = {
    "200": {
        "description": "The file with the rejected rows alone.",
        "content": {kind.partition(";")[0]: _BINARY for kind in MEDIA_TYPES.values()},
    }
}
_TEXT = {"type": "string"}
_BODY = {
    "required": True,
    "content": {
        MULTIPART: {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": _BINARY["schema"],
                    "format": {**_TEXT, "enum": ["vcard", "csv", "json"]},
                    "mode": {**_TEXT, "enum": ["preview", "commit"], "default": "commit"},
                    "on_duplicate": {**_TEXT, "enum": ["skip", "update", "create"]},
                    "mapping": {
                        **_TEXT,
                        "description": "JSON: the field of each column of a CSV, such as "
                        '`{"Mail": "email:work", "Town": "address.city:home"}`. Columns that it '
                        "does not name are left out; without it they are recognised.",
                    },
                },
            }
        }
    },
}


def _import_limit() -> str:
    return limit_text(settings().import_rate_limits)


@imports.route("/imports")
@imports.query(ImportsQuery)
@imports.response(200, ImportPage)
def list_imports(query: dict[str, Any]) -> Response:
    """List one's imports into the book, the newest first"""
    return answer_page(b"imports", service.list_imports(actor(), query))


@imports.route("/imports", methods=["POST"])
@limiter.limit(_import_limit, key_func=lambda: f"u{actor().user_id}")
@large_body(FILE_TIMES)
@imports.query(ImportQuery)
@imports.doc(requestBody=_BODY)
@imports.response(200, ImportWithRows)
@imports.alt_response(202, schema=ImportWithRows, description="It is being done, see Location")
def start_import(query: dict[str, Any]) -> Response:
    """Import contacts from a file of vCards, CSV or our own JSON, or preview that

    Up to 250 rows in up to 1 MiB are done at once (200), others by and by (202): ask for what
    Location says until `status` is `done`, or `previewed`. Each row is held against the same rules
    as a contact that is sent; what is not as they want is rejected, with its line and field, and
    the rest is imported. What is in the book already, by its UID or because everything is the same,
    is treated as `on_duplicate` says, so the same file again changes nothing. All is one operation,
    which can be undone. Archives are not unpacked: 415.
    """
    with service.uploading():
        limit = FILE_TIMES * settings().max_body_bytes
        upload, form = read_upload(limit, PART)
        asked = loaded(_FORM, form)
        if query["dry_run"]:
            asked["mode"] = "preview"
        return _answer(service.start_import(actor(), upload, asked), query)


@imports.route("/imports/<id:import_id>")
@imports.query(ImportRowsQuery)
@imports.response(200, ImportWithRows)
def get_import(query: dict[str, Any], import_id: int) -> Response:
    """Show an import with its rows

    Of a preview all, of a commit those that were rejected, unless `action` says which.
    """
    body = orjson.dumps(service.get_import(actor(), import_id, query))
    return conditional(list_tag(b"import", body), lambda: body)


@imports.route("/imports/<id:import_id>/commit", methods=["POST"])
@imports.query(BookQuery)
@imports.body(Commit)
@imports.response(200, ImportWithRows)
@imports.alt_response(202, schema=ImportWithRows, description="It is being done, see Location")
def commit_import(asked: dict[str, Any], query: dict[str, Any], import_id: int) -> Response:
    """Do what was previewed, each row as `decisions` say, the others by `on_duplicate`"""
    done = service.commit_import(actor(), import_id, asked)
    return _answer(done, query, instead_of=f"/{import_id}/commit")


@imports.route("/imports/<id:import_id>/cancel", methods=["POST"])
@imports.query(BookQuery)
@imports.response(200, ImportWithRows)
def cancel_import(query: dict[str, Any], import_id: int) -> Response:
    """Let an import go on no more; what it has done stays, and can be undone"""
    one = service.cancel_import(actor(), import_id)
    return _answer(service.Shown(one, is_done=True), query)


@imports.route("/imports/<id:import_id>/rejected")
@imports.query(BookQuery)
@imports.doc(responses=_REJECTED)
def get_rejected_rows(_query: dict[str, Any], import_id: int) -> Response:
    """Download the rows that were rejected, as they stood in the file

    To be mended and imported. 404 where there are none.
    """
    one, parts = service.rejected_file(actor(), import_id)
    answer = Response(stream_with_context(parts), content_type=MEDIA_TYPES[one.format])
    name = f"rejected.{ENDINGS[one.format]}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _answer(shown: service.Shown, query: dict[str, Any], instead_of: str = "") -> Response:
    found = service.with_rows(actor().book, shown.one, _FIRST)
    if shown.is_done:
        return answer_object(found)
    return answer_object(found, 202, location(shown.one.id, query.get("book"), instead_of))
