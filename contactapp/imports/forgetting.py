"""Imports that are kept no longer, with their files."""

from __future__ import annotations

from .. import clock
from ..config import settings
from ..database import Sql, lane, write_transaction
from .stored import forget_file

_DAY_MS = 86_400_000
_UPLOAD_MS = 3_600_000  # in which an upload is stored, or it was interrupted
_OLD = Sql(
    "SELECT id FROM import WHERE created_at < ? OR (status = 'uploading' AND created_at < ?) "
    "LIMIT 20"
)
_OF_BOOK = Sql("SELECT id FROM import WHERE book_id = ? LIMIT 20")
_OF_USER = Sql("SELECT id FROM import WHERE user_id = ? LIMIT 20")
_DROP = Sql("DELETE FROM import WHERE id = ?")
_DROP_OF_BOOK = Sql("DELETE FROM import WHERE book_id = ?")


def purge_imports() -> int:
    """Forget some imports that are as old as what the trash forgets, or whose upload nobody
    finished; how many."""
    days, now = settings().trash_days, clock.now_ms()
    before = now - days * _DAY_MS if days else -1
    return _forget([id_ for (id_,) in lane().all(_OLD, (before, now - _UPLOAD_MS))])


def erase_imports(book_id: int) -> int:
    """Remove some imports into a book that is being erased; how many."""
    return _forget([id_ for (id_,) in lane().all(_OF_BOOK, (book_id,))])


def erase_imports_by(user_id: int) -> int:
    """The same for those of a user whose account is being erased."""
    return _forget([id_ for (id_,) in lane().all(_OF_USER, (user_id,))])


def forget_imports(book_id: int) -> None:
    """Delete what somebody began to import who was let in just before, in the running
    transaction."""
    lane().run(_DROP_OF_BOOK, (book_id,))


def _forget(ids: list[int]) -> int:
    for import_id in ids:
        forget_file(import_id)
        _drop(import_id)
    return len(ids)


@write_transaction
def _drop(import_id: int) -> None:
    lane().run(_DROP, (import_id,))
