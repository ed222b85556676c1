"""The shapes of accounts as admins see them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, pre_load, validate

from ..http import PlainInteger
from ..incoming import MAX_ID, Problem
from ..users.schemas import Email

ROLES = ("user", "admin")
MAX_LIMIT = 1_000_000


class AccountQuery(Schema):
    """Paging, or the one account with an address."""

    limit = PlainInteger(load_default=50, minimum=1, maximum=500)
    skip = PlainInteger(minimum=0, maximum=MAX_ID)
    offset = PlainInteger(minimum=0, maximum=MAX_ID, metadata={"description": "Alias of skip."})
    cursor = fields.String(validate=validate.Length(max=500))
    email = Email(metadata={"description": "Exactly this address."})

    @post_load
    def _one_way(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        ways = [way for way in ("skip", "offset", "cursor") if way in data]
        if len(ways) > 1:
            clash = Problem("alias_conflict", f"Use only one of {' and '.join(ways)}.")
            raise ValidationError({way: [clash] for way in ways})
        data["skip"] = data.pop("offset", data.get("skip", 0))
        return data


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


class AccountPage(Schema):
    items = fields.List(fields.Nested(Account), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
    total = fields.Integer(required=True)


class Truth(fields.Boolean):
    """true or false, and nothing that looks like it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise ValidationError(Problem("wrong_type", "true or false."))
        return value


class AccountPatch(Schema):
    """A merge patch (RFC 7396) of what admins may change."""

    role = fields.String(validate=validate.OneOf(ROLES))
    active = Truth()
    contact_limit = fields.Integer(
        strict=True, allow_none=True, validate=validate.Range(min=0, max=MAX_LIMIT)
    )

    @pre_load
    def _ignore_read_only(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {
            k: v for k, v in data.items() if k in self.fields or k not in Account._declared_fields
        }
