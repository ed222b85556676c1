"""Bringing a database up to date, and refusing to serve one that is not right."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from flask import Flask
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError

from . import engine as engines
from . import triggers
from .config import Settings, settings
from .database import Database, Sql, database, db
from .engine import DatabaseFailure
from .keyring import MissingKey, WrongMasterKey, check_purpose_keys, create_purpose_keys

log = logging.getLogger("contactapp")

MIGRATIONS = str(Path(__file__).parent.parent / "migrations")
_VERSION_TABLE_SQLITE = Sql("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")
_VERSION_TABLE_POSTGRESQL = Sql("SELECT to_regclass('alembic_version')::text")
_VERSION = Sql("SELECT version_num FROM alembic_version")
_UPGRADE_LOCK = 0x636F6E74  # any number, the same for all who upgrade


class StartError(Exception):
    """The reasons not to start, each with its next step."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = reasons
        super().__init__("\n".join(reasons))


def whole_metadata() -> MetaData:
    """The metadata with every table of the program: it knows those whose models are imported."""
    for path in Path(__file__).parent.glob("*/models.py"):
        import_module(f"{__package__}.{path.parent.name}.models")
    import_module(f"{__package__}.idempotency")
    return db.metadata


def upgrade(app: Flask) -> None:
    """Migrate to the newest revision and make the installation's keys.

    Two processes may do so at once: SQLite's write lock or PostgreSQL's advisory lock lets one
    wait for the other. Raises StartError.
    """
    bind_migrations(app)
    import flask_migrate

    with app.app_context(), _refusal():
        own = database()
        try:
            with _one_at_a_time(own):
                flask_migrate.upgrade()
                create_purpose_keys()
            check_purpose_keys()
        finally:
            own.engine.dispose()  # with it goes the advisory lock, whatever happened
            own.lane.close_all()


def bind_migrations(app: Flask) -> None:
    """Let Flask-Migrate work on this application. Only who migrates imports it: Alembic would be a
    quarter of all that a command or worker imports."""
    from flask_migrate import Migrate

    Migrate(app, db, directory=MIGRATIONS)


@contextmanager
def _refusal() -> Iterator[None]:
    """Turn what an operator can mend into a StartError."""
    try:
        yield
    except (WrongMasterKey, DatabaseFailure) as error:
        raise StartError([str(error)]) from error
    except DBAPIError as error:
        failure = engines.failure_of(error.orig)
        if not isinstance(failure, DatabaseFailure):
            raise
        raise StartError([str(failure)]) from error


@contextmanager
def _one_at_a_time(own: Database) -> Iterator[None]:
    if own.is_sqlite:
        yield
        return
    with own.engine.connect() as connection:
        connection.execute(text("SET lock_timeout = 0; SET statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:n)"), {"n": _UPGRADE_LOCK})
        connection.commit()
        yield


def problems(app: Flask) -> list[str]:
    """What keeps this application from serving: engine settings, migrations, triggers, keys.

    Asked on a reading connection, so that it waits for no writer.
    """
    with app.app_context():
        own = database()
        found = engines.problems(own.engine, lambda sql: own.lane.one(Sql(sql))[0])
        # Of this host alone, so others can take its requests. The path is nobody's business.
        if not os.access(settings().instance_path, os.W_OK | os.X_OK):
            found.append("the instance folder cannot be written: mend its mode or its disk")
        behind = _migration_gap(own)
        if behind:
            return [*found, behind]
        query, wanted = triggers.names(own.is_sqlite)
        missing = wanted - {row[0] for row in own.lane.all(Sql(query))}
        found += [
            f"the trigger {name} is missing: run `contactapp db upgrade`"
            for name in sorted(missing)
        ]
        try:
            check_purpose_keys()
        except (WrongMasterKey, MissingKey) as error:
            found.append(str(error))
        return found


def check(app: Flask) -> None:
    """Raise StartError where `problems` finds any. Leaves no connection open for a fork."""
    warning = engines.warn_of_old_sqlite()
    if warning and app.extensions["contactapp.database"].is_sqlite:
        log.warning("%s", warning)
    with _refusal():
        found = problems(app)
    with app.app_context():
        database().engine.dispose()
        database().lane.close_all()
    if found:
        raise StartError(found)


def greeting(settings: Settings) -> str:
    """What a developer wants to know when the server is up."""
    base = settings.base_url
    body = '{"username": "ada", "email": "ada@example.com", "password": "correct horse battery"}'
    return (
        f"\n  documentation  {base}/docs\n  first request  curl -X POST "
        f"{base}/api/v1/auth/register -H 'Content-Type: application/json' -d '{body}'\n"
    )


def _migration_gap(own: Database) -> str | None:
    """A sentence where the database is not at this program's newest revision, else None."""
    table = own.lane.one(_VERSION_TABLE_SQLITE if own.is_sqlite else _VERSION_TABLE_POSTGRESQL)
    row = own.lane.one(_VERSION) if table and table[0] else None
    newest, known = revisions()
    if row and row[0] == newest:
        return None
    if row and row[0] not in known:
        return f"the database is newer than this program (revision {row[0]}): upgrade contactapp"
    return "the database is not up to date: run `contactapp db upgrade`"


@lru_cache(maxsize=1)
def revisions() -> tuple[str, frozenset[str]]:
    """The newest one and all, by the names of their files."""
    found = {path.name.partition("_")[0] for path in Path(MIGRATIONS, "versions").glob("[0-9]*.py")}
    return max(found), frozenset(found)
