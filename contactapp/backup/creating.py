"""Making a backup: all rows in one state of the database, then the pictures that they name.

Nobody who writes waits for it: on SQLite it reads in a transaction of the write-ahead log, on
PostgreSQL in one that is REPEATABLE READ READ ONLY. No picture is removed meanwhile (see
`instance_lock`), so all that the rows name are still there when it comes to them.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .. import clock, crypto, instance_lock
from ..config import settings
from ..database import database
from ..keyring import keyring
from ..lane import Lane
from ..pictures.service import AVATARS, PHOTOS, Album
from ..sql import Sql
from . import shelf
from .archive import FORMAT, Writer
from .tables import sequences, tables

Progress = Callable[[int], object]

_PATIENCE = 10.0  # seconds to wait for those who remove a picture just now
_PAGE = 500
_REVISION = Sql("SELECT version_num FROM alembic_version")
# One of what each master key wraps: by it a wrong key of the same name is known at once.
_WRAPPED = Sql(
    "SELECT uid, wrapped FROM key WHERE id IN (SELECT min(id) FROM key WHERE length(wrapped) > 0 "
    "GROUP BY substr(wrapped, 2, 4)) ORDER BY id"
)
_BACKUP_KEY = Sql("SELECT uid, wrapped FROM key WHERE purpose = 'backup'")
# A pepper's name has four characters at most.
_PEPPERS = Sql("SELECT DISTINCT substr(password_hash, 1, 5) FROM users WHERE password_hash <> ''")
_AVATARS = Sql(
    "SELECT id, avatar FROM users WHERE avatar IS NOT NULL AND id > ? ORDER BY id LIMIT ?"
)
# Contacts that were merged or copied share one.
_PHOTOS = Sql(
    "SELECT p.id, p.token FROM photo p WHERE p.id > ? AND NOT EXISTS (SELECT 1 FROM photo o "
    "WHERE o.book_id = p.book_id AND o.token = p.token AND o.id < p.id) ORDER BY p.id LIMIT ?"
)


class Running(Exception):
    """Another backup is being made."""


class Made(NamedTuple):
    """A backup: its file, its rows by table, and its pictures."""

    path: Path
    rows: dict[str, int]
    pictures: int
    missing: int  # that the rows name and that are in no folder
    size: int


def create(
    path: Path | None = None,
    progress: Progress = lambda _rows: None,
) -> Made:
    """Make a backup of the current application, in its folder of backups unless told. `progress`
    hears of some rows more, over and over, and of pictures as of none. Raises Running, OSError,
    FileExistsError and DatabaseFailure; then nothing is left of it."""
    instance = settings().instance_path
    path = path or shelf.folder(instance) / shelf.new_name()
    # Its own connection: the thread's must stay free to hold the lease of the job.
    lane = Lane(database().engine, settings().busy_timeout_seconds)
    try:
        with (
            instance_lock.alone(instance, instance_lock.PICTURES, _PATIENCE),
            shelf.new_file(path) as file,
            lane.snapshot(),
        ):
            header = _header(lane)
            writer = Writer(file, header, keyring().purpose("backup"))
            manifest = _write(lane, writer, progress)
            writer.close(manifest)
    except instance_lock.Held:
        raise Running("another backup is being made: wait for it") from None
    finally:
        lane.close()
    counts = {name: told["rows"] for name, told in manifest["tables"].items()}
    pictures = manifest["pictures"]
    return Made(path, counts, pictures["count"], pictures["missing"], path.stat().st_size)


def count_rows() -> int:
    """About how many rows a backup would have now."""
    return sum(table.count(database().lane) for table in tables())


def _header(lane: Lane) -> dict[str, Any]:
    wrapped = [lane.one(_BACKUP_KEY), *lane.all(_WRAPPED)]
    masters = {crypto.key_id_of(blob).to_bytes(4, "big") for _, blob in wrapped}
    return {
        "format": FORMAT,
        "uid": str(uuid.uuid4()),
        "made_at": clock.now_ms(),
        "engine": "sqlite" if database().is_sqlite else "postgresql",
        "revision": lane.one(_REVISION)[0],
        "master_keys": sorted(map(crypto.master_name, masters)),
        "wrapped": [(uid, blob.hex()) for uid, blob in wrapped],  # the first seals the frames
        "peppers": sorted({text.partition("$")[0] for (text,) in lane.all(_PEPPERS)}),
    }


def _write(lane: Lane, writer: Writer, progress: Progress) -> dict[str, Any]:
    """All rows and pictures; the manifest."""
    told = {}
    for table in tables():
        digest, count = hashlib.sha256(), 0
        for page in table.pages(lane):
            writer.rows(table.name, table.columns, page)
            digest.update(b"".join(part for row in page for part in row))
            count += len(page)
            progress(len(page))
        about = {"columns": table.columns, "key": table.key}
        told[table.name] = {"rows": count, "sha256": digest.hexdigest(), **about}
    return {
        "tables": told,
        "sequences": sequences(lane),
        "pictures": _write_pictures(lane, writer, progress),
    }


def _write_pictures(lane: Lane, writer: Writer, progress: Progress) -> dict[str, int]:
    count = size = missing = 0
    for album, sql in ((AVATARS, _AVATARS), (PHOTOS, _PHOTOS)):
        for token in _tokens(lane, sql):
            files = album.files(token)
            missing += not files
            for path in files:
                content = path.read_bytes()
                writer.file(name_of(album, path), content)
                count += 1
                size += len(content)
            progress(0)  # they may take longer than the rows
    return {"count": count, "bytes": size, "missing": missing}


def name_of(album: Album, path: Path) -> str:
    """What a picture's file is called in a backup."""
    return f"{album.folder}/{path.name}"


def _tokens(lane: Lane, sql: Sql) -> Iterator[str]:
    last = 0
    while rows := lane.all(sql, (last, _PAGE)):
        yield from (token for _, token in rows)
        last = rows[-1][0]
