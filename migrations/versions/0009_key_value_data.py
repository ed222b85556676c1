"""Key-value data, and what of its quota is used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.String(length=255).with_variant(sa.String(length=255, collation="C"), "postgresql")
EXPIRES = sa.text("expires_at IS NOT NULL")


def upgrade() -> None:
    """Make the table, and count nothing in the streams that there are."""
    for name in ("items", "size"):
        op.add_column(
            "stream", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
        )
    op.create_table(
        "data_entry",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_data_entry_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_entry")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_data_entry_user_id_key")),
        sqlite_autoincrement=True,
    )
    for name, columns in (
        ("ix_data_entry_expires_at", ["expires_at"]),
        ("ix_data_entry_user_id_expires_at", ["user_id", "expires_at"]),
    ):
        op.create_index(name, "data_entry", columns, sqlite_where=EXPIRES, postgresql_where=EXPIRES)


def downgrade() -> None:
    """Drop them, with all that was stored."""
    op.drop_table("data_entry")
    for name in ("size", "items"):
        op.drop_column("stream", name)
