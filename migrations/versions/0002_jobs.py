"""The job queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables of jobs and workers."""
    op.create_table(
        "job",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("ref", sa.BigInteger(), nullable=True),
        sa.Column("user_id", BIG_ID, nullable=True),
        sa.Column("period", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.String(length=32), nullable=True),
        sa.Column("error", sa.String(length=100), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('pending', 'done', 'dead')", name=op.f("ck_job_status")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_job_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_user_id", "job", ["user_id"], unique=False)
    op.create_index(
        "ix_job_next_at",
        "job",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "uq_job_periodic",
        "job",
        ["kind"],
        unique=True,
        sqlite_where=sa.text("period IS NOT NULL"),
        postgresql_where=sa.text("period IS NOT NULL"),
    )
    op.create_table(
        "worker",
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_worker")),
    )
    op.create_index("ix_worker_seen_at", "worker", ["seen_at"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("worker")
    op.drop_table("job")
