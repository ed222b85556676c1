"""The photo of a contact: set and removed by writes of the contact like any other."""

from __future__ import annotations

from typing import Any

from ..actor import Actor, Book
from ..errors import Forbidden, NotFound
from ..pictures.service import PHOTOS, SHOWN
from . import photo_rows
from .reading import live_row, require_contact
from .service import Stored, Versions, edit_contact


def set_photo(actor: Actor, book: Book, contact_id: int, data: bytes, versions: Versions) -> Stored:
    """Give a contact the picture in a file as its photo. Raises NotFound, PreconditionFailed,
    Forbidden, InvalidFields, Busy."""
    if not book.writable:  # before a picture is drawn for nothing
        raise Forbidden("read_only_book")
    require_contact(book, contact_id)
    spare: list[str] = []
    with PHOTOS.drawn(data) as token:

        def named(_card: dict[str, Any]) -> dict[str, Any]:
            spare[:] = photo_rows.begin(book, contact_id, token)
            return {"photo": token}

        stored = edit_contact(actor, book, contact_id, named, versions)
    for old in spare:
        PHOTOS.remove(old)
    return stored


def remove_photo(actor: Actor, book: Book, contact_id: int, versions: Versions) -> Stored:
    """Leave a contact without a photo. Raises NotFound, PreconditionFailed, Forbidden."""
    return edit_contact(actor, book, contact_id, lambda _: {"photo": None}, versions)


def get_photo(actor: Actor, contact_id: int) -> tuple[int, dict[str, Any]]:
    """A live contact's version, and where its photo is. Raises NotFound, also without one."""
    row = live_row(actor, contact_id)
    card = row.card()
    if "photo" not in card:
        raise NotFound(detail="The contact has no photo.")
    return row.version, addresses(card)


def addresses(card: dict[str, Any]) -> dict[str, Any]:
    """Where the photo is that a card names (schema Photo)."""
    urls = PHOTOS.urls(card["photo"])
    return {"photo_url": urls[SHOWN], "photo_urls": {str(k): url for k, url in urls.items()}}
