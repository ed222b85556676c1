"""The audit trail, the places people sign in from, and avatars."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make their tables and the column of a user's picture."""
    op.create_table(
        "audit_event",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("head", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("seq", name=op.f("uq_audit_event_seq")),
        sa.UniqueConstraint("uid", name=op.f("uq_audit_event_uid")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_event_user_id_id", "audit_event", ["user_id", "id"], unique=False)
    op.create_index(
        "uq_audit_event_minute",
        "audit_event",
        ["at"],
        unique=True,
        sqlite_where=sa.text("kind = 'sign_in_failed_unknown'"),
        postgresql_where=sa.text("kind = 'sign_in_failed_unknown'"),
    )
    op.create_table(
        "known_place",
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("place", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_known_place_user_id_users")
        ),
        sa.PrimaryKeyConstraint("user_id", "place", name=op.f("pk_known_place")),
    )
    op.add_column("users", sa.Column("avatar", sa.String(length=43), nullable=True))


def downgrade() -> None:
    """Drop them; the pictures stay in their folder."""
    op.drop_column("users", "avatar")
    op.drop_table("known_place")
    op.drop_table("audit_event")
