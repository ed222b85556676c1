"""Many contacts in one transaction: read at once, changed in memory one after another, and written
at once, which takes a fraction of the statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..actor import Actor, Book
from ..changes.service import ChangeLog, Op
from ..database import Sql, insert_all, lane
from ..errors import NotFound
from ..users.service import limit_reached, lock_usage, release_contacts, take_contacts
from .card import Meta, told
from .photo_rows import follow
from .stored import Stored, Versions, expect, opened, sealed_card, text_of

_AT_ONCE = 100
_READ = Sql(
    f"SELECT {', '.join(Meta._fields)}, deleted_at, merged_into, sealed FROM contact "  # noqa: S608
    f"WHERE book_id = ? AND id IN ({', '.join('?' * _AT_ONCE)})"
)
_STORE = Sql(
    "UPDATE contact SET version = ?, updated_at = ?, updated_by = ?, deleted_at = ?, "
    "merged_into = ?, sealed = ? WHERE book_id = ? AND id = ?"
)


class Held:
    """A contact as the write leaves it so far. `sealed` is None while the card is not sealed yet,
    and a new contact has the id 0 until it is written."""

    def __init__(
        self,
        meta: Meta,
        card: dict[str, Any],
        sealed: bytes | None,
        deleted_at: int | None = None,
        merged_into: int | None = None,
    ) -> None:
        self.meta = meta
        self.card = card
        self.sealed = sealed
        self.deleted_at = deleted_at
        self.merged_into = merged_into

    @property
    def stored(self) -> Stored:
        """It as other writes return it."""
        return Stored(self.meta, self.card)


class _Change(NamedTuple):
    """What the change log will tell of a contact."""

    held: Held
    op: Op
    version: int
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    merged_into: int | None = None


class Many:
    """The contacts of a book that a write is about, found by their ids, also those in the trash.

    Nothing is written before `write`; until then every check sees what was done before it. The
    owner's count is locked, so the limit is exact in between too.
    """

    def __init__(self, log: ChangeLog, actor: Actor, book: Book, ids: Iterable[int]) -> None:
        self._log = log
        self._actor = actor
        self._book = book
        self._limit, self.used = lock_usage(book.owner_id)
        self._charged = self.used
        self._found = {held.meta.id: held for held in _read(log, book, sorted(set(ids)))}
        self._made: list[Held] = []
        self._changes: list[_Change] = []

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._changes)

    def get(self, contact_id: int) -> Held | None:
        """A contact, live or in the trash."""
        return self._found.get(contact_id)

    def live(self, contact_id: int, versions: Versions = None) -> Held:
        """A live contact at one of the expected versions. Raises NotFound, PreconditionFailed."""
        held = self._found.get(contact_id)
        if held is None or held.deleted_at is not None:
            raise NotFound()
        expect(held.meta, versions)
        return held

    def require_room(self, count: int) -> None:
        """Raise Forbidden where the owner may not have so many more."""
        if count > 0 and self._limit and self.used + count > self._limit:
            raise limit_reached(self._limit, self.used)

    def create(self, uid: str, card: dict[str, Any], sealed: bytes) -> Held:
        """Add a contact. Raises Forbidden at the limit."""
        self._charge()
        now, by = self._log.now, self._actor.user_id
        held = Held(Meta(0, uid, self._book.id, 1, now, now, by, by), card, sealed)
        self._made.append(held)
        self._changes.append(_Change(held, "create", 1, None, card))
        return held

    def change(self, held: Held, card: dict[str, Any]) -> None:
        """Give a live contact another card; the same one makes no version."""
        card = follow(self._book, held.meta.id, held.card, card)
        if text_of(card) != text_of(held.card):
            before, held.card, held.sealed = held.card, card, None
            self._move(held, "update", before, card)

    def trash(self, held: Held, merged_into: int | None = None) -> None:
        """Move a live contact to the trash."""
        self.used -= 1
        held.deleted_at, held.merged_into = self._log.now, merged_into
        self._move(held, "delete", held.card, None, merged_into)

    def restore(self, held: Held, card: dict[str, Any] | None = None) -> None:
        """Take a contact out of the trash, with another card if one is given. Raises Forbidden at
        the limit."""
        self._charge()
        if card is not None:
            card = follow(self._book, held.meta.id, held.card, card)
            if text_of(card) != text_of(held.card):
                held.card, held.sealed = card, None
        merged_into, held.deleted_at, held.merged_into = held.merged_into, None, None
        self._move(held, "restore", None, held.card, merged_into)

    def write(self) -> None:
        """Write all of it, and the change log in the order in which it was done."""
        with self._log.together():
            self._insert()
            for held in {id(change.held): change.held for change in self._changes}.values():
                if held.meta.id in self._found:
                    self._store(held)
            for change in self._changes:
                self._append(change)
        if self.used > self._charged:
            take_contacts(self._book.owner_id, self.used - self._charged)
        elif self.used < self._charged:
            release_contacts(self._book.owner_id, self._charged - self.used)

    def _append(self, change: _Change) -> None:
        held, op, version, before, after, merged_into = change
        append, contact_id = self._log.append, held.meta.id
        texts = (before and told(before), after and told(after))
        append("contact", contact_id, op, version, *texts, merged_into=merged_into)

    def _charge(self) -> None:
        self.require_room(1)
        self.used += 1

    def _move(
        self,
        held: Held,
        op: Op,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        merged_into: int | None = None,
    ) -> None:
        meta = held.meta
        held.meta = meta._replace(
            version=meta.version + 1, updated_at=self._log.now, updated_by=self._actor.user_id
        )
        change = _Change(held, op, held.meta.version, before, after, merged_into)
        self._changes.append(change)

    def _insert(self) -> None:
        rows = [{**held.meta._asdict(), "sealed": held.sealed} for held in self._made]
        for row in rows:
            del row["id"]
        ids = {uid: id_ for id_, uid in insert_all("contact", rows, "id, uid")}
        for held in self._made:
            held.meta = held.meta._replace(id=ids[held.meta.uid])

    def _store(self, held: Held) -> None:
        meta, book_id = held.meta, self._book.id
        sealed = held.sealed or sealed_card(self._log.cipher, book_id, meta.uid, held.card)
        row = (meta.version, meta.updated_at, meta.updated_by, held.deleted_at, held.merged_into)
        lane().run(_STORE, (*row, sealed, book_id, meta.id))


def _read(log: ChangeLog, book: Book, ids: list[int]) -> Iterator[Held]:
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        padded = [*some, *[0] * (_AT_ONCE - len(some))]  # one statement for any number
        for *columns, deleted_at, merged_into, sealed in lane().all(_READ, (book.id, *padded)):
            meta = Meta(*columns)
            card = opened(log.cipher, book.id, meta.uid, sealed)
            yield Held(meta, card, sealed, deleted_at, merged_into)
