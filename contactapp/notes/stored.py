"""A note at rest, and opened."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from ..crypto import Cipher
from ..database import Sql
from .note import Meta, as_object

COLUMNS = ", ".join(f"n.{name}" for name in (*Meta._fields, "sealed", "found"))
LIVE = (
    f"SELECT {COLUMNS} FROM note n "  # noqa: S608
    "JOIN contact c ON c.id = n.contact_id AND c.deleted_at IS NULL "
    "WHERE n.book_id = ? AND n.deleted_at IS NULL"
)
FIND = Sql(f"{LIVE} AND n.id = ?")


class Stored(NamedTuple):
    """A note as the database holds it, opened; `found` is None until its text was read."""

    meta: Meta
    body: str
    found: bytes | None

    @classmethod
    def of(cls, row: tuple[Any, ...], cipher: Cipher) -> Stored:
        """The note of a row of Meta's columns, `sealed` and `found`."""
        meta, (sealed, found) = Meta(*row[:-2]), row[-2:]
        text = cipher.open(sealed, *place(meta.book_id, meta.uid))
        if found is not None:
            found = cipher.open(found, *place(meta.book_id, meta.uid, "found"))
        return cls(meta, orjson.loads(text)["body"], found)

    def shown(self) -> dict[str, Any]:
        """The note as the API shows it."""
        found = None if self.found is None else orjson.loads(self.found)
        return as_object(self.meta, self.body, found)

    def told(self) -> dict[str, Any]:
        """What the change log keeps of it."""
        return {"body": self.body, "contact_id": self.meta.contact_id}


def sealed(cipher: Cipher, book_id: int, uid: str, body: str) -> bytes:
    """A note's text as it is stored."""
    return cipher.seal(orjson.dumps({"body": body}), *place(book_id, uid))


def place(book_id: int, uid: str, column: str = "sealed") -> tuple[object, ...]:
    """Where a note's blobs belong."""
    return ("note", column, book_id, uid)
