"""The change log: streams and their append-only changes."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from ..database import BigId, Model
from .chain import GENESIS


class Stream(Model):
    """One sequence of changes, of a book or of a user's data store.

    (`seq`, `head`) names its state. Changes up to `floor` may have been purged; the append-only
    trigger lets only those be deleted. `items` and `size` (bytes) are what a user's data store
    holds: a put reads and writes this row anyway. `followed`: some webhook may want its changes,
    which each write sees with the lock that it takes.
    """

    __tablename__ = "stream"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    seq: Mapped[int] = mapped_column(BigInteger, default=0)
    head: Mapped[bytes] = mapped_column(LargeBinary, default=GENESIS)
    floor: Mapped[int] = mapped_column(BigInteger, default=0)
    items: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    size: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    followed: Mapped[bool] = mapped_column(default=False, server_default=false())


class Change(Model):
    """One touched entity in one write. `sealed` holds before and after and may be emptied later;
    `head` chains the row by `sealed_hash`, so that emptying does not break the chain."""

    __tablename__ = "change"
    __table_args__ = (
        Index("ix_change_entity", "stream_id", "entity", "entity_id"),
        Index(
            "ix_change_operation",
            "stream_id",
            "operation_id",
            "seq",
            sqlite_where=text("operation_id IS NOT NULL"),
            postgresql_where=text("operation_id IS NOT NULL"),
        ),
    )

    stream_id: Mapped[int] = mapped_column(ForeignKey("stream.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[int] = mapped_column(BigInteger)
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    token_id: Mapped[int | None] = mapped_column(BigInteger)
    request_id: Mapped[str] = mapped_column(String(64))
    operation_id: Mapped[int | None] = mapped_column(BigInteger)
    entity: Mapped[str] = mapped_column(String(16))
    entity_id: Mapped[int] = mapped_column(BigInteger)
    op: Mapped[str] = mapped_column(String(8))
    version: Mapped[int] = mapped_column(BigInteger)
    changed_fields: Mapped[str] = mapped_column(String(2000))
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed_hash: Mapped[bytes] = mapped_column(LargeBinary)
    head: Mapped[bytes] = mapped_column(LargeBinary)
