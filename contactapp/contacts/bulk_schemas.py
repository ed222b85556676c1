"""The shapes of POST /contacts/bulk."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from ..shapes import MAX_OPERATIONS, BulkOperation, Failure, Flag, Unread
from .schemas import Contact, ContactPatch


class ContactOperation(BulkOperation):
    """One of a bulk call: `create` takes `contact`, as POST does, `update` takes `id` and
    `contact`, as PATCH does, `delete` takes `id`; the latter two may have `version`."""

    written = "contact"

    contact = Unread(ContactPatch)


class ContactBulk(Schema):
    """Up to 1000 operations, in their order and in one transaction. `atomic` does all of them or
    none; without it those that can be done are. Those that change more than 16 MiB of contacts
    together are 413; only who changes very large ones meets that."""

    operations = fields.List(
        Unread(ContactOperation),
        required=True,
        validate=validate.Length(min=1, max=MAX_OPERATIONS),
    )
    atomic = Flag(load_default=True)


class ContactFailure(Failure):
    """Why one operation was not done; pointers begin at the body, as `/operations/3/contact/email`.
    `limit` and `used` come with contact_limit_reached, `current_version` with version_mismatch."""

    limit = fields.Integer()
    used = fields.Integer()
    current_version = fields.Integer()


class ContactBulkItem(Schema):
    """What became of one operation: `contact` as it is now, null where it was deleted, or why it
    was not done."""

    index = fields.Integer(required=True)
    status = fields.Integer(required=True)
    contact = fields.Nested(Contact, allow_none=True)
    error = fields.Nested(ContactFailure)


class ContactBulkAnswer(Schema):
    """What became of all of them. `operation_id`: what to undo; null where nothing was changed."""

    items = fields.List(fields.Nested(ContactBulkItem), required=True)
    operation_id = fields.Integer(required=True, allow_none=True)
