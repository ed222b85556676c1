"""Events that belong to no book, and what is kept of the chains elsewhere than in them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model


class AuditEvent(Model):
    """Something done to or with an account. `sealed` holds the details under the account's key and
    goes with it; `seq` and `head` chain the row by `sealed_hash` once a job has come by, so that
    parallel sign-ins do not wait for each other. `count` is more than 1 where events of a minute
    are one row. Append-only by trigger."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_user_id_id", "user_id", "id"),
        Index(
            "uq_audit_event_minute",
            "at",
            "kind",
            unique=True,
            sqlite_where=text("user_id IS NULL"),
            postgresql_where=text("user_id IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    at: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    request_id: Mapped[str] = mapped_column(String(64))
    count: Mapped[int] = mapped_column(BigInteger)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed_hash: Mapped[bytes] = mapped_column(LargeBinary)
    seq: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    head: Mapped[bytes | None] = mapped_column(LargeBinary)


class Checkpoint(Model):
    """How far a stream had come: its `seq`, `head` and `floor` at a time, and an HMAC over them.
    Stream 0 stands for the chain of the audit events. Append-only by trigger; those below a
    stream's floor may go."""

    __tablename__ = "checkpoint"

    stream_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    floor: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    head: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[int] = mapped_column(BigInteger)
    mac: Mapped[bytes] = mapped_column(LargeBinary)
