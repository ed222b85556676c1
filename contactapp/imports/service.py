"""Everything that is done to imports. Small ones are done in the request, others by a job, both by
the same steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ..actor import Actor, Book
from ..database import ConstraintViolated, write_transaction
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
from .planned import check_decisions, counted
from .reading import (
    export_files,
    export_imports,
    export_rows,
    get_import,
    list_imports,
    rejected_file,
    with_rows,
)
from .room import init_app, uploading
from .running import JOB, give_up, run
from .stored import PART, UNFINISHED, Import
from .storing import insert, queue, store_file

SMALL_BYTES = 2**20  # of a file that is done in the request
SMALL_PHOTOS = 20  # each takes some hundredths of a second
_TRIES = 3


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
        return Shown(queue(actor, one, upload), is_done=False)
    if one.mode == "preview":
        with prepared(book, one, rows, set(), kept=False) as ready:
            tried = Trial(book, one).rows(*ready)
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
    is_large = upload.size > SMALL_BYTES
    pieces = _beginning(upload.pieces) if is_large else upload.pieces
    reading = read(one.format, pieces, one.about.get("mapping"))
    most = 1 if is_large else ROWS + 1
    try:
        found = [check(row, item) for row, item in enumerate(islice(reading, most), 1)]
    except _FarEnough:
        return None
    except Unreadable as error:
        raise InvalidFields.one("/file", "unreadable", str(error)) from None
    photos = sum(row.photo is not None for row in found)
    is_small = not is_large and len(found) <= ROWS and photos <= SMALL_PHOTOS
    return found if is_small else None


class _FarEnough(Exception):
    """Nothing came in the beginning of a large file: the job will see."""


def _beginning(pieces: Sequence[bytes]) -> Iterator[bytes]:
    yield from pieces[: SMALL_BYTES // PART]
    raise _FarEnough()


@write_transaction
def _previewed(actor: Actor, one: Import, upload: Upload, rows: list[dict[str, Any]]) -> Import:
    one = insert(actor, one)
    store_file(actor.book, one, upload)
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
    one = _do_all(actor, insert(actor, one), ready)
    if one.rejected:
        store_file(actor.book, one, upload)
    return one


def _do_all(actor: Actor, one: Import, ready: Prepared) -> Import:
    batch = Batch(ready.rows, ready.pictures, frozenset(), one.size, "done")
    return do(actor, actor.book, one.id, batch, lambda: None)


def commit_import(actor: Actor, import_id: int, asked: dict[str, Any]) -> Shown:
    """Do what was previewed; `asked` is a parsed `schemas.Commit`. Raises NotFound, Forbidden and
    Conflict (`not_previewed`)."""
    if not actor.book.writable:
        raise Forbidden("read_only_book")
    one = stored.read_import(actor.book, actor.user_id, import_id)
    _require_preview(one)
    check_decisions(one, asked["decisions"])
    pieces = list(stored.file_of(actor.book, one)) if one.size <= SMALL_BYTES else []
    rows = _small(one, Upload(None, pieces, one.size)) if pieces or not one.size else None
    if rows is None:
        return Shown(_requeue(actor, import_id, asked), is_done=False)
    wanted = _wanted(one, asked)
    for _ in range(_TRIES):
        try:
            with prepared(actor.book, wanted, rows, set()) as ready:
                one = _commit_again(actor, import_id, asked, ready)
            stored.let_go(import_id)
            return Shown(one, is_done=True)
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


def cancel_import(actor: Actor, import_id: int) -> Import:
    """Let an import go on no more; what it has done stays. Raises NotFound, and Conflict
    (`import_is_over`)."""
    if not actor.book.writable:
        raise Forbidden("read_only_book")
    one = _cancel(actor, import_id)
    stored.let_go(import_id)
    return one


@write_transaction
def _cancel(actor: Actor, import_id: int) -> Import:
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
    "export_files",
    "export_imports",
    "export_rows",
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
