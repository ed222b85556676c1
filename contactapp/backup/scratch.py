"""A database made of a backup, beside the one that is in use: filled, brought up to date, and
followed link by link before it takes anybody's place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flask import Flask
from sqlalchemy import MetaData

from .. import startup
from ..audit import verification
from ..config import Settings
from ..database import Database, Sql, database, init_database, insert_all, lane, write_transaction
from ..keyring import Keyring
from .archive import BadArchive, Frame
from .packing import unpacked
from .tables import Table

_INTEGRITY = Sql("PRAGMA integrity_check(10)")
_STRANGERS = Sql("PRAGMA foreign_key_check")
_SQLITE_NUMBER = Sql("UPDATE sqlite_sequence SET seq = ? WHERE name = ?")
_NEW_SQLITE_NUMBER = Sql("INSERT INTO sqlite_sequence (seq, name) VALUES (?, ?)")
_POSTGRESQL_NUMBER = Sql("SELECT setval(pg_get_serial_sequence(?, 'id'), ?)")


@contextmanager
def opened(settings: Settings, url: str) -> Iterator[Flask]:
    """An application on this database, with nothing but what reads and writes rows; its context is
    pushed. Nobody uses the database any more at the end."""
    settings = replace(settings, database_url=url)
    app = Flask("contactapp", static_folder=None)
    app.extensions["contactapp.settings"] = settings
    init_database(app, url, settings.busy_timeout_seconds)
    startup.bind_migrations(app)
    with app.app_context():
        own: Database = database()
        app.extensions["contactapp.keyring"] = Keyring(settings.master_keys, own.lane)
        try:
            yield app
        finally:
            own.lane.close_all()
            own.engine.dispose()


def fill(
    revision: str,
    frames: Iterator[Frame],
    keep_file: Callable[[str, memoryview], object],
    progress: Callable[[int], object],
) -> dict[str, Any]:
    """Make the tables of a revision in the current application's empty database, and put a backup's
    rows there; the backup's manifest. Raises BadArchive where they are not what that says."""
    import flask_migrate

    flask_migrate.upgrade(revision=revision)
    known = _columns()
    manifest: dict[str, Any] = {}
    for head, body in frames:
        if head["kind"] == "rows":
            columns = head["columns"]
            if not {name for name, _ in columns} <= known.get(head["table"], set()):
                raise BadArchive(f"it has columns of {head['table']} that no revision had.")
            rows = unpacked(columns, head["rows"], body)
            _insert(head["table"], [name for name, _ in columns], rows)
        elif head["kind"] == "file":
            keep_file(head["name"], body)
        else:
            manifest = head
        progress(len(body))
    _go_on_counting(manifest["sequences"])
    _compare(manifest["tables"])
    return manifest


def _columns() -> dict[str, set[str]]:
    found = MetaData()
    found.reflect(database().engine, resolve_fks=False)
    return {table.name: {column.name for column in table.columns} for table in found.sorted_tables}


@write_transaction
def _insert(table: str, columns: list[str], rows: list[list[Any]]) -> None:
    insert_all(table, [dict(zip(columns, row, strict=True)) for row in rows])


@write_transaction
def _go_on_counting(sequences: dict[str, int]) -> None:
    """Numbers that were given once, to rows that are gone, are not given again."""
    for table, last in sequences.items():
        if not database().is_sqlite:
            lane().all(_POSTGRESQL_NUMBER, (table, last))
        elif not lane().run(_SQLITE_NUMBER, (last, table)):
            lane().run(_NEW_SQLITE_NUMBER, (last, table))


def _compare(told: dict[str, Any]) -> None:
    """Every row, read back as it was read for the backup, has its hash."""
    for name, about in told.items():
        table = Table(
            name, [(column, kind) for column, kind in about["columns"]], tuple(about["key"])
        )
        digest, count = hashlib.sha256(), 0
        for page in table.pages(lane()):
            digest.update(b"".join(part for row in page for part in row))
            count += len(page)
        if (count, digest.hexdigest()) != (about["rows"], about["sha256"]):
            raise BadArchive(f"the rows of {name} are not those that were put into it.")


def problems(app: Flask) -> list[str]:
    """What is wrong with the database now: its file, triggers and keys, and every chain."""
    found = startup.problems(app)
    if database().is_sqlite:
        found += [row[0] for row in lane().all(_INTEGRITY) if row[0] != "ok"]
        found += [f"a row of {row[0]} without its parent" for row in lane().all(_STRANGERS)]
    if not found:
        chains = verification.follow_all()
        found += [f"{chain.of}: {chain.broken}" for chain in chains if chain.broken]
    return found
