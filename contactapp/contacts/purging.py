"""The job that empties the trash of what has lain there for long, or is more than it holds."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import takewhile

from .. import clock
from ..actor import Book, server_itself
from ..books.service import book_at
from ..changes.service import ChangeLog
from ..config import settings
from ..custom_fields.service import purge_definitions
from ..database import Sql, lane, write_transaction
from ..errors import NotFound
from ..jobs.service import Job, renew
from ..keyring import Erased
from ..operations.service import purge_operations
from .trash import erase

DAY_MS = 86_400_000
_BOOKS = 100  # of a page
_BATCH = 20  # contacts of a transaction, each with all its notes

# An account that is being erased has its keys emptied first.
_OPEN_BOOK = (
    "JOIN book b ON b.id = c.book_id JOIN key k ON k.id = b.key_id AND length(k.wrapped) > 0 "
)
_WITH_OLD = Sql(
    f"SELECT DISTINCT c.book_id FROM contact c {_OPEN_BOOK}"  # noqa: S608
    "WHERE c.deleted_at < ? AND c.book_id > ? ORDER BY c.book_id LIMIT ?"
)
_FULL = Sql(
    f"SELECT b.owner_id, count(*) FROM contact c {_OPEN_BOOK}"  # noqa: S608
    "WHERE c.deleted_at IS NOT NULL GROUP BY b.owner_id HAVING count(*) > ?"
)
_OLDEST = Sql(
    "SELECT c.book_id, c.deleted_at FROM contact c JOIN book b ON b.id = c.book_id "
    "WHERE b.owner_id = ? AND c.deleted_at IS NOT NULL ORDER BY c.deleted_at, c.id LIMIT ?"
)
_SOME = Sql(
    "SELECT id, version FROM contact WHERE book_id = ? AND deleted_at <= ? "
    "ORDER BY deleted_at, id LIMIT ?"
)


def purge(job: Job) -> None:
    """Delete for good what was deleted more than TRASH_DAYS ago, then the oldest of what is above
    an owner's TRASH_LIMIT; and forget operations, and deleted definitions, that are as old."""
    days, most = settings().trash_days, settings().trash_limit
    if days:
        cutoff = clock.now_ms() - days * DAY_MS
        _purge_old(job, cutoff)
        while purge_operations(cutoff):
            renew(job)
        purge_definitions(cutoff)
    if most:
        for owner_id, count in lane().all(_FULL, (most,)):
            _purge_excess(job, owner_id, count - most)


def _purge_old(job: Job, cutoff: int) -> None:
    last = 0
    while books := lane().all(_WITH_OLD, (cutoff, last, _BOOKS)):
        for (last,) in books:
            while _purge_some(job, last, cutoff - 1, _BATCH) == _BATCH:
                renew(job)
        renew(job)


def _purge_excess(job: Job, owner_id: int, count: int) -> None:
    while count > 0:
        oldest = lane().all(_OLDEST, (owner_id, min(count, _BATCH)))
        if not oldest:
            return
        book_id = oldest[0][0]  # one book at a time, and in it no younger one before an older
        times = [at for of, at in takewhile(partial(_is_of, book_id), oldest)]
        count -= max(1, _purge_some(job, book_id, times[-1], len(times)))
        renew(job)


def _is_of(book_id: int, row: tuple[int, int]) -> bool:
    return row[0] == book_id


def _purge_some(job: Job, book_id: int, until: int, count: int) -> int:
    """Delete up to so many of what was deleted up to a time; how many, 0 where the book is gone."""
    book = book_at(book_id)
    if book is not None:
        with suppress(NotFound, Erased):  # the account was erased since
            return _purge_of(job, book, until, count)
    return 0


@write_transaction
def _purge_of(job: Job, book: Book, until: int, count: int) -> int:
    log = ChangeLog(server_itself(book, f"job-{job.id}"), book)
    rows = lane().all(_SOME, (book.id, until, count))
    with log.together():
        for contact_id, version in rows:
            erase(log, book, contact_id, version)
    return len(rows)
