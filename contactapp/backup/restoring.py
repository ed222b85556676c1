"""Restoring a backup, and verifying that it could be.

Everything that may refuse comes first. Then the database is made anew beside the one that is there,
brought up to date and followed link by link; who was let in is let out of it, and who was erased
since is erased; and only then does it take that one's place, in one step.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from .. import engine as engines
from .. import instance_lock, startup
from ..auth import erased
from ..config import Settings
from ..database import ConstraintViolated, Sql, lane
from ..pictures.service import AVATARS, PHOTOS, SIZES, public_name
from . import aftermath, scratch, shelf
from .aftermath import CameBack, Ended
from .archive import BadArchive
from .source import Source, open_source
from .target import Found, InUse, Target, target_of

Progress = Callable[[int], object]

_UNPACKED = "restoring"  # a folder of the instance
# Of accounts that are not erased: their pictures do not come back.
_NAMED = (
    (AVATARS, Sql("SELECT avatar FROM users WHERE avatar IS NOT NULL")),
    (
        PHOTOS,
        Sql(
            "SELECT DISTINCT p.token FROM photo p JOIN book b ON b.id = p.book_id "
            "JOIN users u ON u.id = b.owner_id WHERE u.password_hash <> ''"
        ),
    ),
)


_NOT_ALLOWED = (
    "the database's user may not make a schema, in which the backup is put together: "
    "GRANT CREATE ON DATABASE … TO …, then try again."
)


class Refused(Exception):
    """It cannot be restored as things are; says why and what to do. Nothing was changed."""


@dataclass
class Report:
    """What a backup held, and what became of it."""

    header: dict[str, Any]
    rows: dict[str, int] = field(default_factory=dict)
    pictures: int = 0
    missing: int = 0  # pictures that are named and not in it
    problems: list[str] = field(default_factory=list)
    peppers: list[str] = field(default_factory=list)  # that are not in the settings
    ended: Ended | None = None
    erased: int = 0
    came_back: CameBack | None = None


def verify(settings: Settings, path: Path, progress: Progress) -> Report:
    """Restore a backup into a database that is thrown away, always on SQLite: the rows are the
    same, and nobody has to give it a place on a server. Raises BadArchive."""
    source = open_source(settings, path, progress)
    report = _report(source, settings)
    with tempfile.TemporaryDirectory(dir=settings.instance_path, prefix=shelf.TRIAL) as folder:
        names: set[str] = set()
        url = f"sqlite:///{folder}/contactapp.sqlite3"
        with scratch.opened(settings, url) as app:
            keep = lambda name, _body: names.add(name)  # noqa: E731
            _fill(source, report, keep, progress)
            startup.upgrade(app)
            report.problems = scratch.problems(app)
            report.missing = len(_named() - names)
    return report


def restore(
    settings: Settings, path: Path, lists: list[Path], *, force: bool, progress: Progress
) -> Report:
    """Restore a backup to where the settings say. `lists` name who was erased since, besides the
    instance folder's own. Raises Refused, BadArchive or DatabaseFailure, and then everything is as
    it was."""
    source = open_source(settings, path, progress)
    target = target_of(settings)
    instance = settings.instance_path
    try:
        with instance_lock.alone(instance, instance_lock.SERVING):
            found = target.found()
            _check(found, force=force)
            gone = found.erased.union(*map(erased.listed, [instance / erased.NAME, *lists]))
            with target.alone():
                return _restore(settings, source, target, gone, force=force, progress=progress)
    except instance_lock.Held:
        raise Refused(
            "a contactapp server, worker or command runs in this instance folder: end it, then try "
            "again."
        ) from None
    except InUse as error:
        raise Refused(f"{error}.") from None
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "42501":
            raise Refused(_NOT_ALLOWED) from None
        raise engines.failure_of(error.orig) or error from error


def _check(found: Found, *, force: bool) -> None:
    if found.strange:
        raise Refused(
            "the database there has tables of another program, which would be lost: name an empty "
            "one in CONTACTAPP_DATABASE_URL."
        )
    if found.damaged and not force:
        raise Refused(
            "there is a database that cannot be read. --force keeps it under another name and "
            "restores in its place."
        )
    if found.revision is not None and found.revision not in startup.revisions()[1]:
        raise Refused(
            f"the database there is newer than this contactapp (revision {found.revision}): "
            "upgrade contactapp, or name an empty database in CONTACTAPP_DATABASE_URL."
        )
    if found.accounts and not force:
        raise Refused(
            f"the database there has accounts ({found.accounts}), and they would be replaced. "
            "`contactapp backup create` keeps them; then use --force."
        )


def _restore(
    settings: Settings,
    source: Source,
    target: Target,
    gone: Set[str],
    *,
    force: bool,
    progress: Progress,
) -> Report:
    report = _report(source, settings)
    unpacked = settings.instance_path / _UNPACKED
    placed: list[Path] = []
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        unpacked.mkdir(mode=0o700)  # by which `clear_up` knows of this one
        target.prepare()
        with scratch.opened(settings, target.url) as app:
            _fill(source, report, _unpacker(unpacked), progress)
            startup.upgrade(app)
            report.problems = scratch.problems(app)
            if report.problems and not force:
                raise Refused(
                    f"{report.problems[0]}. Take another backup; --force restores it as it is."
                )
            report.ended = aftermath.end_all()
            report.erased = aftermath.erase_again(gone)
            report.came_back = aftermath.came_back()
            report.missing = _put_pictures(settings, unpacked, placed)
        target.take_place()
    except InUse:  # of other failures nobody can be sure that the last step was not done
        for path in placed:
            path.unlink(missing_ok=True)
        raise
    finally:
        target.clear()
        shutil.rmtree(unpacked, ignore_errors=True)
    return report


def clear_up(settings: Settings) -> None:
    """Remove what a restore that was killed has left: pictures, and most of a database, in which
    people may be who were erased since. For who shares the instance folder's lock, so that none is
    at work."""
    unpacked = settings.instance_path / _UNPACKED
    if unpacked.exists():
        target_of(settings).clear()
        shutil.rmtree(unpacked, ignore_errors=True)


def _report(source: Source, settings: Settings) -> Report:
    return Report(source.header, peppers=source.missing_peppers(settings))


def _fill(
    source: Source,
    report: Report,
    keep_file: Callable[[str, memoryview], object],
    progress: Progress,
) -> None:
    try:
        manifest = scratch.fill(source.header["revision"], source.frames(), keep_file, progress)
    except ConstraintViolated as error:
        raise BadArchive(f"it holds rows that cannot be together: {error}.") from None
    report.rows = {name: about["rows"] for name, about in manifest["tables"].items()}
    report.pictures = manifest["pictures"]["count"]


def _unpacker(folder: Path) -> Callable[[str, memoryview], object]:
    """Writes pictures into a folder; their names were checked."""

    def keep(name: str, content: memoryview) -> None:
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)

    return keep


def _named() -> set[str]:
    """The files that the rows of the current application name."""
    return {
        f"{album.folder}/{public_name(token)}-{size}.webp"
        for album, sql in _NAMED
        for (token,) in lane().all(sql)
        for size in SIZES
    }


def _put_pictures(settings: Settings, unpacked: Path, placed: list[Path]) -> int:
    """Move the pictures that are named to where they belong, before a database is that names them;
    how many are in no place. `placed` are those that were not there."""
    missing = 0
    for album in (AVATARS, PHOTOS):
        (settings.instance_path / album.folder).mkdir(mode=0o700, exist_ok=True)
    for name in _named():
        path = settings.instance_path / name
        if (unpacked / name).exists():
            placed += [] if path.exists() else [path]
            (unpacked / name).replace(path)
        missing += not path.exists()
    os.sync()  # thousands of small files: to wait for each would take minutes
    return missing
