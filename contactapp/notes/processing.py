"""What a job does with a new text: it notes down what the text mentions.

A job is about a note, not about a version of it: it reads the text as it is when it runs, and what
it found is kept only if that text is still the note's. So the jobs of a note may run in any order
and side by side, and the result is always that of the newest text, told once.
"""

from __future__ import annotations

from typing import Any

import orjson

from ..actor import Book, server_itself
from ..books.service import book_at
from ..changes.service import ChangeLog
from ..database import Sql, lane
from ..jobs.service import Effect, Job
from ..keyring import keyring
from .extract import extracted, word_count
from .note import Meta
from .stored import COLUMNS, Stored, place

_READ = Sql(
    f"SELECT {COLUMNS} FROM note n "  # noqa: S608
    # An account that is being erased has its keys emptied first.
    "JOIN book b ON b.id = n.book_id JOIN key k ON k.id = b.key_id AND length(k.wrapped) > 0 "
    "WHERE n.id = ? AND n.deleted_at IS NULL AND n.status <> 'processed'"
)
_STORE = Sql(
    "UPDATE note SET status = 'processed', found = ? "
    "WHERE id = ? AND version = ? AND deleted_at IS NULL AND status <> 'processed'"
)
_FAILED = Sql("UPDATE note SET status = 'failed' WHERE id = ? AND status = 'pending'")


def process(job: Job) -> Effect | None:
    """The job: nothing for a note that was deleted or is processed."""
    row = lane().one(_READ, (job.ref,))
    book = row and book_at(row[2])
    if book is None:
        return None
    note = Stored.of(row, keyring().cipher(book.key_id))
    found = {**extracted(note.body), "word_count": word_count(note.body)}

    def effect() -> None:
        _keep(job, book, note.meta, found)

    return effect


def _keep(job: Job, book: Book, meta: Meta, found: dict[str, Any]) -> None:
    """No version: the note says what it said. But whoever follows the changes is told."""
    log = ChangeLog(server_itself(book, f"job-{job.id}"), book)
    sealed = log.cipher.seal(orjson.dumps(found), *place(book.id, meta.uid, "found"))
    if lane().run(_STORE, (sealed, meta.id, meta.version)) == 1:
        log.append("note", meta.id, "process", meta.version, None, found)


def give_up(job: Job) -> None:
    """What the last failure of a job leaves, in the transaction that counts it among the dead."""
    lane().run(_FAILED, (job.ref,))
