"""The shapes of sign-in requests and answers."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from ..incoming import Problem
from ..shapes import PageShape
from ..users.schemas import Email, Profile, User


class Registration(Profile):
    """A new account."""

    email = Email(required=True)
    password = fields.String(
        required=True,
        load_only=True,
        metadata={"description": "8 to 256 characters; none of the commonest."},
    )


class Registered(User):
    """The new account, and what to do next."""

    message = fields.String(required=True)


class SignIn(Schema):
    """E-mail address or user name, and password."""

    email = fields.String(validate=validate.Length(max=320))
    username = fields.String(validate=validate.Length(max=320))
    password = fields.String(required=True)
    otp = fields.String(validate=validate.Length(max=64))

    @validates_schema
    def _one_login(self, data: dict[str, Any], **_: Any) -> None:
        if ("email" in data) == ("username" in data):
            problem = Problem("required", "Give either email or username.")
            raise ValidationError({"email": [problem], "username": [problem]})


def proof_of(fields: dict[str, Any]) -> tuple[str, str, str | None]:
    """Name, password and one-time code of a sign-in; whichever of the two names it gave."""
    login = fields.get("email") or fields.get("username") or ""
    return login, fields["password"], fields.get("otp") or None


class SignInForm(Schema):
    """The password grant of OAuth 2.0 (RFC 6749 §4.3.2) as Swagger UI and others send it;
    `username` may be the e-mail address."""

    class Meta:
        unknown = EXCLUDE  # RFC 6749 §3.2: parameters that are not known are ignored

    username = fields.String(required=True, validate=validate.Length(max=320))
    password = fields.String(required=True)
    otp = fields.String(validate=validate.Length(max=64))
    grant_type = fields.String(validate=validate.OneOf(["password", ""]))
    scope = fields.String()
    client_id = fields.String()
    client_secret = fields.String(load_only=True)


class Refresh(Schema):
    """The refresh token, where it does not come as the bearer token."""

    refresh_token = fields.String()


class Tokens(Schema):
    """Tokens to act with. `expires_in`: the access token's life in seconds."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.String(required=True, validate=validate.Equal("bearer"))
    expires_in = fields.Integer(required=True)


class Message(Schema):
    """What was done, for people."""

    message = fields.String(required=True)


class Address(Schema):
    """Whom to mail."""

    email = fields.String(required=True, validate=validate.Length(min=1, max=320))


class LinkToken(Schema):
    """The token of a mailed link."""

    token = fields.String(required=True, validate=validate.Length(max=200))


class Verification(Schema):
    """The token of a mailed link, or an address and the code that was mailed to it."""

    token = fields.String(validate=validate.Length(max=200))
    email = fields.String(validate=validate.Length(max=320))
    code = fields.String(validate=validate.Length(max=20))
    password = fields.String(load_only=True)

    @validates_schema
    def _one_proof(self, data: dict[str, Any], **_: Any) -> None:
        if ("token" in data) == ("code" in data) or ("code" in data) != ("email" in data):
            problem = Problem("required", "Give either token, or email and code.")
            raise ValidationError({name: [problem] for name in ("token", "email", "code")})


class Verified(Message):
    """`needs_password`: everything that others may hold of the account has ended, and so has its
    password."""

    needs_password = fields.Boolean(required=True)


class PasswordReset(LinkToken):
    """A new password, by a mailed link."""

    new_password = fields.String(required=True, load_only=True)


class Password(Schema):
    """The account's password, once more."""

    password = fields.String(required=True)


class PasswordChange(Schema):
    """A new password, by the current one."""

    current_password = fields.String(required=True, load_only=True)
    new_password = fields.String(required=True, load_only=True)


class EmailChange(Schema):
    """A new address."""

    email = Email(required=True)
    password = fields.String(required=True, load_only=True)


class LogoutQuery(Schema):
    scope = fields.String(load_default="local", validate=validate.OneOf(["local", "others", "all"]))


class Session(Schema):
    """A sign-in."""

    id = fields.Integer(required=True)
    user_agent = fields.String(required=True, allow_none=True)
    address = fields.String(required=True)
    created_at = fields.DateTime(required=True)
    last_used_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True)
    is_current = fields.Boolean(required=True)


class SessionPage(PageShape):
    items = fields.List(fields.Nested(Session), required=True)
