"""Webhooks, and which streams they follow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PENDING, OVER = sa.text("status = 'pending'"), sa.text("status <> 'pending'")


def _big(*names: str, nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


def upgrade() -> None:
    """Make their tables."""
    followed = sa.Column("followed", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("stream", followed)
    op.create_table(
        "webhook",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(36), nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("book_id", BIG_ID, nullable=False),
        sa.Column("types", sa.String(1000), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        *_big("version", "failures"),
        *_big("failing_since", nullable=True),
        *_big("paused_until"),
        sa.Column("disabled_reason", sa.String(8), nullable=True),
        *_big("disabled_at", nullable=True),
        sa.Column("lease", sa.String(32), nullable=True),
        *_big("lease_until", "created_at", "updated_at"),
        sa.CheckConstraint(
            "disabled_reason IN ('gone', 'failing', 'restored')", name=op.f("ck_webhook_reason")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_webhook_user_id_users")),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name=op.f("fk_webhook_book_id_book")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        sa.UniqueConstraint("uid", name=op.f("uq_webhook_uid")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_user_id", "webhook", ["user_id"])
    op.create_index("ix_webhook_book_id", "webhook", ["book_id"])
    op.create_table(
        "webhook_delivery",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(32), nullable=False),
        *_big("webhook_id"),
        *_big("stream_id", "seq", nullable=True),
        sa.Column("status", sa.String(9), nullable=False),
        *_big("attempts", "next_at"),
        *_big("status_code", nullable=True),
        sa.Column("error", sa.String(32), nullable=True),
        *_big("created_at", "updated_at"),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'failed', 'cancelled')",
            name=op.f("ck_webhook_delivery_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_delivery_webhook_id_id", "webhook_delivery", ["webhook_id", "id"])
    op.create_index(
        "ix_webhook_delivery_pending",
        "webhook_delivery",
        ["webhook_id", "id"],
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_index(
        "ix_webhook_delivery_over",
        "webhook_delivery",
        ["updated_at"],
        sqlite_where=OVER,
        postgresql_where=OVER,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("webhook_delivery")
    op.drop_table("webhook")
    op.drop_column("stream", "followed")
