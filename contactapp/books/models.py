"""Address books and who shares them."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model


class Book(Model):
    """The unit of ownership, sharing, encryption key and change sequence."""

    __tablename__ = "book"
    __table_args__ = (
        Index(
            "uq_book_personal",
            "owner_id",
            unique=True,
            sqlite_where=text("personal"),
            postgresql_where=text("personal"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    personal: Mapped[bool]
    stream_id: Mapped[int] = mapped_column(ForeignKey("stream.id"), unique=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("key.id"))
    created_at: Mapped[int] = mapped_column(BigInteger)


class BookMember(Model):
    """A user other than the owner who may use a book."""

    __tablename__ = "book_member"
    __table_args__ = (CheckConstraint("role IN ('viewer', 'editor')", name="role"),)

    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[int] = mapped_column(BigInteger)
