"""Alembic's environment: our engine, one transaction per migration, triggers made anew after it."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, inspect

from contactapp import startup, triggers
from contactapp.extensions import db


def run_migrations_online() -> None:
    """Migrate the current application's database."""
    sqlite = db.engine.dialect.name == "sqlite"
    with db.engine.connect() as connection:
        _make_way(connection, sqlite)
        context.configure(
            connection=connection,
            target_metadata=startup.whole_metadata(),
            compare_type=True,
            compare_server_default=True,
            render_as_batch=sqlite,
            # Alembic thinks SQLite cannot; with our own BEGIN IMMEDIATE it can, and a migration is
            # either done or not.
            transactional_ddl=True,
        )
        with context.begin_transaction():
            context.run_migrations()
            if inspect(connection).has_table("change"):  # not so after the last downgrade
                triggers.install(connection)
            if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
                raise RuntimeError("the migration leaves rows without their parents")


def _make_way(connection: Connection, sqlite: bool) -> None:
    """Batch mode drops and renames tables, which SQLite's foreign keys forbid, and the pragma
    cannot be changed inside a transaction. A long migration on PostgreSQL must not time out.
    The connection is not used for anything else."""
    raw = connection.connection.driver_connection
    if sqlite:
        raw.execute("PRAGMA foreign_keys=OFF").fetchall()
    else:
        connection.exec_driver_sql("SET lock_timeout = 0; SET statement_timeout = 0")
        connection.commit()


if context.is_offline_mode():
    raise SystemExit("Migrations need the database: the triggers are made in it.")
run_migrations_online()
