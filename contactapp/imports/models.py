"""Imports, and the files that they read."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model


class Import(Model):
    """A file of contacts that a user brought, and how far it has been read.

    `read` contacts of it are done, which is where a worker goes on; the others count what became of
    them. The file has `size` bytes, of which `consumed` were looked at. What is personal about it
    (its name, the columns, what the user decided) is in `sealed`, with the book's key.
    """

    __tablename__ = "import"
    __table_args__ = (
        CheckConstraint(
            "status IN ('uploading', 'queued', 'previewed', 'done', 'cancelled', 'failed')",
            name="status",
        ),
        Index("ix_import_book_id_user_id_id", "book_id", "user_id", "id"),
        Index("ix_import_created_at", "created_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))
    user_id: Mapped[int] = mapped_column(BigInteger)
    token_id: Mapped[int | None] = mapped_column(BigInteger)
    request_id: Mapped[str] = mapped_column(String(64))
    format: Mapped[str] = mapped_column(String(8))
    mode: Mapped[str] = mapped_column(String(8))
    on_duplicate: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(10))
    size: Mapped[int] = mapped_column(BigInteger)
    consumed: Mapped[int] = mapped_column(BigInteger)
    read: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[int] = mapped_column(BigInteger)
    updated: Mapped[int] = mapped_column(BigInteger)
    skipped: Mapped[int] = mapped_column(BigInteger)
    rejected: Mapped[int] = mapped_column(BigInteger)
    operation_id: Mapped[int | None] = mapped_column(BigInteger)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class ImportPart(Model):
    """A part of an import's file (`kind` file), or what became of some of its contacts (rows, the
    `number` is that of the first), sealed with the book's key."""

    __tablename__ = "import_part"

    import_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("import.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    kind: Mapped[str] = mapped_column(String(4), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
