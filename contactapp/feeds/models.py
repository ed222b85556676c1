"""Feeds at rest."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model


class Feed(Model):
    """A calendar of a book, made by a user who may read it. `sealed` is its label, by the user's
    key; the address that opens it is worked out from the row and stored nowhere."""

    __tablename__ = "feed"
    __table_args__ = (
        CheckConstraint("kind IN ('birthdays')", name="kind"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)
