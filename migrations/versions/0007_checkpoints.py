"""Checkpoints of the chains, and one row a minute of each kind of event that is counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NOBODY = sa.text("user_id IS NULL")
_UNKNOWN = sa.text("kind = 'sign_in_failed_unknown'")


def upgrade() -> None:
    """Make the table and the wider index."""
    op.create_table(
        "checkpoint",
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("floor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "seq", "floor", name=op.f("pk_checkpoint")),
    )
    _index(["at", "kind"], _NOBODY)


def downgrade() -> None:
    """Drop the table; the narrower index again."""
    _index(["at"], _UNKNOWN)
    op.drop_table("checkpoint")


def _index(columns: list[str], where: sa.TextClause) -> None:
    name = "uq_audit_event_minute"
    op.drop_index(name, table_name="audit_event")
    op.create_index(
        name, "audit_event", columns, unique=True, sqlite_where=where, postgresql_where=where
    )
