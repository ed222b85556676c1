"""Calendar feeds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "feed",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("book_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('birthdays')", name=op.f("ck_feed_kind")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_feed_user_id_users")),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name=op.f("fk_feed_book_id_book")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
        sa.UniqueConstraint("uid", name=op.f("uq_feed_uid")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feed_user_id", "feed", ["user_id"], unique=False)
    op.create_index("ix_feed_book_id", "feed", ["book_id"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("feed")
