"""Some rows of an import, done in one transaction, or tried."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any, NamedTuple

from ..actor import Actor, Book
from ..books.service import definitions, views
from ..changes.service import ChangeLog
from ..contacts.likely import Everybody
from ..contacts.service import Held, Many, begin_photo, sealed_card
from ..custom_fields.values import Defined
from ..database import Sql, after_commit, lane, write_transaction
from ..errors import AppError, NotFound
from ..notes.service import create as create_note
from ..notes.service import texts_about
from ..operations import service as operations
from ..pictures.service import PHOTOS
from ..users.service import limit_reached, lock_usage
from . import stored
from .checked import Checked
from .matching import Decisions, Known
from .pictures import Pictures
from .planned import Planned, changed_card, counted, is_same, new_card, planned
from .stored import Import

ROWS = 250  # of a transaction
_TAKEN = Sql(
    f"SELECT uid FROM contact WHERE uid IN ({', '.join('?' * ROWS)})"  # noqa: S608
)


class Overtaken(Exception):
    """The import is no longer where this batch begins: it was cancelled, or somebody else does
    it."""


class Undone(Overtaken):
    """What it has done so far was taken back: nothing may come after that."""


class Unprepared(Exception):
    """The book has changed, and a row needs a picture that was not drawn: prepare it again."""


class Batch(NamedTuple):
    """Rows of an import that were checked, and what is there for them. `status` is what the import
    is after them, `consumed` how many bytes were looked at."""

    rows: Sequence[Checked]
    pictures: Pictures
    seen: Set[str]
    consumed: int
    status: str


@write_transaction
def commit(
    actor: Actor, book: Book, import_id: int, batch: Batch, hold: Callable[[], None]
) -> Import:
    """Do the rows, keep what became of them and where the import goes on. Raises Overtaken,
    Unprepared, Forbidden where the actor may no longer write, ConstraintViolated where another
    import takes the same UIDs right now."""
    return do(actor, book, import_id, batch, hold)


def do(actor: Actor, book: Book, import_id: int, batch: Batch, hold: Callable[[], None]) -> Import:
    """`commit` in the running transaction."""
    log = ChangeLog(actor, book)
    one = stored.locked(book, import_id)
    if one.status != "queued" or (batch.rows and one.read != batch.rows[0].row - 1):
        raise Overtaken()
    one = one._replace(consumed=batch.consumed, status=batch.status)
    if batch.rows:
        if one.read == 0:
            newest = max(views().current(log.book).rows, default=0)
            one = one._replace(about={**one.about, "newest": newest})
        operation_id = _operation(log, actor, book, one)
        rows = _Write(log, actor, book, one, batch).done()
        kept = operations.end(log)
        one = counted(one, rows)._replace(operation_id=operation_id if kept else None)
        stored.insert_rows(book, one, rows)
    hold()
    return stored.store(book, one)


def _operation(log: ChangeLog, actor: Actor, book: Book, one: Import) -> int:
    if one.operation_id is None:
        return operations.begin(log, actor, book, "import")
    try:
        _, undone_at = operations.find(book, one.operation_id)
    except NotFound:  # as old as what is forgotten
        undone_at = 0
    if undone_at is not None:
        raise Undone()
    operations.resume(log, one.operation_id)
    return one.operation_id


class _Write:
    """The rows of a batch, while they are done."""

    def __init__(self, log: ChangeLog, actor: Actor, book: Book, one: Import, batch: Batch) -> None:
        self._log, self._actor, self._book = log, actor, book
        self._pictures = batch.pictures
        self._defined = definitions(log.book)
        known = Known(views().current(log.book), one.newest, set(batch.seen))
        decisions: Decisions = {d["row"]: d for d in one.about.get("decisions", ())}
        self._planned = planned(batch.rows, known, one, decisions, self._defined)
        ids = [p.plan.contact_id for p in self._planned if p.plan.action == "update"]
        self._many = Many(log, actor, book, [id_ for id_ in ids if id_])
        self._taken = _taken(self._planned)
        self._notes = texts_about(book, [id_ for id_ in ids if id_])

    def done(self) -> list[dict[str, Any]]:
        """Do them; what became of each."""
        with self._log.together():
            done = [self._done(one) for one in self._planned]
            if self._many.changed:
                self._many.write()
            told = [self._finished(one, held) for one, held in done]
        named = {held.card.get("photo") for _, held in done if held is not None}
        new = {found.token for found in self._pictures.values() if found.is_new}
        after_commit(lambda: [PHOTOS.remove(token) for token in new - named])
        return told

    def _done(self, one: Planned) -> tuple[Planned, Held | None]:
        try:
            if one.plan.action == "create":
                return one, self._created(one)
            if one.plan.action == "update":
                return self._updated(one)
        except AppError as error:
            return one.refused(error), None
        return one, None

    def _created(self, one: Planned) -> Held:
        self._many.require_room(1)
        uid = one.row.own_uid
        if uid is None or uid in self._taken:
            uid = str(uuid.uuid4())
        self._taken.add(uid)
        card = new_card(one, uid, self._token(one))
        return self._many.create(uid, card, sealed_card(self._log.cipher, self._book.id, uid, card))

    def _updated(self, one: Planned) -> tuple[Planned, Held | None]:
        held = self._many.live(one.plan.contact_id or 0)
        token, had = self._token(one), held.card.get("photo")
        card = changed_card(one, held.card, token, self._defined)
        if is_same(held.card, card) and not self._new_notes(one, held):
            return one.unchanged(), None
        if token and token != had:
            self._begin_photo(held.meta.id, token)
        self._many.change(held, card)
        return one, held

    def _token(self, one: Planned) -> str | None:
        if one.row.photo is None:
            return None
        if one.row.row not in self._pictures:
            raise Unprepared()
        return self._pictures[one.row.row].token

    def _begin_photo(self, contact_id: int, token: str) -> None:
        spare = begin_photo(self._book, contact_id, token)
        after_commit(lambda: [PHOTOS.remove(old) for old in spare])

    def _new_notes(self, one: Planned, held: Held) -> list[str]:
        has = self._notes.get(held.meta.id, [])
        return [text for text in dict.fromkeys(one.row.notes) if text not in has]

    def _finished(self, one: Planned, held: Held | None) -> dict[str, Any]:
        """What is about a contact that has its id by now."""
        if held is None:
            return one.told()
        contact_id = held.meta.id
        if one.plan.action == "create" and (token := held.card.get("photo")):
            self._begin_photo(contact_id, token)
        texts = one.row.notes if one.plan.action == "create" else self._new_notes(one, held)
        for text in texts:
            create_note(self._log, self._actor, self._book, contact_id, text)
        return one.told(contact_id)


def _taken(rows: Sequence[Planned]) -> set[str]:
    """Which of the rows' UIDs some contact has, in whatever book, or in the trash."""
    uids = [p.row.own_uid for p in rows if p.row.own_uid and p.plan.action == "create"]
    found: set[str] = set()
    for start in range(0, len(uids), ROWS):
        some = uids[start : start + ROWS]
        padded = [*some, *[""] * (ROWS - len(some))]
        found.update(uid for (uid,) in lane().all(_TAKEN, padded))
    return found


