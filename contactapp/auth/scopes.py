"""What an API token may do. Pure.

A view belongs to an area; reading and writing it each need a scope. What belongs to none, such as
passwords, sessions and the tokens themselves, takes a session's token only.
"""

from __future__ import annotations

SCOPES = {
    "contacts:read": "read contacts, their notes and what was changed",
    "contacts:write": "change contacts and notes, make and delete calendar feeds, webhooks",
    "data:read": "read key-value data",
    "data:write": "change key-value data",
    "feeds:read": "list calendar feeds with their addresses",
    "admin": "look after accounts, where the token is an admin's",
}
_AREAS = {
    "contacts": ("contacts:read", "contacts:write"),
    "imports": ("contacts:write", "contacts:write"),  # what was uploaded, and is not in the book
    "tickets": ("contacts:read", "contacts:read"),  # made by a POST, good for nothing but reading
    "data": ("data:read", "data:write"),
    "feeds": ("feeds:read", "contacts:write"),
    "admin": ("admin", "admin"),
}
_READING = {"GET", "HEAD"}


def needed(area: str | None, method: str) -> str | None:
    """The scope that a request needs; None where no API token will do."""
    if area is None:
        return None
    reading, writing = _AREAS[area]
    return reading if method in _READING else writing
