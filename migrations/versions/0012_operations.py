"""Operations, and what the trash is listed by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TRASHED = sa.text("deleted_at IS NOT NULL")
OPERATED = sa.text("operation_id IS NOT NULL")


def upgrade() -> None:
    """Make their table, and the indexes by which trash and operations are read."""
    op.create_table(
        "operation",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("book_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("undoes", sa.BigInteger(), nullable=True),
        sa.Column("root", sa.BigInteger(), nullable=True),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.Column("undone_by", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name=op.f("fk_operation_book_id_book")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation")),
        sa.UniqueConstraint("uid", name=op.f("uq_operation_uid")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_operation_book_id_id", "operation", ["book_id", "id"], unique=False)
    op.create_index("ix_operation_at", "operation", ["at"], unique=False)
    op.create_index("ix_operation_root", "operation", ["root"], unique=False)
    op.add_column("contact", sa.Column("merged_into", sa.BigInteger(), nullable=True))
    for name, table, columns, where in (
        ("ix_contact_trash", "contact", ["book_id", "deleted_at", "id"], TRASHED),
        ("ix_change_operation", "change", ["stream_id", "operation_id", "seq"], OPERATED),
    ):
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_change_operation", table_name="change")
    op.drop_index("ix_contact_trash", table_name="contact")
    op.drop_column("contact", "merged_into")
    op.drop_table("operation")
