"""Keys, users, sessions, books, contacts and the change log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "key",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=True),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key")),
        sa.UniqueConstraint("purpose", name=op.f("uq_key_purpose")),
        sa.UniqueConstraint("uid", name=op.f("uq_key_uid")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "stream",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "change",
        sa.Column("stream_id", BIG_ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("token_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("operation_id", sa.BigInteger(), nullable=True),
        sa.Column("entity", sa.String(length=16), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.Column("op", sa.String(length=8), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_fields", sa.String(length=2000), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["stream.id"], name=op.f("fk_change_stream_id_stream")
        ),
        sa.PrimaryKeyConstraint("stream_id", "seq", name=op.f("pk_change")),
    )
    op.create_index(
        "ix_change_entity", "change", ["stream_id", "entity", "entity_id"], unique=False
    )

    op.create_table(
        "users",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("email_index", sa.LargeBinary(), nullable=False),
        sa.Column("username_index", sa.LargeBinary(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("email_verified", sa.Boolean(), nullable=False),
        sa.Column("contact_limit", sa.BigInteger(), nullable=True),
        sa.Column("contact_count", sa.BigInteger(), nullable=False),
        sa.Column("key_id", BIG_ID, nullable=False),
        sa.Column("stream_id", BIG_ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('user', 'admin')", name=op.f("ck_users_role")),
        sa.CheckConstraint("contact_count >= 0", name=op.f("ck_users_contact_count")),
        sa.ForeignKeyConstraint(["key_id"], ["key.id"], name=op.f("fk_users_key_id_key")),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["stream.id"], name=op.f("fk_users_stream_id_stream")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email_index", name=op.f("uq_users_email_index")),
        sa.UniqueConstraint("uid", name=op.f("uq_users_uid")),
        sa.UniqueConstraint("username_index", name=op.f("uq_users_username_index")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "book",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("owner_id", BIG_ID, nullable=False),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("stream_id", BIG_ID, nullable=False),
        sa.Column("key_id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["key.id"], name=op.f("fk_book_key_id_key")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_book_owner_id_users")),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["stream.id"], name=op.f("fk_book_stream_id_stream")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_book")),
        sa.UniqueConstraint("stream_id", name=op.f("uq_book_stream_id")),
        sa.UniqueConstraint("uid", name=op.f("uq_book_uid")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_book_personal",
        "book",
        ["owner_id"],
        unique=True,
        sqlite_where=sa.text("personal"),
        postgresql_where=sa.text("personal"),
    )

    op.create_table(
        "session",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("refresh_jti", sa.String(length=32), nullable=False),
        sa.Column("refresh_parent", sa.String(length=32), nullable=True),
        sa.Column("refresh_issued_at", sa.BigInteger(), nullable=False),
        sa.Column("refresh_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_session_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("uid", name=op.f("uq_session_uid")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_session_user_id", "session", ["user_id"], unique=False)

    op.create_table(
        "book_member",
        sa.Column("book_id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('viewer', 'editor')", name=op.f("ck_book_member_role")),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name=op.f("fk_book_member_book_id_book")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_book_member_user_id_users")
        ),
        sa.PrimaryKeyConstraint("book_id", "user_id", name=op.f("pk_book_member")),
    )
    op.create_index("ix_book_member_user_id", "book_member", ["user_id"], unique=False)

    op.create_table(
        "contact",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("book_id", BIG_ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name=op.f("fk_contact_book_id_book")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("uid", name=op.f("uq_contact_uid")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_contact_book_id_id", "contact", ["book_id", "id"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    op.drop_table("contact")
    op.drop_table("book_member")
    op.drop_table("session")
    op.drop_table("book")
    op.drop_table("users")
    op.drop_table("change")
    op.drop_table("stream")
    op.drop_table("key")
