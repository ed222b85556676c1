"""The shapes of accounts as admins see them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, pre_load, validate

from ..shapes import Flag, PageShape, Paging
from ..users.schemas import Email

ROLES = ("user", "admin")
MAX_LIMIT = 1_000_000


class AccountQuery(Paging):
    """Paging, or the one account with an address."""

    email = Email(metadata={"description": "Exactly this address."})


class Account(Schema):
    """An account as admins see it."""

    id = fields.Integer(required=True)
    uid = fields.UUID(required=True)
    email = fields.String(required=True)
    email_verified = fields.Boolean(required=True)
    username = fields.String(required=True, allow_none=True)
    full_name = fields.String(required=True, allow_none=True)
    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    active = fields.Boolean(required=True)
    contact_limit = fields.Integer(
        required=True, allow_none=True, metadata={"description": "null is the standard one."}
    )
    contact_count = fields.Integer(required=True)
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class AccountPage(PageShape):
    items = fields.List(fields.Nested(Account), required=True)


class AccountPatch(Schema):
    """A merge patch (RFC 7396) of what admins may change."""

    role = fields.String(validate=validate.OneOf(ROLES))
    active = Flag()
    contact_limit = fields.Integer(
        strict=True, allow_none=True, validate=validate.Range(min=0, max=MAX_LIMIT)
    )

    @pre_load
    def _ignore_read_only(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {
            k: v for k, v in data.items() if k in self.fields or k not in Account._declared_fields
        }
