"""Imports that are too large for a request: the job that does them, 250 rows at a time.

Each transaction keeps where the import goes on, together with what it did, and is the job's lease:
so whoever takes up the job of a worker that was killed goes on where that one's last commit ended.
The file is read again from its beginning then, which takes a fraction of what its rows do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from ..actor import Actor, Book
from ..books.service import actor_in
from ..database import ConstraintViolated, Sql, lane, write_transaction
from ..errors import Forbidden, NotFound
from ..exchange.service import Problem, Record, Unreadable, read
from ..jobs.service import Effect, Job, enqueue, extend
from ..keyring import Erased
from . import stored
from .batch import ROWS, Batch, Overtaken, Trial, Undone, Unprepared, commit
from .checked import Checked, check
from .pictures import prepared
from .planned import counted
from .stored import Import

JOB = "import.run"
MAX_ROWS = 100_000
SLICE_SECONDS = 15.0  # then whatever else waits for a worker has its turn
_PHOTOS = 8 * 2**20  # bytes of them that are held at once
_TRIES = 5
_ENDED = Sql("UPDATE import SET status = ? WHERE id = ? AND status = 'queued'")
_AGAIN = Sql("UPDATE import SET status = 'queued' WHERE id = ? AND status = 'failed'")

Told = Callable[[Import], None]


class Some(NamedTuple):
    """Rows of a file that follow each other, how many bytes were looked at for them, and whether
    they are the last."""

    rows: list[Checked]
    consumed: int
    are_last: bool


class Reading:
    """The rows of an import's file, from where it goes on."""

    def __init__(self, book: Book, one: Import) -> None:
        self._book, self._one = book, one
        self._consumed = 0
        self.seen: set[str] = set()  # UIDs of the rows that are done, and were not rejected

    def some(self) -> Iterator[Some]:
        """The rows, as many at a time as a transaction does. Raises Unreadable."""
        rows: list[Checked] = []
        photos = 0
        mapping = self._one.about.get("mapping")
        rejected = self._rejected(0) if self._one.read else set()
        for number, found in enumerate(read(self._one.format, self._file(), mapping), 1):
            if number <= self._one.read:
                if isinstance(found, Record) and found.uid and number not in rejected:
                    self.seen.add(found.uid.strip())
                continue
            if number > MAX_ROWS:
                rows.append(_too_many(number, found))
                break
            row = check(number, found)
            rows.append(row)
            photos += len(row.photo.data) if row.photo else 0
            if len(rows) == ROWS or photos > _PHOTOS:
                yield Some(rows, self._consumed, are_last=False)
                rejected = self._rejected(rows[0].row - 1)
                self.seen.update(row.uid for row in rows if row.uid and row.row not in rejected)
                rows, photos = [], 0
        yield Some(rows, self._one.size, are_last=True)

    def _rejected(self, last: int) -> set[int]:
        rows = stored.rows_of(self._book, self._one, last)
        return {row["row"] for row in rows if row["action"] == "reject"}

    def _file(self) -> Iterator[bytes]:
        for part in stored.file_of(self._book, self._one):
            self._consumed += len(part)
            yield part


def _too_many(number: int, found: Record | Problem) -> Checked:
    detail = f"An import has at most {MAX_ROWS} rows; this one and all after it were not read."
    return check(number, Problem(found.line, found.end, "too_many_rows", detail))


def run(job: Job, seconds: float = SLICE_SECONDS, told: Told | None = None) -> Effect | None:
    """The job. What it cannot do within the seconds is another one."""
    found = stored.whose(job.ref or 0)
    if found is None:
        return None
    next_one = _run(job, *found, seconds, told or (lambda _: None))
    if next_one is None:
        stored.let_go(job.ref or 0)
    return next_one


