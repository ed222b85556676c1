"""Notes about contacts at rest: one sealed text each, and what was found in it."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model


class Note(Model):
    """A note about a contact. `sealed` holds its text, `found` what a job found in the text of this
    version, and `status` how far that job is. A note is to be seen while its contact is."""

    __tablename__ = "note"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'processed', 'failed')", name="status"),
        Index("ix_note_book_id_id", "book_id", "id"),
        Index("ix_note_contact_id_id", "contact_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    version: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(9))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    found: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[int] = mapped_column(BigInteger)
    updated_by: Mapped[int] = mapped_column(BigInteger)
    deleted_at: Mapped[int | None] = mapped_column(BigInteger)
