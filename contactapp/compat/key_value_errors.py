"""How user management with key-value data tells an error: `{status, code, message}`."""

from __future__ import annotations

from typing import NamedTuple

from flask import Response, request

from ..answers import answer_object
from ..errors import AppError
from .told import sentence


class Told(NamedTuple):
    """An error as this system's clients know it. `causes`: the API's codes that are told so;
    `message`: empty where the API's own sentence is told."""

    status: int
    causes: tuple[str, ...]
    message: str = ""


# The codes with a message are the system's own, and so are the messages, to the letter: clients
# compare them.
CODES: dict[str, Told] = {
    "INVALID_REQUEST": Told(400, ("malformed_body", "bad_request", "unknown_parameter", "unknown_host"), "Invalid request. Please provide all required fields: username, email, password, full_name."),
    "INVALID_PASSWORD": Told(400, (), "The provided password does not meet the requirements. Password must be at least 8 characters long and contain a mix of uppercase and lowercase letters, numbers, and special characters."),
    "INVALID_AGE": Told(400, (), "Invalid age value. Age must be a positive integer."),
    "GENDER_REQUIRED": Told(400, (), "Gender field is required. Please specify the gender (e.g., male, female, non-binary)."),
    "MISSING_FIELDS": Told(400, (), "Missing fields. Please provide both username and password."),
    "INVALID_KEY": Told(400, (), "The provided key is not valid or missing."),
    "INVALID_VALUE": Told(400, (), "The provided value is not valid or missing."),
    "INVALID_CREDENTIALS": Told(401, ("invalid_credentials",), "Invalid credentials. The provided username or password is incorrect."),
    "INVALID_TOKEN": Told(401, ("not_authenticated", "invalid_token"), "Invalid access token provided."),
    "OTP_REQUIRED": Told(401, ("otp_required",)),
    "INVALID_OTP": Told(401, ("invalid_otp",)),
    "EMAIL_NOT_VERIFIED": Told(403, ("email_not_verified",)),
    "INSUFFICIENT_SCOPE": Told(403, ("insufficient_scope",)),
    "QUOTA_EXCEEDED": Told(403, ("data_quota_exceeded",)),
    "NOT_FOUND": Told(404, ("not_found",)),
    "KEY_NOT_FOUND": Told(404, ("key_not_found",), "The provided key does not exist in the database."),
    "METHOD_NOT_ALLOWED": Told(405, ("method_not_allowed",)),
    "USERNAME_EXISTS": Told(409, ("username_taken",), "The provided username is already taken. Please choose a different username."),
    "EMAIL_EXISTS": Told(409, ("email_taken",), "The provided email is already registered. Please use a different email address."),
    "KEY_EXISTS": Told(409, ("key_exists",), "The provided key already exists in the database. To update an existing key, use the update API."),
    "VERSION_MISMATCH": Told(412, ("version_mismatch",)),
    "BODY_TOO_LARGE": Told(413, ("body_too_large",)),
    "UNSUPPORTED_MEDIA_TYPE": Told(415, ("unsupported_media_type",)),
    "RATE_LIMITED": Told(429, ("rate_limited",)),
    "INTERNAL_SERVER_ERROR": Told(500, ("internal_error",)),
    "SERVICE_UNAVAILABLE": Told(503, ("unavailable",)),
    "STORAGE_FULL": Told(507, ("storage_full",)),
}  # fmt: skip
_BY_CAUSE = {cause: code for code, told in CODES.items() for cause in told.causes}

# What a wrong field is told as, by the view that read it.
_DATA = {"key": "INVALID_KEY", "value": "INVALID_VALUE"}
_BY_FIELD: dict[str, dict[str, str]] = {
    "register": {
        "password": "INVALID_PASSWORD",
        "age": "INVALID_AGE",
        "gender": "GENDER_REQUIRED",
    },
    "create_token": {"username": "MISSING_FIELDS", "password": "MISSING_FIELDS"},
    "create_entry": _DATA,
    "get_entry": _DATA,
    "update_entry": _DATA,
    "delete_entry": _DATA,
}


def in_envelope(error: AppError, _request_id: str) -> Response:
    """The error in the system's envelope."""
    code, message = _of_field(error) if error.errors else _of_cause(error)
    told = CODES.get(code)
    status = told.status if told else error.status
    body = {"status": "error", "code": code, "message": message}
    response = answer_object(body, status)
    response.headers.extend(error.headers)
    return response


def _of_cause(error: AppError) -> tuple[str, str]:
    code = _BY_CAUSE.get(error.code, error.code.upper())
    if code == "INVALID_REQUEST":  # its message is about fields, and it is not for them
        return code, f"Invalid request. {error.detail}"
    told = CODES.get(code)
    return code, (told and told.message) or error.detail


def _of_field(error: AppError) -> tuple[str, str]:
    """The first wrong field: these clients know one at a time. What the API demands beyond the
    system's own rules follows the message."""
    pointer, _, detail = error.errors[0]
    view = (request.endpoint or "").rpartition(".")[2]
    field = pointer.split("/")[1] if pointer else ""
    code = _BY_FIELD.get(view, {}).get(field, "INVALID_REQUEST")
    message = CODES[code].message
    if not detail:
        return code, message
    if code in {"INVALID_REQUEST", "MISSING_FIELDS"}:  # of more than one field: which it was
        return code, f"{message.partition('.')[0]}. {sentence(error.errors[0])}"
    return code, f"{message} {detail}"
