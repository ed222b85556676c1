"""The shapes of the second factor."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class TotpCode(Schema):
    """What the authenticator shows now."""

    code = fields.String(required=True, validate=validate.Length(max=20))


class TotpSecret(Schema):
    """What an authenticator is given: the secret (base32), an otpauth address that has it, and a
    picture of that to be scanned."""

    secret = fields.String(required=True)
    otpauth_uri = fields.String(required=True)
    qr_svg = fields.String(required=True)


class RecoveryCodes(Schema):
    """Codes for the day on which the authenticator is lost."""

    recovery_codes = fields.List(fields.String(), required=True)


class SecondFactor(Schema):
    """Whether signing in asks for a code."""

    enabled = fields.Boolean(required=True)
    enabled_at = fields.DateTime(required=True, allow_none=True)
    recovery_codes_left = fields.Integer(required=True)
