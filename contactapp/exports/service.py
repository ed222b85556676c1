"""Contacts as files, written while they are sent.

What is written is the book as it was when the request came: its view, which changes nobody. Only
notes and pictures are read on the way, those of a hundred contacts at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any, NamedTuple

from flask import Flask, current_app

from ..actor import Actor
from ..audit import service as audit
from ..books.service import views
from ..bounded import Bounded
from ..config import Settings
from ..contacts.service import passing
from ..database import write_transaction
from ..exchange.service import Photo, Record, write
from ..notes.service import texts_about
from ..pictures.service import PHOTOS
from .records import record_of, source_of, uids_of

AT_ONCE = 100  # contacts, or other pieces of a file
_PART = 2**16  # bytes that are sent together


class Export(NamedTuple):
    """A file that is being written: its parts, how many contacts they have, and what is to be
    called when nobody takes more of them."""

    parts: Iterator[bytes]
    contacts: int
    close: Callable[[], None]


class _Room(NamedTuple):
    """How many exports a process writes side by side, of which one works at a time: whoever takes
    the parts slowly keeps a thread, but nobody else's processor."""

    places: Bounded
    turn: threading.Lock


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its places for exports: most threads are left to everybody else."""
    quarter = max(1, settings.working_threads // 4)
    app.extensions["contactapp.exports"] = _Room(Bounded(quarter, 5.0, 1), threading.Lock())


def export_contacts(actor: Actor, query: dict[str, Any]) -> Export:
    """The contacts that pass the filters of a parsed `schemas.ExportQuery`, by UID, with notes and
    photos as far as the format has them. Raises Busy, and InvalidFields for a filter that does not
    fit a custom field."""
    room: _Room = current_app.extensions["contactapp.exports"]
    with ExitStack() as opened:
        opened.enter_context(room.places.place())
        ids = passing(actor, query)
        view = views().current(actor.book)
        sources = view.column("source_uid", lambda row: source_of(row.card()))
        uids = uids_of({row.id: row.uid for row in view.rows.values()}, sources)
        chosen = sorted((id_ for id_ in ids if id_ in uids), key=uids.__getitem__)
        _record(actor, query["format"], len(chosen))

        def records() -> Iterator[Record]:
            for start in range(0, len(chosen), AT_ONCE):
                some = chosen[start : start + AT_ONCE]
                notes = texts_about(actor.book, some)
                for id_ in some:
                    card = view.rows[id_].card()
                    photo = _photo(card) if query["format"] != "csv" else None
                    yield record_of(card, uids[id_], notes.get(id_, []), photo)

        files = write(query["format"], records, query["version"])
        kept = opened.pop_all()
        return Export(_parts(files, room.turn, kept), len(chosen), kept.close)


@write_transaction
def _record(actor: Actor, format_: str, contacts: int) -> None:
    details = {"format": format_, "book_id": actor.book.id, "contacts": contacts}
    audit.record("exported", actor.user_id, actor.key_id, actor.request_id, details)


def _photo(card: dict[str, Any]) -> Photo | None:
    data = PHOTOS.largest(card.get("photo"))
    return None if data is None else Photo("image/webp", data)


def _parts(pieces: Iterator[bytes], turn: threading.Lock, kept: ExitStack) -> Iterator[bytes]:
    with kept:
        while True:
            with turn:
                part = list(_some(pieces))
            if not part:
                return
            yield b"".join(part)


def _some(pieces: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in islice(pieces, AT_ONCE):
        yield piece
        size += len(piece)
        if size >= _PART:
            return


__all__ = ["AT_ONCE", "Export", "export_contacts", "init_app", "source_of", "uids_of"]
