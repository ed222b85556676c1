"""Webhooks and what they are to be told, at rest."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model

_PENDING = text("status = 'pending'")
_OVER = text("status <> 'pending'")


class Webhook(Model):
    """An address that is told of the changes of a book, for a user who may read it.

    `sealed` is the address, its description and its secrets, by the user's key. `types` are words
    of the feed, none for all. `failures` counts what failed since something last got through, from
    `failing_since` on; nothing is tried before `paused_until`. `lease` is the token of whoever
    sends, until `lease_until`. Times in milliseconds.
    """

    __tablename__ = "webhook"
    __table_args__ = (
        CheckConstraint("disabled_reason IN ('gone', 'failing', 'restored')", name="reason"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"), index=True)
    types: Mapped[str] = mapped_column(String(1000))
    active: Mapped[bool]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    version: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(BigInteger)
    failing_since: Mapped[int | None] = mapped_column(BigInteger)
    paused_until: Mapped[int] = mapped_column(BigInteger)
    disabled_reason: Mapped[str | None] = mapped_column(String(8))
    disabled_at: Mapped[int | None] = mapped_column(BigInteger)
    lease: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class WebhookDelivery(Model):
    """That a webhook is to be told of one change (`stream_id`, `seq`), or of none, for a trial;
    what is told is read when it is sent. `uid` is its Webhook-Id. `next_at` counts while pending.

    Without a foreign key: a webhook goes at once, and its deliveries are swept, as there may be a
    hundred thousand. They say nothing about anybody.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'delivered', 'failed', 'cancelled')", name="status"),
        Index("ix_webhook_delivery_webhook_id_id", "webhook_id", "id"),
        Index(
            "ix_webhook_delivery_pending",
            "webhook_id",
            "id",
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        Index("ix_webhook_delivery_over", "updated_at", sqlite_where=_OVER, postgresql_where=_OVER),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(32))
    webhook_id: Mapped[int] = mapped_column(BigInteger)
    stream_id: Mapped[int | None] = mapped_column(BigInteger)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(9))
    attempts: Mapped[int] = mapped_column(BigInteger)
    next_at: Mapped[int] = mapped_column(BigInteger)
    status_code: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)
