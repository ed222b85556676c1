"""Accounts."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model


class User(Model):
    """An account. Address, names and the rest of the profile are sealed with the user's own key;
    the indexes are HMACs of the canonical values, for uniqueness and exact lookup; `avatar` is what
    the files of the picture are called."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'admin')", name="role"),
        CheckConstraint("contact_count >= 0", name="contact_count"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    email_index: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    username_index: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    password_hash: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(8), default="user")
    active: Mapped[bool] = mapped_column(default=True)
    email_verified: Mapped[bool] = mapped_column(default=False)
    avatar: Mapped[str | None] = mapped_column(String(43))
    contact_limit: Mapped[int | None] = mapped_column(BigInteger)
    contact_count: Mapped[int] = mapped_column(BigInteger, default=0)
    key_id: Mapped[int] = mapped_column(ForeignKey("key.id"))
    stream_id: Mapped[int] = mapped_column(ForeignKey("stream.id"))
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)
