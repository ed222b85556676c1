"""A contact at rest, and opened."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import orjson

from ..changes.conflicts import Present, stale
from ..changes.service import ChangeLog
from ..crypto import Cipher
from ..errors import PreconditionFailed
from .card import HIDDEN, Meta, as_object, comparable, told

Versions = tuple[int, ...] | None
# What a write makes of a card, and which of its fields were sent; None for all.
Attempt = Callable[[dict[str, Any]], tuple[dict[str, Any], Collection[str] | None]]


class Stored(NamedTuple):
    """A contact as the database holds it, opened."""

    meta: Meta
    card: dict[str, Any]

    def shown(self) -> dict[str, Any]:
        """The contact as the API shows it."""
        return as_object(self.meta, self.card)


def sealed_card(cipher: Cipher, book_id: int, uid: str, card: dict[str, Any]) -> bytes:
    """A card as it is stored."""
    return cipher.seal(orjson.dumps(card), *_place(book_id, uid))


def opened(cipher: Cipher, book_id: int, uid: str, sealed: bytes) -> dict[str, Any]:
    """The card of a contact's row."""
    return orjson.loads(cipher.open(sealed, *_place(book_id, uid)))


def _place(book_id: int, uid: str) -> tuple[object, ...]:
    return ("contact", "sealed", book_id, uid)


def text_of(card: dict[str, Any]) -> bytes:
    """One text per card: to Python 1, 1.0 and true in a custom field are equal, in JSON not."""
    return orjson.dumps(comparable(card), option=orjson.OPT_SORT_KEYS)


def expect(meta: Meta, versions: Versions) -> None:
    """Raise PreconditionFailed where a contact is at none of the expected versions."""
    if versions is not None and meta.version not in versions:
        raise PreconditionFailed(
            detail=f"The contact is at version {meta.version} now; read it and try again.",
            current_version=meta.version,
        )


def require_version(
    log: ChangeLog, found: Stored, versions: Versions, edit: Attempt | None = None
) -> None:
    """The same; whoever expects another version is told what others have changed, and what `edit`
    would have."""
    if versions is None or found.meta.version in versions:
        return

    def mine() -> tuple[dict[str, Any], Collection[str] | None]:
        card, sent = edit(found.card) if edit else (found.card, ())
        return told(card), sent

    meta = found.meta
    present = (meta.id, meta.version, meta.updated_by, meta.updated_at, told(found.card))
    raise stale(log, "contact", Present(*present), versions, mine, HIDDEN)
