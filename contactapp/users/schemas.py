"""The shapes of account requests and answers."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from marshmallow import Schema, ValidationError, fields, pre_load, validate

from ..incoming import Problem
from .identity import canonical_username, parse_email

READ_ONLY = (
    "id",
    "user_id",
    "uid",
    "email",
    "email_verified",
    "role",
    "avatar_url",
    "avatar_urls",
    "book_id",
    "contact_limit",
    "contact_count",
    "version",
    "created_at",
    "updated_at",
)


class Email(fields.String):
    """An e-mail address for an account."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            parse_email(text)
        except ValueError as error:
            raise ValidationError(Problem("invalid_email", str(error))) from None
        return text.strip()


class Username(fields.String):
    """A user name: 1 to 64 characters, no `@`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            canonical_username(text)
        except ValueError as error:
            raise ValidationError(Problem("invalid_username", str(error))) from None
        return unicodedata.normalize("NFKC", text.strip())


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())  # walks the whole time zone database


class TimeZone(fields.String):
    """A name of the IANA time zone database."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text not in _time_zones():
            raise ValidationError(Problem("invalid_timezone", "Not an IANA time zone."))
        return text


class Profile(Schema):
    """What an account holder says of themselves."""

    username = Username(allow_none=True)
    full_name = fields.String(allow_none=True, validate=validate.Length(max=200))
    age = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=0, max=150))
    gender = fields.String(allow_none=True, validate=validate.Length(max=50))
    timezone = TimeZone(allow_none=True)


class ProfilePatch(Profile):
    """A JSON merge patch (RFC 7396) of the profile: null clears, absent leaves."""

    @pre_load
    def _ignore_read_only(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {key: value for key, value in data.items() if key not in READ_ONLY}


class User(Schema):
    """An account as its owner sees it."""

    id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    uid = fields.UUID(required=True)
    email = fields.String(required=True)
    email_verified = fields.Boolean(required=True)
    username = fields.String(required=True, allow_none=True)
    full_name = fields.String(required=True, allow_none=True)
    age = fields.Integer(required=True, allow_none=True)
    gender = fields.String(required=True, allow_none=True)
    timezone = fields.String(required=True, allow_none=True)
    avatar_url = fields.String(required=True, metadata={"description": "For an `<img>`."})
    avatar_urls = fields.Dict(
        required=True,
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "The same by size: 64, 256 and 512 pixels."},
    )
    role = fields.String(required=True)
    book_id = fields.Integer(required=True, metadata={"description": "The personal book."})
    contact_limit = fields.Integer(required=True, metadata={"description": "0 is no limit."})
    contact_count = fields.Integer(required=True)
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class Avatar(Schema):
    """Where a picture is."""

    avatar_url = User._declared_fields["avatar_url"]
    avatar_urls = User._declared_fields["avatar_urls"]
