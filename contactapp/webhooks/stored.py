"""A webhook as it is stored, and as its user sees it."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from .. import clock
from ..crypto import Cipher
from ..keyring import keyring

BOTH_MS = 86_400_000  # in which the former secret signs beside the new one
_COLUMNS = (
    *("id", "uid", "user_id", "book_id", "types", "active", "sealed", "version", "failures"),
    *("failing_since", "disabled_reason", "disabled_at", "created_at", "updated_at"),
)
COLUMNS = ", ".join(f"w.{name}" for name in _COLUMNS)


class Private(NamedTuple):
    """What of a webhook is sealed. `until`: when `former`, the secret before, signs no more."""

    url: str
    description: str | None
    secret: str
    former: str | None = None
    until: int = 0

    def secrets(self, now: int) -> list[str]:
        """Those that sign now."""
        return [self.secret, *([self.former] if self.former and now < self.until else [])]

    def sealed(self, cipher: Cipher, user_id: int, uid: str) -> bytes:
        """For its row."""
        return cipher.seal(orjson.dumps(self._asdict()), *_place(user_id, uid))


class Webhook(NamedTuple):
    """A row; times in milliseconds."""

    id: int
    uid: str
    user_id: int
    book_id: int
    types: str
    active: bool
    sealed: bytes
    version: int
    failures: int
    failing_since: int | None
    disabled_reason: str | None
    disabled_at: int | None
    created_at: int
    updated_at: int

    @classmethod
    def made(cls, id_: int, row: dict[str, Any]) -> Webhook:
        """The row that was just inserted."""
        values: list[Any] = [row.get(name) for name in _COLUMNS[1:]]
        return cls(id_, *values)

    def private(self, key_id: int) -> Private:
        """What is sealed, opened with its user's key."""
        return opened(key_id, self.user_id, self.uid, self.sealed)

    def shown(self, private: Private, has_access: bool) -> dict[str, Any]:
        """As its user sees it (schema Webhook)."""
        until = private.until if private.former and clock.now_ms() < private.until else None
        return {
            "id": self.id,
            "url": private.url,
            "description": private.description,
            "types": self.types.split(),
            "book_id": self.book_id,
            "active": bool(self.active),
            "status": self._status(has_access),
            "failing_since": self.failing_since and clock.rfc3339(self.failing_since),
            "disabled_at": self.disabled_at and clock.rfc3339(self.disabled_at),
            "former_secret_until": until and clock.rfc3339(until),
            "version": self.version,
            "created_at": clock.rfc3339(self.created_at),
            "updated_at": clock.rfc3339(self.updated_at),
        }

    def _status(self, has_access: bool) -> str:
        if not self.active:
            return self.disabled_reason or "paused"
        if not has_access:
            return "no_access"
        return "retrying" if self.failures else "active"


def opened(key_id: int, user_id: int, uid: str, sealed: bytes) -> Private:
    """What of a webhook is sealed. Raises SealError, Erased where its account is gone."""
    cipher = keyring().cipher(key_id)
    return Private(**orjson.loads(cipher.open(sealed, *_place(user_id, uid))))


def _place(user_id: int, uid: str) -> tuple[object, ...]:
    return ("webhook", "sealed", user_id, uid)
