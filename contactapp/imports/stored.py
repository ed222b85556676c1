"""An import at rest, and opened: its row, the parts of its file, and what became of its rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from .. import clock
from ..actor import Actor, Book
from ..crypto import Cipher
from ..database import Sql, insert_all, lane, write_transaction
from ..errors import NotFound
from ..keyring import keyring

UNFINISHED = ("uploading", "queued")
PART = 2**18  # bytes of a file
_AT_ONCE = 4  # parts of a file in a transaction
COUNTS = {"create": "created", "update": "updated", "skip": "skipped", "reject": "rejected"}
_COLUMNS = (
    *("id", "uid", "book_id", "user_id", "token_id", "request_id", "format", "mode"),
    *("on_duplicate", "status", "size", "consumed", "read", "created", "updated", "skipped"),
    *("rejected", "operation_id", "created_at", "updated_at"),
)
_READ = f"SELECT {', '.join(_COLUMNS)}, sealed FROM import WHERE "  # noqa: S608
_ONE = Sql(f"{_READ}book_id = ? AND user_id = ? AND id = ?")
_BY_ID = Sql(f"{_READ}id = ?")
_LOCKED = Sql(f"{_READ}id = ?", postgresql=f"{_READ}id = ? FOR UPDATE")
LISTED = Sql(f"{_READ}book_id = ? AND user_id = ? AND id < ? ORDER BY id DESC LIMIT ? OFFSET ?")
_STORE = Sql(
    "UPDATE import SET mode = ?, on_duplicate = ?, status = ?, consumed = ?, read = ?, "
    "created = ?, updated = ?, skipped = ?, rejected = ?, operation_id = ?, updated_at = ?, "
    "sealed = ? WHERE id = ?"
)
_PART = Sql("SELECT sealed FROM import_part WHERE import_id = ? AND kind = ? AND number = ?")
_ROWS = Sql(
    "SELECT number, sealed FROM import_part WHERE import_id = ? AND kind = 'rows' AND number > ? "
    "ORDER BY number LIMIT 1"
)
_DROP_ROWS = Sql("DELETE FROM import_part WHERE import_id = ? AND kind = 'rows'")
_DROP_FILE = Sql(
    "DELETE FROM import_part WHERE import_id = ? AND kind = 'file' AND number IN ("
    "SELECT number FROM import_part WHERE import_id = ? AND kind = 'file' LIMIT ?)"
)
# Of rejected rows the file can be asked for; but not of a preview that is never committed.
_IS_SPENT = Sql(
    "SELECT 1 FROM import WHERE id = ? AND status IN ('done', 'cancelled', 'failed') "
    "AND (rejected = 0 OR (mode = 'preview' AND status = 'cancelled'))"
)


class Import(NamedTuple):
    """An import as the database holds it, opened; times in milliseconds. `about` has what is
    personal: `file_name`, `mapping`, `decisions` and `problem`, each where there is one."""

    id: int
    uid: str
    book_id: int
    user_id: int
    token_id: int | None
    request_id: str
    format: str
    mode: str
    on_duplicate: str
    status: str
    size: int
    consumed: int
    read: int
    created: int
    updated: int
    skipped: int
    rejected: int
    operation_id: int | None
    created_at: int
    updated_at: int
    about: dict[str, Any]

    def shown(self) -> dict[str, Any]:
        """It as lists of imports show it (schema Import)."""
        whole = self.status in {"previewed", "done"}
        done = 1.0 if whole else min(1.0, self.consumed / self.size) if self.size else 0.0
        running = self.status == "queued" and self.consumed > 0
        return {
            "id": self.id,
            "status": "running" if running else self.status,
            "format": self.format,
            "mode": self.mode,
            "on_duplicate": self.on_duplicate,
            "file_name": self.about.get("file_name"),
            "size": self.size,
            "progress": round(done, 3),
            **{name: getattr(self, name) for name in ("read", *COUNTS.values())},
            "operation_id": self.operation_id,
            "problem": self.about.get("problem"),
            "created_at": clock.rfc3339(self.created_at),
            "updated_at": clock.rfc3339(self.updated_at),
        }

    @property
    def newest(self) -> int | None:
        """The highest id that a contact of the book had when the import began to write."""
        return self.about.get("newest")

    def begun(self) -> Import:
        """The same from the beginning."""
        return self._replace(consumed=0, read=0, created=0, updated=0, skipped=0, rejected=0)


def opened(cipher: Cipher, row: tuple[Any, ...]) -> Import:
    """The import of a row of the database."""
    place = ("import", "sealed", row[2], row[1])
    return Import._make((*row[:-1], orjson.loads(cipher.open(row[-1], *place))))


def new_import(
    actor: Actor, format_: str, size: int, asked: Mapping[str, Any], about: dict[str, Any]
) -> Import:
    """An import that is not stored yet, of a file of so many bytes; `asked` says how."""
    now = clock.now_ms()
    who = (actor.book.id, actor.user_id, actor.token_id, actor.request_id)
    how = (format_, asked["mode"], asked["on_duplicate"], "queued", size)
    counts = (0,) * (1 + 1 + len(COUNTS))
    return Import._make((0, str(uuid.uuid4()), *who, *how, *counts, None, now, now, about))


def read_import(book: Book, user_id: int, import_id: int) -> Import:
    """An import that a user began in this book. Raises NotFound."""
    row = lane().one(_ONE, (book.id, user_id, import_id))
    if row is None:
        raise NotFound()
    return opened(keyring().cipher(book.key_id), row)


def whose(import_id: int) -> tuple[int, int] | None:
    """The book and the user of an import, if it is there; for jobs."""
    row = lane().one(_BY_ID, (import_id,))
    return None if row is None else (row[2], row[3])


def locked(book: Book, import_id: int) -> Import:
    """An import, which nobody else changes until the running transaction ends. Raises NotFound."""
    row = lane().one(_LOCKED, (import_id,))
    if row is None or row[2] != book.id:
        raise NotFound()
    return opened(keyring().cipher(book.key_id), row)


def insert(book: Book, new: Import) -> Import:
    """Add an import to the running transaction; it with its id."""
    cipher = keyring().cipher(book.key_id)
    row = {name: getattr(new, name) for name in _COLUMNS[1:]}
    return new._replace(id=lane().insert("import", {**row, "sealed": _sealed(cipher, new)}))


def store(book: Book, one: Import) -> Import:
    """Write what may change of an import, in the running transaction; it as it is then."""
    one = one._replace(updated_at=clock.now_ms())
    sealed = _sealed(keyring().cipher(book.key_id), one)
    counts = (one.consumed, one.read, one.created, one.updated, one.skipped, one.rejected)
    state = (one.mode, one.on_duplicate, one.status, *counts, one.operation_id, one.updated_at)
    lane().run(_STORE, (*state, sealed, one.id))
    return one


def _sealed(cipher: Cipher, one: Import) -> bytes:
    return cipher.seal(orjson.dumps(one.about), "import", "sealed", one.book_id, one.uid)


def insert_parts(book: Book, one: Import, first: int, parts: Sequence[bytes]) -> None:
    """Add parts of the file, from this number on, in the running transaction."""
    cipher = keyring().cipher(book.key_id)
    insert_all("import_part", [
        {
            "import_id": one.id,
            "kind": "file",
            "number": number,
            "sealed": cipher.seal(part, *_place(one, "file", number)),
        }
        for number, part in enumerate(parts, first)
    ])  # fmt: skip


def file_of(book: Book, one: Import) -> Iterator[bytes]:
    """The parts of the file, one after another."""
    cipher, number = keyring().cipher(book.key_id), 0
    while row := lane().one(_PART, (one.id, "file", number)):
        yield cipher.open(row[0], *_place(one, "file", number))
        number += 1


def has_file(one: Import) -> bool:
    """Whether the file is still there."""
    return lane().one(_PART, (one.id, "file", 0)) is not None


def insert_rows(book: Book, one: Import, rows: Sequence[dict[str, Any]]) -> None:
    """Keep what became of some rows, in the running transaction."""
    number = rows[0]["row"]
    place = _place(one, "rows", number)
    sealed = keyring().cipher(book.key_id).seal(orjson.dumps(rows), *place)
    row = {"import_id": one.id, "kind": "rows", "number": number, "sealed": sealed}
    lane().insert("import_part", row, returning="")


def rows_of(book: Book, one: Import, last: int = 0) -> Iterator[dict[str, Any]]:
    """What became of the rows after that one, with which a part ended, in their order."""
    cipher = keyring().cipher(book.key_id)
    while found := lane().one(_ROWS, (one.id, last)):
        last, sealed = found
        yield from orjson.loads(cipher.open(sealed, *_place(one, "rows", last)))


def drop_rows(one: Import) -> None:
    """Forget what became of the rows, in the running transaction."""
    lane().run(_DROP_ROWS, (one.id,))


def drop_file(import_id: int, parts: int = _AT_ONCE) -> int:
    """Delete up to so many parts of a file in the running transaction; how many."""
    return lane().run(_DROP_FILE, (import_id, import_id, parts))


def forget_file(import_id: int) -> None:
    """Delete the file of an import, a megabyte at a time."""
    while _drop(import_id):
        pass


_drop = write_transaction(drop_file)


def let_go(import_id: int) -> None:
    """The same once the import is over and nobody may ask for it."""
    if lane().one(_IS_SPENT, (import_id,)):
        forget_file(import_id)


def _place(one: Import, kind: str, number: int) -> tuple[object, ...]:
    return ("import_part", kind, one.book_id, one.uid, number)
