"""Making, finding and sharing books, and the cache of their views."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Flask, current_app
from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from .. import clock
from ..actor import Actor
from ..changes.service import create_stream
from ..contacts.row import Row
from ..database import Sql, constraint_of, database, db, lane, write_transaction
from ..errors import Conflict, InvalidFields, NotFound
from ..keyring import create_key, keyring
from .cache import ViewCache
from .models import Book, BookMember

_USABLE = Sql(
    "SELECT b.id, b.uid, b.personal, b.owner_id, b.created_at, 'owner' FROM book b "
    "WHERE b.owner_id = ? UNION ALL "
    "SELECT b.id, b.uid, b.personal, b.owner_id, b.created_at, m.role FROM book_member m "
    "JOIN book b ON b.id = m.book_id WHERE m.user_id = ? ORDER BY 1"
)


def init_app(app: Flask, capacity_bytes: int) -> None:
    """Give the application its view cache."""
    with app.app_context():
        app.extensions["contactapp.views"] = ViewCache(
            database().lane, keyring().cipher, Row, capacity_bytes
        )


def views() -> ViewCache[Row]:
    """The view cache of the current application."""
    return current_app.extensions["contactapp.views"]


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
    return db.session.execute(insert(Book).returning(Book.id), row).scalar_one()


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
def share_book(owner_id: int, user_id: int, role: str) -> None:
    """Let a user use the owner's personal book as `viewer` or `editor`; also changes the role."""
    if role not in {"viewer", "editor"}:
        raise InvalidFields.one("/role", "invalid", "The role is viewer or editor.")
    book_id = _personal_book(owner_id)
    if user_id == owner_id:
        raise InvalidFields.one("/user_id", "invalid", "The owner needs no sharing.")
    db.session.execute(_membership(book_id, user_id))
    row = {"book_id": book_id, "user_id": user_id, "role": role, "created_at": clock.now_ms()}
    try:
        db.session.execute(insert(BookMember), row)
    except IntegrityError as error:
        if "pk_book_member" in constraint_of(error) or "book_member." in constraint_of(error):
            raise Conflict(detail="Somebody else shares this book right now.") from None
        raise NotFound(detail="There is no such user.") from None


@write_transaction
def unshare_book(owner_id: int, user_id: int) -> None:
    """End a user's use of the owner's personal book, from the next request on."""
    db.session.execute(_membership(_personal_book(owner_id), user_id))


def _membership(book_id: int, user_id: int) -> Any:
    return delete(BookMember).where(BookMember.book_id == book_id, BookMember.user_id == user_id)


def _personal_book(owner_id: int) -> int:
    found = db.session.scalar(
        db.select(Book.id).where(Book.owner_id == owner_id, Book.personal.is_(True))
    )
    if found is None:
        raise NotFound(detail="There is no such user.")
    return found
