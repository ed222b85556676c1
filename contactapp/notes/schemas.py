"""The shapes of notes, in and out."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load, validate

from ..contacts.query_fields import Words
from ..incoming import MAX_ID, Problem
from ..shapes import (
    MAX_OPERATIONS,
    BookQuery,
    BulkOperation,
    Failure,
    Flag,
    Id,
    Names,
    PageShape,
    Paging,
    PlainInteger,
    Unread,
)
from .aliases import ALIASES, AliasConflict, resolved
from .note import FIELDS, READ_ONLY, STATUSES, normal

MAX_ACCEPTED = 100
ORDERS = ("id", "created_at")  # the same order: both are given under the book's lock
_NAMES = {
    field: f"Also {', '.join(names[1:])}, in any spelling." for field, names in ALIASES.items()
}


class NoteText(fields.String):
    """The text of a note, as it is kept."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError(Problem("wrong_type", "Not a string."))
        try:
            return normal(value)
        except ValueError as error:
            raise ValidationError(Problem("invalid_text", str(error))) from None


class _NoteFields(Schema):
    body = NoteText(metadata={"description": _NAMES["body"]})
    contact_id = Id(metadata={"description": _NAMES["contact_id"]})

    @pre_load
    def _resolve(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Aliases, and what was read and may be sent back unchanged."""
        try:
            found = resolved(data)
        except AliasConflict as clash:
            one, other = clash.names
            problem = Problem("alias_conflict", f"{one} and {other} differ.")
            raise ValidationError({one: [problem], other: [problem]}) from None
        return {key: value for key, value in found.items() if key not in READ_ONLY}


class NoteInput(_NoteFields):
    """A note; `contact_id` where the path does not say it."""

    body = NoteText(required=True, metadata={"description": _NAMES["body"]})


class NotePatch(_NoteFields):
    """What to change of a note: its text, or the contact that it is about."""


class NoteOperation(BulkOperation):
    """One of a bulk call: `create` takes `note`, as POST does, `update` takes `id` and `note`, as
    PATCH does, `delete` takes `id`; the latter two may have `version`."""

    written = "note"

    note = Unread(NotePatch)


class Bulk(Schema):
    """Up to 1000 operations, in one transaction; `atomic` does all of them or none."""

    operations = fields.List(
        Unread(NoteOperation),
        required=True,
        validate=validate.Length(min=1, max=MAX_OPERATIONS),
    )
    atomic = Flag(load_default=False)


class Accepted(Schema):
    """The suggestions to take over."""

    ids = fields.List(
        fields.String(validate=validate.Length(max=100)),
        required=True,
        validate=validate.Length(min=1, max=MAX_ACCEPTED),
    )


class NestedQuery(BookQuery, Paging):
    """Which part of a contact's notes, the newest first unless `sort` says otherwise."""

    sort = Names(
        ORDERS,
        signed=True,
        load_default=("-id",),
        metadata={"description": "`id` or `created_at`, `-` for descending.", "default": "-id"},
    )
    fields_ = Names(FIELDS, signed=False, data_key="fields")
    processing_status = fields.String(validate=validate.OneOf(STATUSES))
    q = Words(metadata={"description": "Words and quoted phrases that the note must have."})


class NotesQuery(NestedQuery):
    """The same over all contacts."""

    contact_id = PlainInteger(minimum=1, maximum=MAX_ID)


class Extracted(Schema):
    """What a note mentions, each value once."""

    emails = fields.List(fields.String(), required=True)
    phones = fields.List(fields.String(), required=True)
    urls = fields.List(fields.String(), required=True)
    hashtags = fields.List(fields.String(), required=True)
    mentions = fields.List(fields.String(), required=True)
    dates = fields.List(fields.Date(), required=True)


class Note(Schema):
    """A note about a contact. A job reads each new text: until then `processing_status` is pending
    and nothing is extracted; after eight failures it is failed."""

    id = fields.Integer(required=True)
    uid = fields.UUID(required=True)
    book_id = fields.Integer(required=True)
    contact_id = fields.Integer(required=True)
    body = fields.String(required=True)
    author = fields.Integer(required=True)
    processing_status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    extracted = fields.Nested(Extracted, required=True)
    word_count = fields.Integer(required=True, allow_none=True)
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)
    updated_by = fields.Integer(required=True)


class ListedNote(Note):
    """A note in a list; with `fields` only those that were asked for."""


class NotePage(PageShape):
    items = fields.List(fields.Nested(ListedNote(partial=True)), required=True)


class BulkItem(Schema):
    """What became of one operation: `note` where there is one now, else `error`."""

    index = fields.Integer(required=True)
    status = fields.Integer(required=True)
    note = fields.Nested(Note, allow_none=True)
    error = fields.Nested(Failure)


class BulkAnswer(Schema):
    """What became of all of them. `operation_id`: what to undo; null where nothing was changed."""

    items = fields.List(fields.Nested(BulkItem), required=True)
    operation_id = fields.Integer(required=True, allow_none=True)


class Suggestion(Schema):
    """Something that notes mention and the contact does not have; `field` is where it would go."""

    id = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(("email", "phone", "url")))
    field = fields.String(required=True)
    value = fields.String(required=True)
    note_ids = fields.List(fields.Integer(), required=True)


class Suggestions(Schema):
    items = fields.List(fields.Nested(Suggestion), required=True)
