"""The exception tree and its one JSON shape, problem+json (RFC 9457).

AppError
├── BadRequest 400          malformed bodies, unknown or repeated parameters, bad cursors
├── Unauthenticated 401     no token, a bad one, or wrong credentials
├── Forbidden 403           known, but not allowed
├── NotFound 404            absent, or somebody else's
├── MethodNotAllowed 405
├── Conflict 409            a unique value is taken
├── Gone 410                what there was cannot be continued from here
├── PreconditionFailed 412  If-Match names another version
├── TooLarge 413
├── UriTooLong 414
├── UnsupportedMediaType 415
├── InvalidFields 422       every wrong field at once
├── TooManyRequests 429     carries the seconds to wait
├── HeadersTooLarge 431
├── ServerError 500         a fault of the program; nothing internal is said
├── UnknownTransfer 501     a transfer coding that the server does not speak
├── Unavailable 503         carries the seconds to wait
└── InsufficientStorage 507

Every code is in `CODES`, the one table that the documentation shows and tests compare.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Code(NamedTuple):
    """What a stable error code stands for."""

    status: int
    title: str
    meaning: str


CODES: dict[str, Code] = {
    "malformed_body": Code(400, "Malformed body", "The body is not strict UTF-8 JSON or form data."),
    "unknown_parameter": Code(400, "Unknown parameter", "A query parameter, or a name in sort or fields, does not exist here."),
    "repeated_parameter": Code(400, "Repeated parameter", "A query parameter came more than once."),
    "invalid_cursor": Code(400, "Invalid cursor", "The cursor is not one of ours, or was changed."),
    "cursor_mismatch": Code(400, "Cursor mismatch", "The cursor belongs to another list, filter or sort."),
    "invalid_link": Code(400, "Invalid link", "The link or code is wrong, spent, too old, or replaced by a newer one."),
    "bad_request": Code(400, "Bad request", "The request line, a header or the query string cannot be read."),
    "invalid_idempotency_key": Code(400, "Invalid idempotency key", "Idempotency-Key has 1 to 255 printable ASCII characters, in quotes or not."),
    "unknown_host": Code(400, "Unknown host", "This server is not called what the Host header says; an operator can add the name to CONTACTAPP_ALLOWED_HOSTS."),
    "not_authenticated": Code(401, "Not authenticated", "The route needs a bearer token."),
    "invalid_token": Code(401, "Invalid token", "The token is not valid, has expired, or its session has ended."),
    "invalid_credentials": Code(401, "Invalid credentials", "Account and password do not belong together."),
    "otp_required": Code(401, "One-time code required", "The password is right; send the authenticator's code, or a recovery code, as otp too."),
    "invalid_otp": Code(401, "Wrong one-time code", "The code is not right, or it was used before; wait for the next one."),
    "refresh_token_reused": Code(401, "Refresh token reused", "A spent refresh token came back; the session was ended."),
    "forbidden": Code(403, "Forbidden", "The account may not do this."),
    "wrong_password": Code(403, "Wrong password", "The current password is not this one."),
    "insufficient_scope": Code(403, "Insufficient scope", "The API token is not for this; the answer's `scope` is what it lacks, or null where only a session will do."),
    "api_token_limit_reached": Code(403, "API token limit reached", "The account's limit of API tokens is used up; revoke one first."),
    "email_not_verified": Code(403, "E-mail not verified", "The address must be confirmed first, by the link or the code that was mailed."),
    "read_only_book": Code(403, "Read-only book", "The account may read this address book but not change it."),
    "contact_limit_reached": Code(403, "Contact limit reached", "The owner's limit of contacts is used up."),
    "data_quota_exceeded": Code(403, "Data quota exceeded", "The account's quota of key-value data, entries or bytes, is used up; what says which."),
    "custom_field_limit_reached": Code(403, "Custom field limit reached", "The address book has as many custom fields with a definition as it may have; delete one first."),
    "second_factor_required": Code(403, "Second factor required", "Admins need a second factor here: turn on one-time codes at /auth/totp first."),
    "dismissal_limit_reached": Code(403, "Too many dismissed", "The address book keeps no more pairs that were told apart; `limit` says how many."),
    "feed_limit_reached": Code(403, "Feed limit reached", "The account's limit of calendar feeds is used up; delete one first."),
    "webhook_limit_reached": Code(403, "Webhook limit reached", "The account's limit of webhooks is used up; delete one first."),
    "not_found": Code(404, "Not found", "There is nothing here, or it belongs to somebody else."),
    "key_not_found": Code(404, "Key not found", "There is no such key in the account's data."),
    "method_not_allowed": Code(405, "Method not allowed", "The route exists, but not with this method."),
    "conflict": Code(409, "Conflict", "The request does not go with the present state."),
    "email_taken": Code(409, "E-mail taken", "An account with this e-mail address exists already."),
    "username_taken": Code(409, "User name taken", "An account with this user name exists already."),
    "key_exists": Code(409, "Key exists", "There is an entry of data, or a custom field, with this key already."),
    "totp_active": Code(409, "Codes are on already", "Signing in asks for one-time codes already; turn them off first."),
    "totp_not_begun": Code(409, "Nothing to confirm", "No secret was made for an authenticator; POST /auth/totp makes one."),
    "key_in_use": Code(409, "Key in use", "Contacts have values under the new key already; `contacts` says which, up to a hundred, and `contacts_count` how many. Nothing was changed."),
    "not_convertible": Code(409, "Not convertible", "Contacts have values that are not of the new type; `contacts` says which, up to a hundred, and `contacts_count` how many. Nothing was changed."),
    "not_a_number": Code(409, "Not a number", "Only a value that is a whole number can be incremented."),
    "merged": Code(409, "Merged", "The contact became a part of another one; `merged_into` is that one's id."),
    "edited_since": Code(409, "Edited since", "Something that the operation changed was changed again; `edited` says what, by whom and when. Nothing was undone."),
    "cannot_undo": Code(409, "Cannot be undone", "The operation was undone already, or what it changed is no longer kept."),
    "import_limit_reached": Code(409, "Too many imports", "The account has as many imports under way as it may have; wait for one, or cancel it."),
    "not_previewed": Code(409, "Not previewed", "Only an import that was previewed can be committed, and once."),
    "import_is_over": Code(409, "Import is over", "The import is done or has failed; what it did can be undone as an operation."),
    "webhook_inactive": Code(409, "Webhook is off", "The webhook is switched off, so nothing is sent to it; switch it on first."),
    "idempotency_in_progress": Code(409, "Idempotency key in use", "The first request with this Idempotency-Key is still at work; send it again after Retry-After seconds."),
    "last_admin": Code(409, "Last admin", "Somebody must be able to look after the accounts: make another admin first."),
    "cursor_expired": Code(410, "Cursor expired", "The changes after this cursor are no longer kept, or it is from before a backup was restored; read everything anew and begin without one."),
    "version_mismatch": Code(412, "Version mismatch", "If-Match names another version than the present one."),
    "body_too_large": Code(413, "Body too large", "The body, or a part of it, is over the limit."),
    "uri_too_long": Code(414, "Address too long", "The address, with its query, is over the limit."),
    "unsupported_media_type": Code(415, "Unsupported media type", "The route does not take this content type."),
    "invalid_fields": Code(422, "Invalid fields", "One or more fields or values are not valid; errors names each."),
    "bulk_failed": Code(422, "Nothing was done", "Some operations of an atomic call cannot be done, so none was; `items` tells of each, 424 of those that could be."),
    "idempotency_key_reused": Code(422, "Idempotency key reused", "Another request, or one with another body, had this Idempotency-Key within 24 hours; a new request takes a new key."),
    "rate_limited": Code(429, "Too many requests", "The limit is used up; wait for Retry-After seconds."),
    "headers_too_large": Code(431, "Headers too large", "A header, or their number, is over the limit."),
    "internal_error": Code(500, "Internal error", "A fault of the server. Its log has the details under the request id."),
    "unknown_transfer": Code(501, "Unknown transfer coding", "The server reads bodies with a length, or chunked."),
    "unavailable": Code(503, "Unavailable", "The server cannot answer now; try again after Retry-After seconds."),
    "storage_full": Code(507, "Insufficient storage", "The server cannot store anything now; reading works."),
}  # fmt: skip


MAX_ERRORS = 100  # in one answer, which would else be several times as long as the request


class FieldError(NamedTuple):
    """One wrong value: `pointer` is a JSON pointer into the body (RFC 6901) or `?parameter`."""

    pointer: str
    code: str
    detail: str


def pointer_to(*parts: object) -> str:
    """A JSON pointer (RFC 6901) through these members."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "".join(f"/{part}" for part in escaped)