class Trial:
    """A preview: what a commit would do now, for one batch of rows after another."""

    def __init__(self, book: Book, one: Import) -> None:
        self._view = views().current(book)
        self._book, self._one = book, one
        self._known = Known(self._view, None, set())
        self._everybody = Everybody(self._view.rows)
        self._limit, self._used = lock_usage(book.owner_id)
        self._defined: Defined = definitions(book)

    def rows(self, rows: Sequence[Checked], pictures: Pictures) -> list[dict[str, Any]]:
        """What would become of these rows, with whom they are like."""
        plans = planned(rows, self._known, self._one, {}, self._defined)
        return list(self._tried(plans, pictures))

    def _tried(self, rows: Sequence[Planned], pictures: Pictures) -> Iterator[dict[str, Any]]:
        for one in rows:
            picture = pictures.get(one.row.row)
            try:
                tried = self._try(one, picture and picture.token)
                yield tried.told(duplicates=self._duplicates(one))
            except AppError as error:
                self._known.refused(one.row)
                yield one.refused(error).told()

    def _try(self, one: Planned, token: str | None) -> Planned:
        if one.plan.action == "create":
            if self._limit and self._used >= self._limit:
                raise limit_reached(self._limit, self._used)
            self._used += 1
        row = self._view.get(one.plan.contact_id or 0)
        if one.plan.action == "update" and row is not None:
            before = row.card()
            has = texts_about(self._book, [row.id]).get(row.id, []) if one.row.notes else []
            same = is_same(before, changed_card(one, before, token, self._defined))
            if same and not set(one.row.notes) - set(has):
                return one.unchanged()
        return one

    def _duplicates(self, one: Planned) -> list[dict[str, Any]]:
        if one.card is None or one.plan.reason in {"same_uid", "identical"}:
            return []
        return [like._asdict() for like in self._everybody.like(one.card)]
