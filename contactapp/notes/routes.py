"""`/api/v1/notes` and `/api/v1/contacts/{id}/notes`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from ..answers import (
    answer,
    answer_object,
    conditional,
    expected_version,
    list_tag,
    location,
    no_content,
    version_tag,
)
from ..changes.schemas import HistoryPage, HistoryQuery, Revert
from ..contacts.merged import leading_on
from ..contacts.schemas import Contact
from ..errors import InvalidFields
from ..http import Blueprint, actor, versioned
from ..paging import answer_page
from ..shapes import BookQuery, DryRun
from . import bulk, service, suggestions
from .schemas import (
    Accepted,
    Bulk,
    BulkAnswer,
    NestedQuery,
    Note,
    NoteInput,
    NotePage,
    NotePatch,
    NotesQuery,
    Suggestions,
)

notes = Blueprint(
    "notes",
    __name__,
    description="Notes about contacts",
    area="contacts",
    around=leading_on,
)


@notes.route("/notes")
@notes.query(NotesQuery)
@notes.response(200, NotePage)
def list_notes(query: dict[str, Any]) -> Response:
    """List the notes of the book, the newest first"""
    return answer_page(b"notes", service.list_notes(actor(), query))


@notes.route("/contacts/<id:contact_id>/notes")
@notes.query(NestedQuery)
@notes.response(200, NotePage)
def list_contact_notes(query: dict[str, Any], contact_id: int) -> Response:
    """List the notes about a contact, the newest first"""
    return answer_page(b"notes", service.list_notes(actor(), query, contact_id))


@notes.route("/notes", methods=["POST"])
@notes.query(BookQuery)
@notes.body(NoteInput)
@notes.response(201, Note)
def create_note(fields: dict[str, Any], query: dict[str, Any]) -> Response:
    """Add a note about a contact"""
    if "contact_id" not in fields:
        raise InvalidFields.one("/contact_id", "required", "Missing data for required field.")
    return _created(fields["contact_id"], fields, query)


@notes.route("/contacts/<id:contact_id>/notes", methods=["POST"])
@notes.query(BookQuery)
@notes.body(NoteInput)
@notes.response(201, Note)
def create_contact_note(fields: dict[str, Any], query: dict[str, Any], contact_id: int) -> Response:
    """Add a note about this contact"""
    if fields.get("contact_id", contact_id) != contact_id:
        raise InvalidFields.one("/contact_id", "alias_conflict", "The path names another contact.")
    return _created(contact_id, fields, query)


def _created(contact_id: int, fields: dict[str, Any], query: dict[str, Any]) -> Response:
    stored = service.create_note(actor(), actor().book, contact_id, fields["body"])
    return _note(stored, 201, location(stored.meta.id, query.get("book")))


@notes.route("/notes/bulk", methods=["POST"])
@notes.query(DryRun)
@notes.body(Bulk)
@notes.response(200, BulkAnswer)
def change_notes(fields: dict[str, Any], query: dict[str, Any]) -> Response:
    """Create, change and delete many notes at once

    Each operation is told with its own status. `atomic`, which is not the default, does all or
    none: then 422 names what cannot be done. A call shows 16 MiB of notes; what comes after is 413.
    All that was done is one operation, which can be undone.
    """
    who, how = actor(), {"atomic": fields["atomic"], "dry_run": query["dry_run"]}
    return answer_object(bulk.run_bulk(who, who.book, fields["operations"], **how))


@notes.route("/notes/<id:note_id>")
@notes.query(BookQuery)
@notes.response(200, Note)
def get_note(_query: dict[str, Any], note_id: int) -> Response:
    """Show a note"""
    return _shown(service.get_note(actor(), note_id))


@notes.route("/contacts/<id:contact_id>/notes/<id:note_id>")
@notes.query(BookQuery)
@notes.response(200, Note)
def get_contact_note(_query: dict[str, Any], contact_id: int, note_id: int) -> Response:
    """Show a note about this contact"""
    return _shown(service.get_note(actor(), note_id, contact_id))


@notes.route("/notes/<id:note_id>", methods=["PUT"])
@versioned
@notes.query(BookQuery)
@notes.body(NoteInput)
@notes.response(200, Note)
def replace_note(fields: dict[str, Any], _query: dict[str, Any], note_id: int) -> Response:
    """Give a note another text, and another contact where one is named"""
    return _changed(note_id, fields)


@notes.route("/contacts/<id:contact_id>/notes/<id:note_id>", methods=["PUT"])
@versioned
@notes.query(BookQuery)
@notes.body(NoteInput)
@notes.response(200, Note)
def replace_contact_note(
    fields: dict[str, Any], _query: dict[str, Any], contact_id: int, note_id: int
) -> Response:
    """Give a note about this contact another text"""
    return _changed(note_id, fields, contact_id)


@notes.route("/notes/<id:note_id>", methods=["PATCH"])
@versioned
@notes.query(BookQuery)
@notes.body(NotePatch)
@notes.response(200, Note)
def patch_note(patch: dict[str, Any], _query: dict[str, Any], note_id: int) -> Response:
    """Change a note's text, or the contact that it is about"""
    return _changed(note_id, patch)


