"""Which contacts name which photos, and since when one no longer does.

A contact's card names its photo by a token, and cards are sealed; so a plain row says for each
token and contact whether it is in use. What is not is kept as long as the trash, because undo,
revert and restore may bring it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from .. import clock
from ..actor import Book
from ..config import settings
from ..database import Sql, after_commit, lane, write_transaction
from ..pictures.service import PHOTOS

_DAY_MS = 86_400_000
SPARE = 20  # of a contact: who replaces its photo all day long must not fill the disk
_BATCH = 200

_INSERT = ("book_id", "contact_id", "token", "created_at", "unused_since")
_TAKE_UP = Sql("UPDATE photo SET unused_since = NULL WHERE contact_id = ? AND token = ?")
# Another contact's, from which this one has it. Locked, so that the sweep leaves its files.
_KNOWN = "SELECT 1 FROM photo WHERE book_id = ? AND token = ? LIMIT 1"
_IS_KNOWN = Sql(_KNOWN, postgresql=f"{_KNOWN} FOR SHARE")
_LET_GO = Sql("UPDATE photo SET unused_since = ? WHERE contact_id = ? AND token = ?")
# The one that is in use is about to be the newest of them.
_SPARE = Sql(
    "SELECT id, token FROM photo WHERE contact_id = ? AND token <> ? "
    "ORDER BY unused_since IS NULL DESC, unused_since DESC, id DESC LIMIT 100 OFFSET ?"
)
_DROP = Sql("DELETE FROM photo WHERE id = ?")
# A contact that was purged does not come back, so nobody need wait for its photos' time.
_DUE = "(unused_since <= ? OR NOT EXISTS (SELECT 1 FROM contact c WHERE c.id = photo.contact_id))"
# Asked again of each row that is deleted: PostgreSQL looks anew at one that was taken up meanwhile.
_DROP_DUE = Sql(
    f"DELETE FROM photo WHERE id IN (SELECT id FROM photo WHERE {_DUE} LIMIT ?) AND {_DUE}"  # noqa: S608
)
_NAMED = Sql("SELECT token FROM photo")
_OF_BOOK = Sql("SELECT id, token FROM photo WHERE book_id = ? ORDER BY id LIMIT ?")
_DROP_OF = Sql("DELETE FROM photo WHERE contact_id = ? RETURNING token")
_DROP_BOOK = Sql("DELETE FROM photo WHERE book_id = ?")
_EXPORTED = Sql(
    "SELECT p.id, p.contact_id, p.token, p.unused_since FROM photo p "
    "JOIN book b ON b.id = p.book_id WHERE b.owner_id = ? AND p.id > ? ORDER BY p.id LIMIT ?"
)


def begin(book: Book, contact_id: int, token: str) -> list[str]:
    """Insert the row of a new photo in the running transaction, and drop those of the contact that
    are too many; the tokens that nothing names then."""
    _insert(book, contact_id, token)
    spare = lane().all(_SPARE, (contact_id, token, SPARE))
    for id_, _ in spare:
        lane().run(_DROP, (id_,))
    return [old for _, old in spare if not lane().one(_IS_KNOWN, (book.id, old))]


def _insert(book: Book, contact_id: int, token: str) -> None:
    row = (book.id, contact_id, token, clock.now_ms(), None)
    lane().insert("photo", dict(zip(_INSERT, row, strict=True)), returning="")


def follow(
    book: Book, contact_id: int, before: dict[str, Any], card: dict[str, Any]
) -> dict[str, Any]:
    """Note in the running transaction which photo a contact names from now on, for every card that
    takes the place of another; one in the trash still names its own. The card to store: without a
    photo that is no longer kept, or is not of this book."""
    old, new = before.get("photo"), card.get("photo")
    if old == new:
        return card
    if old is not None:
        lane().run(_LET_GO, (clock.now_ms(), contact_id, old))
    if new is None or lane().run(_TAKE_UP, (contact_id, new)):
        return card
    if lane().one(_IS_KNOWN, (book.id, new)):
        _insert(book, contact_id, new)
        return card
    return {name: value for name, value in card.items() if name != "photo"}


def sweep() -> int:
    """Forget what nobody may bring back, and remove the files that no row names; how many."""
    while _forget_due() == _BATCH:
        pass
    return PHOTOS.sweep(lambda: (token for (token,) in lane().all(_NAMED)))


@write_transaction
def _forget_due() -> int:
    days = settings().trash_days
    before = clock.now_ms() - days * _DAY_MS if days else -1  # 0 keeps them for ever
    return lane().run(_DROP_DUE, (before, _BATCH, before))


def erase_photos(book_id: int) -> int:
    """Remove some photos of a book that is being erased; how many there were."""
    rows = lane().all(_OF_BOOK, (book_id, _BATCH))
    for _, token in rows:
        PHOTOS.remove(token)
    _drop([id_ for id_, _ in rows])
    return len(rows)


@write_transaction
def _drop(ids: list[int]) -> None:
    for id_ in ids:
        lane().run(_DROP, (id_,))


def forget_contact(book: Book, contact_id: int) -> None:
    """Delete the rows of a contact that is deleted for good, in the running transaction, and after
    it the files: whoever has their address must not see them until they are swept."""
    for (token,) in lane().change(_DROP_OF, (contact_id,)):
        if not lane().one(_IS_KNOWN, (book.id, token)):
            after_commit(partial(_remove, token))


def _remove(token: str) -> None:
    with suppress(OSError):  # then the sweep does it
        PHOTOS.remove(token)


def forget_book(book_id: int) -> None:
    """Delete a book's rows in the running transaction; the sweep removes the files."""
    lane().run(_DROP_BOOK, (book_id,))


def export_photos(owner_id: int) -> Iterator[tuple[str, bytes]]:
    """The largest files of all photos that are kept in a user's books, each by a name that says
    whose it is, and whether it is an earlier one."""
    last = 0
    while rows := lane().all(_EXPORTED, (owner_id, last, _BATCH)):
        for last, contact_id, token, unused_since in rows:
            earlier = "" if unused_since is None else f"-earlier-{last}"
            if (content := PHOTOS.largest(token)) is not None:
                yield f"{contact_id}{earlier}.webp", content
