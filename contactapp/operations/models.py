"""Operations: many changes that were made, and are undone, as one."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model


class Operation(Model):
    """One call that changed many things. Its changes carry its id, and `count` says how many they
    are. `undoes` is the operation that it took back, `undone_at` when it was taken back itself;
    `root` the one with which a row of undos began, itself where it is no undo."""

    __tablename__ = "operation"
    __table_args__ = (
        Index("ix_operation_book_id_id", "book_id", "id"),
        Index("ix_operation_at", "at"),
        Index("ix_operation_root", "root"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))
    kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[int] = mapped_column(BigInteger)
    request_id: Mapped[str] = mapped_column(String(64))
    at: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(BigInteger)
    undoes: Mapped[int | None] = mapped_column(BigInteger)
    root: Mapped[int | None] = mapped_column(BigInteger)
    undone_at: Mapped[int | None] = mapped_column(BigInteger)
    undone_by: Mapped[int | None] = mapped_column(BigInteger)
