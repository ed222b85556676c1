"""The shapes of API tokens."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from ..contacts.schemas import Line
from ..incoming import Problem
from ..shapes import PageShape
from .api_tokens import MAX_NAME
from .scopes import SCOPES


class TokenName(Line):
    """What its owner calls a token; not empty."""

    def _validate(self, value: str | None) -> None:
        super()._validate(value)
        if not value:
            raise ValidationError(Problem("required", "Say what the token is for."))


class Scopes(fields.List):
    """Some scopes, each once."""

    def __init__(self, **kwargs: object) -> None:
        scope = fields.String(validate=validate.OneOf(SCOPES))
        super().__init__(scope, **kwargs)  # type: ignore[arg-type]


class Expiry(fields.AwareDateTime):
    """A time that UTC can say too: the last hours of 9999 west of it are in no year of ours."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **kwargs).astimezone(UTC)
        except OverflowError:
            raise ValidationError(Problem("invalid_time", "After the year 9999.")) from None


class ApiTokenInput(Schema):
    """A token for a program."""

    name = TokenName(MAX_NAME, required=True)
    scopes = Scopes(required=True, validate=validate.Length(min=1, max=len(SCOPES)))
    expires_at = Expiry(
        format="iso", allow_none=True, metadata={"description": "null or absent: never."}
    )


class ApiToken(Schema):
    """A token, without what it is."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    scopes = Scopes(required=True)
    created_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True, allow_none=True)
    last_used_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "To the minute."}
    )


class NewApiToken(ApiToken):
    """A token that was just made. `token` is told here and never again."""

    token = fields.String(required=True)


class ApiTokenPage(PageShape):
    items = fields.List(fields.Nested(ApiToken), required=True)