def _run(job: Job, book_id: int, user_id: int, seconds: float, told: Told) -> Effect | None:
    try:
        actor = actor_in(user_id, book_id, f"job-{job.id}")
        if actor is None:
            end_as("failed", job.ref or 0)
            return None
        one = stored.read_import(actor.book, user_id, job.ref or 0)
        if one.status == "failed":  # with the job, which somebody replays
            _take_up(one.id)
        actor = actor._replace(request_id=one.request_id, token_id=one.token_id)
        unfinished = _work(actor, one, job, seconds, told)
    except Undone:
        end_as("cancelled", job.ref or 0)
        return None
    except (Erased, NotFound, Overtaken):  # the account is being erased, or somebody cancelled
        return None
    except Forbidden:
        end_as("failed", job.ref or 0)
        return None
    return partial(enqueue, JOB, one.id, user_id) if unfinished else None


def _work(actor: Actor, one: Import, job: Job, seconds: float, told: Told) -> bool:
    """Do rows of an import until all are done, or so many seconds are over; whether some are left.
    Raises Overtaken and Forbidden."""
    hold = partial(extend, job)
    try:
        if one.mode == "preview":
            _preview(actor.book, one, hold, told)
            return False
        until = 0.0
        reading = Reading(actor.book, one)
        for some in reading.some():
            # From here on: what was done before is only read, and may take as long.
            until = until or time.monotonic() + seconds
            one = commit_some(actor, one, some, reading.seen, hold)
            told(one)
            if not some.are_last and time.monotonic() > until:
                return True
    except Unreadable as error:
        _unreadable(actor.book, one.id, str(error), hold)
    return False


def commit_some(
    actor: Actor, one: Import, some: Some, seen: set[str], hold: Callable[[], None]
) -> Import:
    """Do some rows; the import as it is then. Raises Forbidden where the actor may no longer
    write, and Overtaken."""
    for attempt in range(_TRIES):
        # Anew each time: a membership may have ended, and what rows are prepared for has changed.
        now = actor_in(actor.user_id, actor.book.id, actor.request_id, actor.token_id)
        if now is None:
            raise Forbidden()
        actor = now
        try:
            with prepared(actor.book, one, some.rows, seen) as (rows, pictures):
                status = "done" if some.are_last else "queued"
                batch = Batch(rows, pictures, seen, some.consumed, status)
                return commit(actor, actor.book, one.id, batch, hold)
        except (Unprepared, ConstraintViolated):
            if attempt == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _preview(book: Book, one: Import, hold: Callable[[], None], told: Told) -> None:
    one = _from_the_beginning(book, one.id)
    trial = Trial(book, one)
    reading = Reading(book, one)
    for some in reading.some():
        with prepared(book, one, some.rows, reading.seen, kept=False) as ready:
            one = _keep(book, some, trial.rows(*ready), one.id, hold)
        told(one)


@write_transaction
def _from_the_beginning(book: Book, import_id: int) -> Import:
    """A preview that was interrupted knows nothing of what it had counted."""
    one = _still_queued(book, import_id)
    stored.drop_rows(one)
    return stored.store(book, one.begun())


@write_transaction
def _keep(
    book: Book, some: Some, rows: list[dict[str, object]], import_id: int, hold: Callable[[], None]
) -> Import:
    one = _still_queued(book, import_id)
    one = one._replace(consumed=some.consumed, status="previewed" if some.are_last else "queued")
    if rows:
        one = counted(one, rows)
        stored.insert_rows(book, one, rows)
    hold()
    return stored.store(book, one)


def _still_queued(book: Book, import_id: int) -> Import:
    one = stored.locked(book, import_id)
    if one.status != "queued":
        raise Overtaken()
    return one


@write_transaction
def _unreadable(book: Book, import_id: int, detail: str, hold: Callable[[], None]) -> None:
    """What was done before stays, and can be undone."""
    one = _still_queued(book, import_id)
    problem = {"code": "unreadable", "detail": detail}
    stored.store(book, one._replace(status="failed", about={**one.about, "problem": problem}))
    hold()


@write_transaction
def end_as(status: str, import_id: int) -> None:
    """Say that an import goes on no more: its user may no longer write, or took it back."""
    lane().run(_ENDED, (status, import_id))


@write_transaction
def _take_up(import_id: int) -> None:
    lane().run(_AGAIN, (import_id,))


def give_up(job: Job) -> None:
    """What the last failure of a job leaves, in the transaction that counts it among the dead."""
    lane().run(_ENDED, ("failed", job.ref))
