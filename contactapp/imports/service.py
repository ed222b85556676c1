"""Everything that is done to imports. Small ones are done in the request, others by a job, both by
the same steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from ..actor import Actor, Book
from ..database import ConstraintViolated, Sql, lane, write_transaction
from ..errors import Conflict, Forbidden, InvalidFields, NotFound, UnsupportedMediaType
from ..exchange.service import Unreadable, guess, is_packed, read
from ..jobs.service import enqueue
from ..multipart import Upload
from . import stored
from .batch import ROWS, Batch, Trial, Unprepared, do
from .checked import Checked, check
from .foreground import finish
from .forgetting import erase_imports, erase_imports_by, forget_imports, purge_imports
from .pictures import Prepared, prepared
from .planned import counted
from .reading import get_import, list_imports, rejected_file, with_rows
from .room import init_app, uploading
from .running import JOB, give_up, run
from .stored import UNFINISHED, Import

SMALL_BYTES = 2**20  # of a file that is done in the request
SMALL_PHOTOS = 20  # each takes some hundredths of a second
KEPT = 20  # imports of a user in a book
MAX_UNFINISHED = 5
_AT_ONCE = 4  # parts of a file in a transaction
_TRIES = 3

_UNFINISHED = Sql(
    "SELECT count(*) FROM import WHERE user_id = ? AND status IN ('uploading', 'queued')"
)
_FORGET_OLDER = Sql(
    "DELETE FROM import WHERE id IN (SELECT id FROM import WHERE book_id = ? AND user_id = ? "
    "AND status NOT IN ('uploading', 'queued') ORDER BY id DESC LIMIT 5 OFFSET ?)"
)


class Shown(NamedTuple):
    """An import, and whether it is done or waits for its job."""

    one: Import
    is_done: bool


def start_import(actor: Actor, upload: Upload, asked: dict[str, Any]) -> Shown:
    """Import a file, or preview it: at once where it is small. `asked` is a parsed
    `schemas.ImportForm`. Raises Forbidden, InvalidFields, UnsupportedMediaType, Conflict, Busy."""
    book = actor.book
    if not book.writable:
        raise Forbidden("read_only_book")
    one = _new(actor, upload, asked)
    rows = _small(one, upload)
    if rows is None:
        return Shown(_queued(actor, one, upload), is_done=False)
    if one.mode == "preview":
        tried = Trial(book, one).rows(rows)
        return Shown(_previewed(actor, one, upload, tried), is_done=True)
    return Shown(_committed(actor, one, upload, rows), is_done=True)


def _new(actor: Actor, upload: Upload, asked: dict[str, Any]) -> Import:
    start = upload.pieces[0] if upload.pieces else b""
    if is_packed(start):
        raise UnsupportedMediaType(detail="An archive or a compressed file: unpack it first.")
    format_ = asked.get("format") or guess(start, upload.name)
    if format_ is None:
        raise InvalidFields.one("/format", "required", "The file does not tell its format.")
    mapping = asked.get("mapping")
    if mapping is not None and format_ != "csv":
        raise InvalidFields.one("/mapping", "unknown_field", "Only CSV has columns.")
    about = {"file_name": upload.name, "mapping": mapping}
    filled = {name: value for name, value in about.items() if value is not None}
    return stored.new_import(actor, format_, upload.size, asked, filled)


def _small(one: Import, upload: Upload) -> list[Checked] | None:
    """The rows of a file that is small; None where it is not. Raises InvalidFields where it cannot
    be read, also where a large one shows that in its beginning."""
    reading = read(one.format, upload.pieces, one.about.get("mapping"))
    most = ROWS + 1 if upload.size <= SMALL_BYTES else 1
    try:
        found = [check(row, item) for row, item in enumerate(islice(reading, most), 1)]
    except Unreadable as error:
        raise InvalidFields.one("/file", "unreadable", str(error)) from None
    photos = sum(row.photo is not None for row in found)
    small = upload.size <= SMALL_BYTES and len(found) <= ROWS and photos <= SMALL_PHOTOS
    return found if small else None


@write_transaction
def _previewed(actor: Actor, one: Import, upload: Upload, rows: list[dict[str, Any]]) -> Import:
    one = _insert(actor, one, upload)
    return _keep_trial(actor.book, one, rows)


def _keep_trial(book: Book, one: Import, rows: list[dict[str, Any]]) -> Import:
    one = one._replace(status="previewed", consumed=one.size)
    if rows:
        one = counted(one, rows)
        stored.insert_rows(book, one, rows)
    return stored.store(book, one)


def _committed(actor: Actor, one: Import, upload: Upload, rows: Sequence[Checked]) -> Import:
    for _ in range(_TRIES):
        try:
            with prepared(actor.book, one, rows, set()) as ready:
                return _commit_new(actor, one, upload, ready)
        except (Unprepared, ConstraintViolated):
            continue
    raise Conflict(detail="Somebody else imports the same contacts right now.")


@write_transaction
def _commit_new(actor: Actor, one: Import, upload: Upload, ready: Prepared) -> Import:
    one = _insert(actor, one, upload)
    return _do_all(actor, one, ready)


def _do_all(actor: Actor, one: Import, ready: Prepared) -> Import:
    batch = Batch(ready.rows, ready.pictures, frozenset(), one.size, "done")
    return do(actor, actor.book, one.id, batch, lambda: None)


def _insert(actor: Actor, one: Import, upload: Upload) -> Import:
    """The import with its file, in the running transaction, in the place of the oldest of too
    many."""
    book = actor.book
    if lane().one(_UNFINISHED, (actor.user_id,))[0] >= MAX_UNFINISHED:
        raise Conflict("import_limit_reached")
    lane().run(_FORGET_OLDER, (book.id, actor.user_id, KEPT - 1))
    one = stored.insert(book, one)
    stored.insert_parts(book, one, 0, upload.pieces[:_AT_ONCE])
    return one


def _queued(actor: Actor, one: Import, upload: Upload) -> Import:
    """The import, stored some of its file at a time: nobody waits long for a turn to write."""
    one = _begin_upload(actor, one._replace(status="uploading"), upload)
    for start in range(_AT_ONCE, len(upload.pieces), _AT_ONCE):
        _go_on(actor.book, one, upload, start)
    return _enqueue(actor, one.id)


_begin_upload = write_transaction(_insert)


@write_transaction
def _go_on(book: Book, one: Import, upload: Upload, start: int) -> None:
    stored.insert_parts(book, one, start, upload.pieces[start : start + _AT_ONCE])


@write_transaction
def _enqueue(actor: Actor, import_id: int) -> Import:
    one = stored.locked(actor.book, import_id)
    if one.status != "uploading":  # it was cancelled meanwhile
        return one
    enqueue(JOB, import_id, actor.user_id)
    return stored.store(actor.book, one._replace(status="queued"))


def commit_import(actor: Actor, import_id: int, asked: dict[str, Any]) -> Shown:
    """Do what was previewed; `asked` is a parsed `schemas.Commit`. Raises NotFound, Forbidden and
    Conflict (`not_previewed`)."""
    if not actor.book.writable:
        raise Forbidden("read_only_book")
    one = stored.read_import(actor.book, actor.user_id, import_id)
    _require_preview(one)
    pieces = list(stored.file_of(actor.book, one)) if one.size <= SMALL_BYTES else []
    rows = _small(one, Upload(None, pieces, one.size)) if pieces or not one.size else None
    if rows is None:
        return Shown(_requeue(actor, import_id, asked), is_done=False)
    wanted = _wanted(one, asked)
    for _ in range(_TRIES):
        try:
            with prepared(actor.book, wanted, rows, set()) as ready:
                return Shown(_commit_again(actor, import_id, asked, ready), is_done=True)
        except (Unprepared, ConstraintViolated):
            continue
    raise Conflict(detail="Somebody else imports the same contacts right now.")


@write_transaction
def _commit_again(actor: Actor, import_id: int, asked: dict[str, Any], ready: Prepared) -> Import:
    return _do_all(actor, _begin_again(actor, import_id, asked), ready)


@write_transaction
def _requeue(actor: Actor, import_id: int, asked: dict[str, Any]) -> Import:
    one = _begin_again(actor, import_id, asked)
    enqueue(JOB, import_id, actor.user_id)
    return one


def _begin_again(actor: Actor, import_id: int, asked: dict[str, Any]) -> Import:
    one = stored.locked(actor.book, import_id)
    _require_preview(one)
    stored.drop_rows(one)
    one = _wanted(one, asked)._replace(token_id=actor.token_id, request_id=actor.request_id)
    return stored.store(actor.book, one)


def _wanted(one: Import, asked: dict[str, Any]) -> Import:
    about = {**one.about, "decisions": asked["decisions"]}
    policy = asked.get("on_duplicate", one.on_duplicate)
    again = {"mode": "commit", "status": "queued", "on_duplicate": policy, "about": about}
    return one.begun()._replace(**again)


def _require_preview(one: Import) -> None:
    if one.status != "previewed":
        raise Conflict("not_previewed")


@write_transaction
def cancel_import(actor: Actor, import_id: int) -> Import:
    """Let an import go on no more; what it has done stays. Raises NotFound, and Conflict
    (`import_is_over`)."""
    if not actor.book.writable:
        raise Forbidden("read_only_book")
    one = stored.locked(actor.book, import_id)
    if one.user_id != actor.user_id:
        raise NotFound()
    if one.status not in {*UNFINISHED, "previewed", "cancelled"}:
        raise Conflict("import_is_over")
    return stored.store(actor.book, one._replace(status="cancelled"))


__all__ = [
    "JOB",
    "Shown",
    "cancel_import",
    "commit_import",
    "erase_imports",
    "erase_imports_by",
    "finish",
    "forget_imports",
    "get_import",
    "give_up",
    "init_app",
    "list_imports",
    "purge_imports",
    "rejected_file",
    "run",
    "start_import",
    "uploading",
    "with_rows",
]
