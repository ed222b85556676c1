"""An upload, stored: an import's row, and its file a megabyte at a time, so that nobody waits long
for a turn to write."""

from __future__ import annotations

from ..actor import Actor, Book
from ..books.service import actor_in
from ..database import Sql, lane, write_transaction
from ..errors import Conflict, Forbidden, NotFound
from ..jobs.service import enqueue
from ..multipart import Upload
from . import stored
from .running import JOB
from .stored import Import

KEPT = 20  # imports of a user in a book
MAX_UNFINISHED = 5
_AT_ONCE = 4  # parts of a file in a transaction
_UNFINISHED = Sql(
    "SELECT count(*) FROM import WHERE user_id = ? AND status IN ('uploading', 'queued')"
)
_FORGET_OLDER = Sql(
    "DELETE FROM import WHERE id IN (SELECT id FROM import WHERE book_id = ? AND user_id = ? "
    "AND status NOT IN ('uploading', 'queued') ORDER BY id DESC LIMIT 5 OFFSET ?)"
)


def insert(actor: Actor, one: Import) -> Import:
    """Add an import to the running transaction, in the place of the oldest of too many. Raises
    Conflict (`import_limit_reached`); NotFound and Forbidden where the actor may no longer write:
    whoever sends a file slowly was let in long ago."""
    book = actor.book
    now = actor_in(actor.user_id, book.id, actor.request_id)
    if now is None:
        raise NotFound()
    if not now.book.writable:
        raise Forbidden("read_only_book")
    if lane().one(_UNFINISHED, (actor.user_id,))[0] >= MAX_UNFINISHED:
        raise Conflict("import_limit_reached")
    lane().run(_FORGET_OLDER, (book.id, actor.user_id, KEPT - 1))
    return stored.insert(book, one)


def store_file(book: Book, one: Import, upload: Upload) -> None:
    """Add the whole of a small file to the running transaction."""
    stored.insert_parts(book, one, 0, upload.pieces)


def queue(actor: Actor, one: Import, upload: Upload) -> Import:
    """Store an import that a job will do. Raises as `insert` does."""
    one = _begin(actor, one._replace(status="uploading"), upload)
    for start in range(_AT_ONCE, len(upload.pieces), _AT_ONCE):
        _go_on(actor.book, one, upload, start)
    one = _enqueue(actor, one.id)
    stored.let_go(one.id)  # it may have been cancelled meanwhile
    return one


@write_transaction
def _begin(actor: Actor, one: Import, upload: Upload) -> Import:
    one = insert(actor, one)
    stored.insert_parts(actor.book, one, 0, upload.pieces[:_AT_ONCE])
    return one


@write_transaction
def _go_on(book: Book, one: Import, upload: Upload, start: int) -> None:
    stored.insert_parts(book, one, start, upload.pieces[start : start + _AT_ONCE])


@write_transaction
def _enqueue(actor: Actor, import_id: int) -> Import:
    one = stored.locked(actor.book, import_id)
    if one.status != "uploading":
        return one
    enqueue(JOB, import_id, actor.user_id)
    return stored.store(actor.book, one._replace(status="queued"))
