"""Contacts at rest: one sealed blob each."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model

_TRASHED = text("deleted_at IS NOT NULL")


class Contact(Model):
    """A contact. Everything personal is in `sealed`; with `deleted_at` it lies in the trash, where
    `updated_by` put it; with `merged_into` because it became a part of that contact."""

    __tablename__ = "contact"
    __table_args__ = (
        Index("ix_contact_book_id_id", "book_id", "id"),
        Index(
            "ix_contact_trash",
            "book_id",
            "deleted_at",
            "id",
            sqlite_where=_TRASHED,
            postgresql_where=_TRASHED,
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))
    version: Mapped[int] = mapped_column(BigInteger)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[int] = mapped_column(BigInteger)
    updated_by: Mapped[int] = mapped_column(BigInteger)
    deleted_at: Mapped[int | None] = mapped_column(BigInteger)
    merged_into: Mapped[int | None] = mapped_column(BigInteger)


class DuplicateDismissal(Model):
    """Two contacts of a book that look alike, and of which somebody said that they are not the
    same. It goes with either of them."""

    __tablename__ = "duplicate_dismissal"
    __table_args__ = (
        Index("ix_duplicate_dismissal_book_id", "book_id"),
        Index("ix_duplicate_dismissal_high_id", "high_id"),  # purging a contact looks by each
    )

    low_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    high_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))


class Photo(Model):
    """That a contact's card names a photo, or has done so until `unused_since`. No foreign key on
    the contact: the row outlives it until its files are swept."""

    __tablename__ = "photo"
    __table_args__ = (
        UniqueConstraint("contact_id", "token"),
        Index("ix_photo_book_id_token", "book_id", "token"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))
    contact_id: Mapped[int] = mapped_column(BigInteger)
    token: Mapped[str] = mapped_column(String(43))
    created_at: Mapped[int] = mapped_column(BigInteger)
    unused_since: Mapped[int | None] = mapped_column(BigInteger)
