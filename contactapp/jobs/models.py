"""Jobs, and the workers that do them."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model

_PENDING = text("status = 'pending'")
_DEAD = text("status = 'dead'")


class Job(Model):
    """One piece of work, inserted in the transaction that made it necessary.

    `kind` names the function that does it, `ref` the row it is about. A pending job may be claimed
    from `next_at` on: for one that a worker holds, by the token `lease`, that is when the lease
    ends. A job with a `period` (milliseconds) is due again after each time. What lies further ahead
    than any pause was written by a clock that was ahead, and is due (see `health.seen`). `error`
    is the last failure's class, never what it says. Deleting a user deletes their jobs.
    """

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'done', 'dead')", name="status"),
        Index("ix_job_next_at", "next_at", sqlite_where=_PENDING, postgresql_where=_PENDING),
        Index("ix_job_dead", "id", sqlite_where=_DEAD, postgresql_where=_DEAD),
        Index(
            "uq_job_periodic",
            "kind",
            unique=True,
            sqlite_where=text("period IS NOT NULL"),
            postgresql_where=text("period IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    ref: Mapped[int | None] = mapped_column(BigInteger)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    period: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(8), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[int] = mapped_column(BigInteger)
    lease: Mapped[str | None] = mapped_column(String(32))
    error: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class Worker(Model):
    """A worker process and when it last said that it is alive (milliseconds)."""

    __tablename__ = "worker"

    uid: Mapped[str] = mapped_column(String(32), primary_key=True)
    seen_at: Mapped[int] = mapped_column(BigInteger, index=True)
