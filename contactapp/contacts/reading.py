"""Reading contacts: lists, search, one, its history, and all of an account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import date
from typing import Any

import orjson

from .. import paging
from ..actor import Actor, Book
from ..books.service import definitions, looking_through, note_texts, views
from ..changes.service import history
from ..clock import rfc3339
from ..config import settings
from ..database import Sql, lane
from ..errors import NotFound
from ..keyring import keyring
from ..notes.finding import contacts_noted
from .birthdays import BirthdayPage, month_and_day, page_of_birthdays
from .card import Meta, as_object
from .custom import by_custom_fields, sorting
from .listing import BY_ID, NONE_DEFINED, Page, ids_of, page_of
from .row import Row

_LIVE = Sql("SELECT 1 FROM contact WHERE book_id = ? AND id = ? AND deleted_at IS NULL")
_EXPORTED_AT_ONCE = 500
_EXPORTED = Sql(
    f"SELECT b.id, b.key_id, c.deleted_at, {', '.join(f'c.{n}' for n in Meta._fields)}, c.sealed "  # noqa: S608
    "FROM book b JOIN contact c ON c.book_id = b.id WHERE b.owner_id = ? AND (b.id, c.id) > (?, ?) "
    "ORDER BY b.id, c.id LIMIT ?"
)


def list_contacts(
    actor: Actor, query: dict[str, Any], *, searched: bool = False
) -> tuple[bytes, Page]:
    """One page of the book's live contacts, and the head of the view that made it. With `searched`
    it says where the words of `q` were found."""
    view = views().current(actor.book)
    seal = paging.CursorSeal(actor.user_id, actor.book.id)
    defined = definitions(actor.book) if by_custom_fields(query) else NONE_DEFINED
    sort = sorting(query["sort"], defined)
    looked_through = (
        query["where"]
        or query.get("custom")
        or not (sort.names == BY_ID or view.has_order(sort.kept_as))
    )
    place: AbstractContextManager[Any]
    if "q" in query:
        place = note_texts(actor.book, len(view))
    else:
        place = looking_through(len(view) if looked_through else 0)
    with place as notes:
        noted = contacts_noted(notes, query["q"]) if notes else ()
        return view.head, page_of(
            view, query, seal, searched=searched, noted=noted, defined=defined
        )


def passing(actor: Actor, query: dict[str, Any]) -> list[int]:
    """The ids of the book's live contacts that pass the filters of a parsed query, in no order.
    Raises InvalidFields for a value that is not of its custom field's type."""
    view = views().current(actor.book)
    defined = definitions(actor.book) if "custom" in query else NONE_DEFINED
    place: AbstractContextManager[Any]
    if "q" in query:
        place = note_texts(actor.book, len(view))
    else:
        place = looking_through(len(view) if query["where"] or "custom" in query else 0)
    with place as notes:
        noted = contacts_noted(notes, query["q"]) if notes else ()
        return ids_of(view, query, noted, defined)


def list_birthdays(actor: Actor, query: dict[str, Any], first: date) -> tuple[bytes, BirthdayPage]:
    """One page of those whose birthday comes from a day on, and the head of the view."""
    view = views().current(actor.book)
    seal = paging.CursorSeal(actor.user_id, actor.book.id)
    leap_day = month_and_day(settings().leap_day_birthdays)
    with looking_through(len(view)):
        return view.head, page_of_birthdays(view, query, first, seal, leap_day)


def get_contact(actor: Actor, contact_id: int) -> tuple[int, bytes]:
    """A live contact's version and JSON. Raises NotFound."""
    row = live_row(actor, contact_id)
    return row.version, row.body


def live_row(actor: Actor, contact_id: int) -> Row:
    """A live contact. A book that is not in memory is not loaded for it. Raises NotFound."""
    view = views().peek(actor.book)
    row = view.get(contact_id) if view is not None else views().open_one(actor.book, contact_id)
    if row is None:
        raise NotFound()
    return row


def read_card(book: Book, contact_id: int) -> tuple[int, dict[str, Any]]:
    """A live contact's version and what is filled, now: who tries a change again must not be shown
    what was in memory when the request came. Raises NotFound."""
    row = views().open_one(book, contact_id)
    if row is None:
        raise NotFound()
    return row.version, row.card()


def is_live(book: Book, contact_id: int) -> bool:
    """Whether the book has such a contact, and not in the trash."""
    return lane().one(_LIVE, (book.id, contact_id)) is not None


def require_contact(book: Book, contact_id: int) -> None:
    """Raise NotFound where the book has no such live contact."""
    if not is_live(book, contact_id):
        raise NotFound()


def contact_history(actor: Actor, contact_id: int, query: dict[str, Any]) -> paging.Page:
    """The versions of a live contact that are kept, the newest first. Raises NotFound."""
    page = history(actor, "contact", contact_id, query)
    require_contact(actor.book, contact_id)
    return page


def export_contacts(owner_id: int) -> Iterator[dict[str, Any]]:
    """Every contact that a user owns, also those in the trash, by id; a few hundred at a time."""
    last: tuple[int, int] = (0, 0)
    while rows := lane().all(_EXPORTED, (owner_id, *last, _EXPORTED_AT_ONCE)):
        for book_id, key_id, deleted_at, *columns, sealed in rows:
            meta = Meta(*columns)
            plaintext = (
                keyring().cipher(key_id).open(sealed, "contact", "sealed", book_id, meta.uid)
            )
            card = orjson.loads(plaintext)
            shown = as_object(meta, card) | ({"vcard": card["vcard"]} if "vcard" in card else {})
            yield shown if deleted_at is None else {**shown, "deleted_at": rfc3339(deleted_at)}
            last = (book_id, meta.id)