class AppError(Exception):
    """An answer that is not a success. `extra` members join the problem object."""

    default = "internal_error"

    def __init__(
        self,
        code: str | None = None,
        detail: str | None = None,
        *,
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        self.code = code or self.default
        self.status, self.title, meaning = CODES[self.code]
        self.detail = detail or meaning
        self.errors = (errors or [])[:MAX_ERRORS]
        self.headers = headers or {}
        self.extra = extra
        super().__init__(self.code)

    def problem(self, request_id: str) -> dict[str, Any]:
        """The body of the answer."""
        return {
            "type": f"/docs/errors#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "errors": [error._asdict() for error in self.errors],
            "request_id": request_id,
            **self.extra,
        }


class BadRequest(AppError):
    default = "malformed_body"


class Unauthenticated(AppError):
    """401 with the challenge of RFC 6750 §3: `error` only where a token was presented."""

    default = "not_authenticated"

    def __init__(self, code: str | None = None, detail: str | None = None) -> None:
        challenge = 'Bearer realm="contactapp"'
        if code in {"invalid_token", "refresh_token_reused"}:
            challenge += ', error="invalid_token"'
        super().__init__(code, detail, headers={"WWW-Authenticate": challenge})


class Forbidden(AppError):
    default = "forbidden"


class NotFound(AppError):
    default = "not_found"


class MethodNotAllowed(AppError):
    default = "method_not_allowed"


class Conflict(AppError):
    default = "conflict"


class Gone(AppError):
    default = "cursor_expired"


class PreconditionFailed(AppError):
    default = "version_mismatch"


class TooLarge(AppError):
    default = "body_too_large"


class UriTooLong(AppError):
    default = "uri_too_long"


class UnsupportedMediaType(AppError):
    default = "unsupported_media_type"


class InvalidFields(AppError):
    default = "invalid_fields"

    @classmethod
    def one(cls, pointer: str, code: str, detail: str) -> InvalidFields:
        """The common case of a single wrong field."""
        return cls(errors=[FieldError(pointer, code, detail)])


class _Wait(AppError):
    def __init__(self, retry_after: int, detail: str | None = None, **extra: Any) -> None:
        super().__init__(None, detail, headers={"Retry-After": str(retry_after)}, **extra)


class TooManyRequests(_Wait):
    default = "rate_limited"


class HeadersTooLarge(AppError):
    default = "headers_too_large"


class ServerError(AppError):
    default = "internal_error"


class UnknownTransfer(AppError):
    default = "unknown_transfer"


class Unavailable(_Wait):
    default = "unavailable"


class InsufficientStorage(_Wait):
    default = "storage_full"
