"""Alembic's environment: our engine, one transaction per migration, triggers made anew after it."""

from __future__ import annotations

from alembic import context
from sqlalchemy import inspect

from contactapp import triggers
from contactapp.extensions import db


def run_migrations_online() -> None:
    """Migrate the current application's database."""
    sqlite = db.engine.dialect.name == "sqlite"
    with db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
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


if context.is_offline_mode():
    raise SystemExit("Migrations need the database: the triggers are made in it.")
run_migrations_online()
