"""Pairs of contacts that somebody has told apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "duplicate_dismissal",
        sa.Column("low_id", BIG_ID, nullable=False),
        sa.Column("high_id", BIG_ID, nullable=False),
        sa.Column("book_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["book_id"], ["book.id"], name=op.f("fk_duplicate_dismissal_book_id_book")
        ),
        sa.ForeignKeyConstraint(
            ["low_id"],
            ["contact.id"],
            name=op.f("fk_duplicate_dismissal_low_id_contact"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["high_id"],
            ["contact.id"],
            name=op.f("fk_duplicate_dismissal_high_id_contact"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("low_id", "high_id", name=op.f("pk_duplicate_dismissal")),
    )
    for column in ("book_id", "high_id"):
        name = f"ix_duplicate_dismissal_{column}"
        op.create_index(name, "duplicate_dismissal", [column], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("duplicate_dismissal")
