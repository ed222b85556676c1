"""What the audit trail calls what was done."""

from __future__ import annotations

UNKNOWN = "sign_in_failed_unknown"
LIMITED_UNKNOWN = "limited_unknown"

EVENT_KINDS = {
    "registered": "the account was made",
    "signed_in": "a session was opened",
    "sign_in_failed": "a wrong password, a deactivated account, or an address not confirmed yet",
    UNKNOWN: "tries of a minute to sign in to accounts that do not exist",
    "signed_out": "sessions were ended",
    "refresh_token_reused": "a spent refresh token came back, its session was ended",
    "refused": "something that the account may not do; one a minute for each route",
    "limited": "the account's requests went over a limit; one a minute",
    LIMITED_UNKNOWN: "requests of a minute over a limit, from nobody who is signed in",
    "email_verified": "the address was proven",
    "account_cleared": "the address was proven by another than who had signed in before",
    "password_changed": "by its owner, who knew the old one",
    "password_reset": "by a link",
    "email_changed": "the new address was proven",
    "profile_changed": "names of the changed fields",
    "avatar_changed": "a picture was set or removed",
    "exported": "everything was downloaded, or contacts were as a file",
    "api_token_made": "a token for a program was made, for these scopes",
    "api_token_revoked": "and it opens nothing any more",
    "totp_enabled": "signing in asks for one-time codes from then on",
    "totp_disabled": "and no longer, by its owner or on the command line",
    "recovery_code_used": "to sign in; how many are left",
    "feed_made": "an address was made at which a calendar can be read",
    "feed_deleted": "and that address opens nothing any more",
    "webhook_made": "an address was to be told of changes from then on",
    "webhook_changed": "names of the changed fields",
    "webhook_secret_made": "another secret signs what it is told",
    "webhook_deleted": "and it is told nothing any more",
    "webhook_disabled": "by the server, which got nothing through, or is not wanted",
    "deleted": "the account is being erased",
    "role_changed": "by an admin",
    "activated": "by an admin",
    "deactivated": "by an admin",
    "contact_limit_changed": "by an admin",
    "reset_link_made": "on the command line",
    "book_shared": "on the command line",
    "book_unshared": "on the command line",
}
# What a change of a book, or of key-value data, is called, by its entity and op.
CHANGE_KINDS = {
    "contact_created": ("contact", "create"),
    "contact_updated": ("contact", "update"),
    "contact_deleted": ("contact", "delete"),
    "contact_restored": ("contact", "restore"),
    "contact_purged": ("contact", "purge"),
    "note_created": ("note", "create"),
    "note_updated": ("note", "update"),
    "note_deleted": ("note", "delete"),
    "note_restored": ("note", "restore"),
    "note_purged": ("note", "purge"),
    "note_processed": ("note", "process"),
    "custom_field_created": ("custom_field", "create"),
    "custom_field_updated": ("custom_field", "update"),
    "custom_field_deleted": ("custom_field", "delete"),
    "custom_field_restored": ("custom_field", "restore"),
    "data_created": ("data", "create"),
    "data_updated": ("data", "update"),
    "data_deleted": ("data", "delete"),
}
KINDS = (*EVENT_KINDS, *CHANGE_KINDS)
ENTITIES = tuple(dict.fromkeys(entity for entity, _ in CHANGE_KINDS.values()))
BY_ANYBODY = {"sign_in_failed", "refresh_token_reused", UNKNOWN, LIMITED_UNKNOWN}  # who knows whom

_KIND_OF = {deed: kind for kind, deed in CHANGE_KINDS.items()}


def kind_of(entity: str, op: str) -> str:
    """What the trail calls such a change."""
    return _KIND_OF.get((entity, op), f"{entity}_{op}")
