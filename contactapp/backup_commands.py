"""`contactapp backup`: making backups, proving them, and coming back from them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click

from . import ready_app
from .backup import creating, restoring, shelf
from .backup.archive import BadArchive, Reader
from .backup.restoring import Refused, Report
from .backup.source import key_of
from .clock import rfc3339
from .config import Settings, load
from .engine import DatabaseFailure
from .progress import progress

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def backup() -> None:
    """Backups: database and pictures in one file, sealed with the master key."""


@backup.command("create")
@click.option("--output", type=click.Path(path_type=Path), help="A file that is not there yet.")
def backup_create(output: Path | None) -> None:
    """Make a backup, while the server serves."""
    with (
        ready_app().app_context(),
        _told("No backup was made"),
        progress("Backing up", creating.count_rows()) as advance,
    ):
        made = creating.create(output and output.absolute(), advance)
    rows = sum(made.rows.values())
    click.echo(f"{made.path}\n{rows} rows, {made.pictures} pictures, {_size(made.size)}.")
    if made.missing:
        click.secho(f"{made.missing} pictures are in no folder and were left out.", fg="yellow")


@backup.command("list")
def backup_list() -> None:
    """List the backups of this installation, the newest first."""
    settings = load()
    found = shelf.newest_first(settings.instance_path)
    for path in found:
        click.echo(f"{path}  {_line(path, settings)}")
    if not found:
        click.echo("No backups.", err=True)


@backup.command("verify")
@click.argument("file", type=_FILE)
def backup_verify(file: Path) -> None:
    """Restore FILE into a database that is thrown away, and follow its chains."""
    # The file is read twice.
    with _told("It cannot be restored"), progress("Verifying", 2 * file.stat().st_size) as advance:
        report = restoring.verify(load(), file, advance)
    _tell_of(report)
    for problem in report.problems:
        click.secho(f"problem: {problem}", fg="red")
    if report.problems or report.missing:
        sys.exit(1)
    click.echo("It can be restored: every row, picture and chain is as it was.")


@backup.command("restore")
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace accounts that are there.")
@click.option(
    "--erased",
    "lists",
    type=_FILE,
    multiple=True,
    help="An erased.list of another instance folder: who is on it does not come back.",
)
def backup_restore(file: Path, force: bool, lists: tuple[Path, ...]) -> None:
    """Restore FILE to where the settings say, on either engine. End the server before."""
    with (
        _told("Nothing was restored, all is as it was"),
        progress("Restoring", 2 * file.stat().st_size) as advance,
    ):
        settings = load()
        report = restoring.restore(settings, file, list(lists), force=force, progress=advance)
    _tell_of(report)
    _tell_what_ended(report)
    _tell_what_came_back(report)
    older = {*report.header["master_keys"]} - {settings.master_keys[0].id}
    if older:
        click.echo(f"Keys are wrapped with {', '.join(sorted(older))}: `contactapp keys rotate`.")


@backup.command("prune")
@click.option("--keep", type=click.IntRange(1), help="Instead of the setting BACKUP_KEEP.")
def backup_prune(keep: int | None) -> None:
    """Delete all but the newest backups of this installation."""
    settings = load()
    gone = shelf.prune(settings.instance_path, keep or settings.backup_keep)
    for path in gone:
        click.echo(f"deleted {path}")
    click.echo(f"{len(shelf.newest_first(settings.instance_path))} backups are kept.")


@contextmanager
def _told(so: str) -> Iterator[None]:
    """Say in one line why it could not be done, and what that leaves."""
    try:
        yield
    except (BadArchive, Refused, DatabaseFailure, creating.Running) as error:
        _end(f"{so}: {error}")
    except FileExistsError as error:
        _end(f"{so}: {error} is there already: name another file.")
    except OSError as error:
        _end(f"{so}: {error.strerror}: {error.filename or 'make room on the disk'}.")


def _end(why: str) -> NoReturn:
    raise click.ClickException(why)


def _size(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def _line(path: Path, settings: Settings) -> str:
    """What a backup says about itself."""
    try:
        reader = Reader(path)
        about = f"{rfc3339(reader.header['made_at'])}  {_size(reader.size):>10}"
        about += f"  {reader.header['engine']} {reader.header['revision']}"
        manifest = reader.manifest(key_of(reader, settings))
    except BadArchive as error:
        return str(error)
    rows = {name: told["rows"] for name, told in manifest["tables"].items()}
    pictures = manifest["pictures"]["count"]
    return f"{about}  {rows['users']} accounts, {rows['contact']} contacts, {pictures} pictures"


def _tell_of(report: Report) -> None:
    header = report.header
    click.echo(
        f"Made on {rfc3339(header['made_at'])}, {header['engine']}, revision "
        f"{header['revision']}: {sum(report.rows.values())} rows, {report.pictures} pictures."
    )
    if report.missing:
        click.secho(f"{report.missing} pictures are named and not in it.", fg="yellow")
    if report.peppers:
        click.secho(
            f"CONTACTAPP_PASSWORD_PEPPERS lacks {', '.join(report.peppers)}: whose password was "
            "hashed with that cannot sign in before it is there.",
            fg="yellow",
        )


def _tell_what_ended(report: Report) -> None:
    ended = report.ended
    if ended is None:
        return
    click.echo(
        f"Ended: {ended.sessions} sessions, {ended.links} links by mail, {ended.api_tokens} API "
        f"tokens, {ended.feeds} feeds, {ended.letters} letters that waited; {ended.webhooks} "
        "webhooks are off. Everybody signs in again, programs and calendars need new tokens and "
        "addresses, and cursors begin anew."
    )
    if report.erased:
        click.echo(f"Erased again: {report.erased} accounts.")


def _tell_what_came_back(report: Report) -> None:
    back = report.came_back
    if back is None:
        return
    click.echo(
        f"Back as they were then: {back.accounts} accounts ({back.deactivated} deactivated), "
        f"{back.contacts} contacts, {back.notes} notes, {back.data} entries of data; passwords; "
        f"{back.shares} shares of books; {back.second_factors} second factors, and "
        f"{back.recovery_codes} recovery codes, also such as were used since; {back.imports} "
        "imports that go on."
    )
    click.echo(
        f"Admins: {', '.join(back.admins) or 'none'}. Look at all of these: whoever was "
        "deactivated, demoted or taken out of a book since is not any more."
    )
    if report.problems:
        for problem in report.problems:
            click.secho(f"problem: {problem}", fg="red")