@notes.route("/contacts/<id:contact_id>/notes/<id:note_id>", methods=["PATCH"])
@versioned
@notes.query(BookQuery)
@notes.body(NotePatch)
@notes.response(200, Note)
def patch_contact_note(
    patch: dict[str, Any], _query: dict[str, Any], contact_id: int, note_id: int
) -> Response:
    """Change a note about this contact"""
    return _changed(note_id, patch, contact_id)


@notes.route("/notes/<id:note_id>", methods=["DELETE"])
@versioned
@notes.query(BookQuery)
@notes.response(204)
def delete_note(_query: dict[str, Any], note_id: int) -> Response:
    """Delete a note"""
    service.delete_note(actor(), actor().book, note_id, expected_version())
    return no_content()


@notes.route("/contacts/<id:contact_id>/notes/<id:note_id>", methods=["DELETE"])
@versioned
@notes.query(BookQuery)
@notes.response(204)
def delete_contact_note(_query: dict[str, Any], contact_id: int, note_id: int) -> Response:
    """Delete a note about this contact"""
    service.delete_note(actor(), actor().book, note_id, expected_version(), contact_id)
    return no_content()


@notes.route("/notes/<id:note_id>/history")
@notes.query(HistoryQuery)
@notes.response(200, HistoryPage)
def list_note_history(query: dict[str, Any], note_id: int) -> Response:
    """List the versions of a note, the newest first"""
    return answer_page(b"history", service.note_history(actor(), note_id, query))


@notes.route("/notes/<id:note_id>/revert", methods=["POST"])
@versioned
@notes.query(BookQuery)
@notes.body(Revert)
@notes.response(200, Note)
def revert_note(wanted: dict[str, Any], _query: dict[str, Any], note_id: int) -> Response:
    """Give a note the text again that it had at a version"""
    expected, version = expected_version(), wanted["version"]
    return _note(service.revert_note(actor(), actor().book, note_id, version, expected))


@notes.route("/contacts/<id:contact_id>/suggestions")
@notes.query(BookQuery)
@notes.response(200, Suggestions)
def list_suggestions(_query: dict[str, Any], contact_id: int) -> Response:
    """Show what a contact's notes mention and the contact does not have"""
    found = suggestions.list_suggestions(actor(), contact_id)
    body = orjson.dumps({"items": [suggestion._asdict() for suggestion in found]})
    return conditional(list_tag(b"suggestions", body), lambda: body)


@notes.route("/contacts/<id:contact_id>/suggestions/accept", methods=["POST"])
@versioned
@notes.query(BookQuery)
@notes.body(Accepted)
@notes.response(200, Contact)
def accept_suggestions(fields: dict[str, Any], _query: dict[str, Any], contact_id: int) -> Response:
    """Take suggestions over into the contact"""
    stored = suggestions.accept(actor(), contact_id, fields["ids"], expected_version())
    return answer_object(stored.shown(), 200, {"ETag": version_tag(stored.meta.version)})


def _changed(note_id: int, fields: dict[str, Any], contact_id: int | None = None) -> Response:
    expected = expected_version()
    who = actor()
    return _note(service.change_note(who, who.book, note_id, fields, expected, contact_id))


def _shown(note: service.Stored) -> Response:
    body = orjson.dumps(note.shown())
    return conditional(version_tag(note.meta.version, body), lambda: body)


def _note(
    note: service.Stored, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The tag covers the whole note, because its processing makes no version."""
    body = orjson.dumps(note.shown())
    return answer(body, status, {"ETag": version_tag(note.meta.version, body), **(headers or {})})
