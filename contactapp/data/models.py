"""Key-value data at rest: a sealed value for each key."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model

# Both engines order keys by code point, and so have the same pages and prefixes: SQLite compares
# bytes, PostgreSQL would ask the locale.
_KEY = String(255).with_variant(String(255, collation="C"), "postgresql")
_EXPIRES = text("expires_at IS NOT NULL")


class DataEntry(Model):
    """An entry of a user's data. `version` is the number of the change that made it, which no later
    entry under the same key has again; `size` is that of the value's JSON in bytes."""

    __tablename__ = "data_entry"
    __table_args__ = (
        UniqueConstraint("user_id", "key"),
        Index(
            "ix_data_entry_expires_at",
            "expires_at",
            sqlite_where=_EXPIRES,
            postgresql_where=_EXPIRES,
        ),
        Index(
            "ix_data_entry_user_id_expires_at",
            *("user_id", "expires_at"),
            sqlite_where=_EXPIRES,
            postgresql_where=_EXPIRES,
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    key: Mapped[str] = mapped_column(_KEY)
    version: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(Integer)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)
