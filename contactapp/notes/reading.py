"""Reading notes: lists, search, one, and all of an account."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson

from ..actor import Actor, Book
from ..books.service import note_texts, views
from ..changes.service import history
from ..clock import rfc3339
from ..contacts.service import require_contact
from ..database import Sql, lane
from ..errors import NotFound
from ..keyring import keyring
from ..paging import Page, Pager
from .finding import notes_with
from .stored import COLUMNS, FIND, LIVE, Stored

_EXPORTED_AT_ONCE = 500
_EXPORTED = Sql(
    f"SELECT b.key_id, n.deleted_at, {COLUMNS} FROM book b JOIN note n ON n.book_id = b.id "  # noqa: S608
    "WHERE b.owner_id = ? AND (b.id, n.id) > (?, ?) ORDER BY b.id, n.id LIMIT ?"
)
_ABOUT_AT_ONCE = 100
_ABOUT = Sql(f"{LIVE} AND n.contact_id IN ({', '.join('?' * _ABOUT_AT_ONCE)}) ORDER BY n.id")

_WITH_STATUS = Sql("SELECT id FROM note WHERE book_id = ? AND status = ?")


def list_notes(actor: Actor, query: dict[str, Any], contact_id: int | None = None) -> Page:
    """One page of the notes about a contact, or about all. Raises NotFound where there is no such
    contact, BadRequest for a cursor that is not of this list."""
    if contact_id is not None:
        require_contact(actor.book, contact_id)
    about = contact_id or query.get("contact_id")
    pager = Pager(actor, _listing(query, about), query)
    if "q" in query:
        return _searched(actor, query, about, pager)
    wanted = {"n.contact_id": about, "n.status": query.get("processing_status")}
    names = tuple(name for name, value in wanted.items() if value is not None)
    values = [wanted[name] for name in names]
    page, count = _list_sql(names, falling(query))
    part = (pager.after(2**62 if falling(query) else 0), pager.rows, pager.skip)
    rows = lane().all(page, (actor.book.id, *values, *part))
    [total] = lane().one(count, (actor.book.id, *values))
    cipher = keyring().cipher(actor.book.key_id)
    return _picked(pager.page([Stored.of(row, cipher).shown() for row in rows], total), query)


@lru_cache(maxsize=16)
def _list_sql(names: tuple[str, ...], newest_first: bool) -> tuple[Sql, Sql]:
    """The page of a list filtered by these columns, and how many pass."""
    where = "".join(f" AND {name} = ?" for name in names)
    order = "n.id < ? ORDER BY n.id DESC" if newest_first else "n.id > ? ORDER BY n.id"
    counted = f"SELECT count(*) {LIVE[LIVE.index('FROM') :]}{where}"
    return Sql(f"{LIVE}{where} AND {order} LIMIT ? OFFSET ?"), Sql(counted)


def _searched(actor: Actor, query: dict[str, Any], about: int | None, pager: Pager) -> Page:
    """The page of the notes that have all words, found in memory and then read."""
    book = actor.book
    people = views().current(book).rows
    with note_texts(book) as texts:
        ids = notes_with(texts, query["q"])
    if "processing_status" in query:  # no part of the view: a job that is given up tells no change
        status = lane().all(_WITH_STATUS, (book.id, query["processing_status"]))
        ids = sorted({id_ for [id_] in status}.intersection(ids))
    rows = [texts.rows[i] for i in ids]
    found = [
        {"id": row.id}
        for row in sorted(rows, key=lambda row: row.id, reverse=falling(query))
        if row.contact_id in people and about in {None, row.contact_id}
    ]
    page = pager.cut(found, newest_first=falling(query))
    now = (_read(book, item["id"]) for item in page.items)  # one may be gone since
    return _picked(page._replace(items=[note.shown() for note in now if note is not None]), query)


def falling(query: dict[str, Any]) -> bool:
    """Whether a list begins with the newest."""
    return query["sort"][0].startswith("-")


def _listing(query: dict[str, Any], about: int | None) -> str:
    """What a cursor is bound to."""
    filters = [about, query.get("processing_status"), [t.needles for t in query.get("q", ())]]
    digest = hashlib.blake2b(orjson.dumps(filters), digest_size=16).hexdigest()
    return f"notes {'-' if falling(query) else ''}id {digest}"


def _picked(page: Page, query: dict[str, Any]) -> Page:
    """The page with the fields that were asked for. Its cursor is made: that needs the id."""
    names = query.get("fields_")
    if names is None:
        return page
    return page._replace(items=[{name: item[name] for name in names} for item in page.items])


def get_note(actor: Actor, note_id: int, contact_id: int | None = None) -> Stored:
    """A live note, of this contact where one is named. Raises NotFound."""
    found = _read(actor.book, note_id)
    if found is None or contact_id not in {None, found.meta.contact_id}:
        raise NotFound()
    return found


def _read(book: Book, note_id: int) -> Stored | None:
    row = lane().one(FIND, (book.id, note_id))
    return None if row is None else Stored.of(row, keyring().cipher(book.key_id))


def note_history(actor: Actor, note_id: int, query: dict[str, Any]) -> Page:
    """The versions of a live note that are kept, the newest first. Raises NotFound."""
    page = history(actor, "note", note_id, query)
    get_note(actor, note_id)
    return page


def texts_about(book: Book, contact_ids: Sequence[int]) -> dict[int, list[str]]:
    """The texts of the live notes about some contacts, by contact, the oldest first."""
    found: dict[int, list[str]] = {}
    cipher = keyring().cipher(book.key_id)
    for start in range(0, len(contact_ids), _ABOUT_AT_ONCE):
        some = contact_ids[start : start + _ABOUT_AT_ONCE]
        padded = [*some, *[0] * (_ABOUT_AT_ONCE - len(some))]  # one statement for any number
        for row in lane().all(_ABOUT, (book.id, *padded)):
            note = Stored.of(row, cipher)
            found.setdefault(note.meta.contact_id, []).append(note.body)
    return found


def export_notes(owner_id: int) -> Iterator[dict[str, Any]]:
    """Every note in the books that a user owns, also those in the trash, by id; a few hundred at a
    time."""
    last: tuple[int, int] = (0, 0)
    while rows := lane().all(_EXPORTED, (owner_id, *last, _EXPORTED_AT_ONCE)):
        for key_id, deleted_at, *row in rows:
            note = Stored.of(tuple(row), keyring().cipher(key_id))
            gone = {} if deleted_at is None else {"deleted_at": rfc3339(deleted_at)}
            yield {**note.shown(), **gone}
            last = (note.meta.book_id, note.meta.id)
