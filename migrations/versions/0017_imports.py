"""Imports, and the files that they read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COUNTS = ("size", "consumed", "read", "created", "updated", "skipped", "rejected")


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "import",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(36), nullable=False),
        sa.Column("book_id", BIG_ID, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=False),
        *(sa.Column(name, sa.String(8), nullable=False) for name in ("format", "mode")),
        sa.Column("on_duplicate", sa.String(8), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTS),
        sa.Column("operation_id", sa.BigInteger(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('uploading', 'queued', 'previewed', 'done', 'cancelled', 'failed')",
            name=op.f("ck_import_status"),
        ),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name=op.f("fk_import_book_id_book")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import")),
        sa.UniqueConstraint("uid", name=op.f("uq_import_uid")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_import_book_id_user_id_id", "import", ["book_id", "user_id", "id"])
    op.create_index("ix_import_created_at", "import", ["created_at"])
    op.create_table(
        "import_part",
        sa.Column("import_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(4), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["import.id"],
            name=op.f("fk_import_part_import_id_import"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "kind", "number", name=op.f("pk_import_part")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("import_part")
    op.drop_table("import")
