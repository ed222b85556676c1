"""Making, finding and sharing books, and the cache of their views."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from flask import Flask, current_app

from .. import clock
from ..actor import Actor, Book
from ..audit import service as audit
from ..bounded import Bounded, HostPlaces, usable_cores
from ..changes.service import create_stream
from ..config import Settings
from ..contacts.card import Meta
from ..contacts.row import Row
from ..custom_fields.definition import Definition
from ..custom_fields.definition import Meta as DefinitionMeta
from ..database import ConstraintViolated, Sql, database, lane, write_transaction
from ..errors import Conflict, InvalidFields, NotFound
from ..keyring import create_key, keyring
from ..notes.row import COLUMNS, NoteRow
from .cache import Source, ViewCache
from .view import BookView

_USABLE = Sql(
    "SELECT b.id, b.uid, b.personal, b.owner_id, b.created_at, 'owner' FROM book b "
    "WHERE b.owner_id = ? UNION ALL "
    "SELECT b.id, b.uid, b.personal, b.owner_id, b.created_at, m.role FROM book_member m "
    "JOIN book b ON b.id = m.book_id WHERE m.user_id = ? ORDER BY 1"
)
_BOOK = Sql(
    "SELECT b.id, b.owner_id, b.key_id, b.stream_id, s.seq, s.head, 'owner', s.items FROM book b "
    "JOIN stream s ON s.id = b.stream_id WHERE b.id = ?"
)
_PERSONAL = Sql(
    "SELECT b.id, u.key_id FROM book b JOIN users u ON u.id = b.owner_id "
    "WHERE b.owner_id = ? AND b.personal"
)
_BOOK_OF = Sql(
    "SELECT b.id, b.owner_id, b.key_id, b.stream_id, s.seq, s.head, "
    "CASE WHEN b.owner_id = u.id THEN 'owner' ELSE m.role END, s.items, u.key_id FROM book b "
    "JOIN stream s ON s.id = b.stream_id JOIN users u ON u.id = ? AND u.active "
    "LEFT JOIN book_member m ON m.book_id = b.id AND m.user_id = u.id "
    "WHERE b.id = ? AND (b.owner_id = u.id OR m.role IS NOT NULL)"
)
_UNSHARE = Sql("DELETE FROM book_member WHERE book_id = ? AND user_id = ?")

LARGE = 10_000  # contacts of a book that takes some milliseconds to look through
_AS_A_CONTACT = 2_000  # bytes of notes that take as long

CONTACTS = Source("contact", Meta._fields)
NOTES = Source("note", COLUMNS)
DEFINITIONS = Source("custom_field", DefinitionMeta._fields)


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its view cache, and places for looking through large books."""
    # A core and, in every process, a thread are left to everybody else: with all cores taken, a
    # list waits for a processor that its own process has lost in the middle of a search.
    host = HostPlaces(settings.instance_path / "large_books.lock", max(1, usable_cores() - 1))
    waiting = max(1, settings.working_threads - 2)
    app.extensions["contactapp.large_books"] = Bounded(1, 5.0, waiting, host)
    quarter = settings.view_cache_mb * 2**18
    with app.app_context():
        given = database().lane, keyring().cipher
        app.extensions["contactapp.views"] = ViewCache(*given, CONTACTS, Row, 3 * quarter)
        app.extensions["contactapp.note_views"] = ViewCache(*given, NOTES, NoteRow, quarter)
        # A few kilobytes for a book that has any.
        small = ViewCache(*given, DEFINITIONS, Definition.opened, quarter // 8)
        app.extensions["contactapp.definition_views"] = small


def views() -> ViewCache[Row]:
    """The contacts of books in memory."""
    return current_app.extensions["contactapp.views"]


def note_views() -> ViewCache[NoteRow]:
    """The texts of their notes, read when somebody first searches in a book."""
    return current_app.extensions["contactapp.note_views"]


def definition_views() -> ViewCache[Definition]:
    """The definitions of their custom fields."""
    return current_app.extensions["contactapp.definition_views"]


def definitions(book: Book) -> Mapping[str, Definition]:
    """The definitions of a book's custom fields by their keys, at least as new as this state of the
    book; in a write, that of `ChangeLog.book`. Most books have none, and ask nobody for them."""
    if not book.items:
        return {}
    return {row.key: row for row in definition_views().current(book).rows.values()}


def large_books() -> Bounded:
    """The places for looking through large books."""
    return current_app.extensions["contactapp.large_books"]


def looking_through(contacts: int) -> AbstractContextManager[None]:
    """Hold a place while so many contacts are looked through, where that takes long."""
    return large_books().place() if contacts > LARGE else nullcontext()


def note_texts(book: Book, contacts: int = 0) -> AbstractContextManager[BookView[NoteRow]]:
    """The texts of a book's notes, to be looked through beside so many contacts; with a place where
    that takes long, or the notes are so long that each search reads all of them."""
    if not note_views().keeps(book):
        return _with_a_place(lambda: note_views().current(book))
    texts = note_views().current(book)
    if contacts + texts.size // _AS_A_CONTACT > LARGE:
        return _with_a_place(lambda: texts)
    return nullcontext(texts)


@contextmanager
def _with_a_place(read: Callable[[], BookView[NoteRow]]) -> Iterator[BookView[NoteRow]]:
    with large_books().place():
        yield read()


def create_personal_book(owner_id: int) -> int:
    """Insert a user's own book with its key and stream in the running transaction."""
    row = {
        "uid": str(uuid.uuid4()),
        "owner_id": owner_id,
        "personal": True,
        "stream_id": create_stream("book"),
        "key_id": create_key().key_id,
        "created_at": clock.now_ms(),
    }
    return lane().insert("book", row)


def book_at(book_id: int) -> Book | None:
    """A book as its owner may use it; for jobs, which nobody asked for."""
    row = lane().one(_BOOK, (book_id,))
    return row and Book(*row)


def actor_in(
    user_id: int, book_id: int | None, request_id: str, token_id: int | None = None
) -> Actor | None:
    """A user as who acts on a book, their own unless one is named, where they still may; for jobs
    and commands, which nobody signed in for."""
    if book_id is None:
        book_id = _personal_book(user_id)[0]
    row = lane().one(_BOOK_OF, (user_id, book_id))
    return row and Actor(user_id, 0, "user", row[-1], request_id, Book(*row[:-1]), token_id)


def list_books(actor: Actor) -> list[dict[str, Any]]:
    """The books the actor may use, by id: their own and those shared with them."""
    rows = lane().all(_USABLE, (actor.user_id, actor.user_id))
    return [
        {
            "id": id_,
            "uid": uid,
            "personal": bool(personal),
            "owner_id": owner_id,
            "role": role,
            "created_at": clock.rfc3339(created_at),
        }
        for id_, uid, personal, owner_id, created_at, role in rows
    ]


@write_transaction
def share_book(owner_id: int, user_id: int, role: str, request_id: str = "cli") -> None:
    """Let a user use the owner's personal book as `viewer` or `editor`; also changes the role."""
    if role not in {"viewer", "editor"}:
        raise InvalidFields.one("/role", "invalid", "The role is viewer or editor.")
    book_id, key_id = _personal_book(owner_id)
    if user_id == owner_id:
        raise InvalidFields.one("/user_id", "invalid", "The owner needs no sharing.")
    lane().run(_UNSHARE, (book_id, user_id))
    row = {"book_id": book_id, "user_id": user_id, "role": role, "created_at": clock.now_ms()}
    try:
        lane().insert("book_member", row, returning="")
    except ConstraintViolated as error:
        if "pk_book_member" in error.constraint or "book_member." in error.constraint:
            raise Conflict(detail="Somebody else shares this book right now.") from None
        raise NotFound(detail="There is no such user.") from None
    details = {"book_id": book_id, "user_id": user_id, "role": role}
    audit.record("book_shared", owner_id, key_id, request_id, details, actor_id=0)


@write_transaction
def unshare_book(owner_id: int, user_id: int, request_id: str = "cli") -> None:
    """End a user's use of the owner's personal book, from the next request on."""
    book_id, key_id = _personal_book(owner_id)
    if lane().run(_UNSHARE, (book_id, user_id)):
        details = {"book_id": book_id, "user_id": user_id}
        audit.record("book_unshared", owner_id, key_id, request_id, details, actor_id=0)


def _personal_book(owner_id: int) -> tuple[int, int]:
    """Its id, and the id of its owner's key."""
    found = lane().one(_PERSONAL, (owner_id,))
    if found is None:
        raise NotFound(detail="There is no such user.")
    return found
