"""Definitions of custom fields at rest."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model


class CustomField(Model):
    """What a custom field of a book's contacts may hold. Its key is its user's own word, so it is
    in `sealed` with the rest: that no two have the same is seen to under the stream's lock."""

    __tablename__ = "custom_field"
    __table_args__ = (
        Index("ix_custom_field_book_id_id", "book_id", "id"),
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
