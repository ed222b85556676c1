"""Counting the jobs that were given up, among all that were done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

DEAD = sa.text("status = 'dead'")


def upgrade() -> None:
    """Make an index of them alone."""
    op.create_index("ix_job_dead", "job", ["id"], sqlite_where=DEAD, postgresql_where=DEAD)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_job_dead", "job")
