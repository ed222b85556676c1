"""`contactapp import` and `contactapp export`: files of contacts, by whoever runs the server."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from . import ready_app
from .account_commands import CLI, user_id_of
from .actor import Actor
from .books.service import actor_in
from .exchange.service import FORMATS, VERSIONS
from .exports import service as exports
from .exports.schemas import ExportQuery
from .imports import service as imports
from .imports.schemas import POLICIES
from .imports.stored import PART, Import
from .incoming import parsed_query
from .multipart import Upload
from .progress import Advance, progress

REJECTED = 3  # the exit code where not all rows could be taken
_SHOWN = 20  # rejected rows
_USER = click.option("--user", "login", required=True, help="Whose book: address or user name.")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_USER
@click.option("--format", "format_", type=click.Choice(FORMATS), help="If the file does not tell.")
@click.option("--preview", is_flag=True, help="Say what would happen, and change nothing.")
@click.option("--on-duplicate", type=click.Choice(POLICIES), default="skip", show_default=True)
def import_file(
    file: Path, login: str, format_: str | None, preview: bool, on_duplicate: str
) -> None:
    """Import FILE (vCard, CSV or JSON) into the book of a user.

    Exits with 3 where rows were rejected, whose lines it says; the others are imported all the
    same. If it is interrupted, a job worker goes on with it.
    """
    asked = {"mode": "preview" if preview else "commit", "on_duplicate": on_duplicate}
    asked |= {"format": format_} if format_ else {}
    with ready_app().app_context():
        actor, upload = _actor(login), _upload(file)
        with progress("Importing", upload.size) as advance:
            one = imports.start_import(actor, upload, asked).one
            one = imports.finish(actor, one, _advanced(advance, one))
            advance(upload.size - one.consumed)
        rows = imports.with_rows(actor.book, one, {"action": ("reject",), "skip": 0, "limit": 20})
    _summarise(one, rows["rows"])


def _advanced(advance: Advance, one: Import) -> Callable[[Import], None]:
    """Tells how much more of its file was read each time."""
    before = one.consumed
    advance(before)

    def told(now: Import) -> None:
        nonlocal before
        advance(now.consumed - before)
        before = now.consumed

    return told


def _upload(file: Path) -> Upload:
    with file.open("rb") as opened:
        pieces = list(iter(lambda: opened.read(PART), b""))
    return Upload(file.name, pieces, sum(map(len, pieces)))


def _actor(login: str) -> Actor:
    actor = actor_in(user_id_of(login), None, CLI)
    if actor is None:
        raise click.ClickException(f"The account {login} is deactivated.")
    return actor


def _summarise(one: Import, rejected: list[dict[str, Any]]) -> None:
    counts = ", ".join(
        f"{getattr(one, name)} {name}"
        for name in ("read", "created", "updated", "skipped", "rejected")
    )
    would = "A preview, nothing was changed: " if one.mode == "preview" else ""
    click.echo(f"{would}{counts}.")
    for row in rejected:
        for problem in row["problems"]:
            where = f"{problem['pointer']}: " if problem["pointer"] else ""
            click.echo(f"  line {problem['line']}: {where}{problem['detail']}", err=True)
    if one.rejected > len(rejected):
        click.echo(f"  and {one.rejected - len(rejected)} more", err=True)
    if one.operation_id:
        click.echo(f"To take it back, undo operation {one.operation_id}.")
    if one.status == "failed":
        problem = one.about.get("problem", {}).get("detail", "It could not be finished.")
        raise click.ClickException(problem)
    if one.status == "cancelled":
        raise click.ClickException("It was cancelled, and went no further.")
    if one.rejected:
        sys.exit(REJECTED)


@click.command("export")
@_USER
@click.option("--format", "format_", type=click.Choice(FORMATS), default="vcard", show_default=True)
@click.option("--version", type=click.Choice(VERSIONS), default="3.0", help="Of the vCards.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Not to stdout.")
def export_file(login: str, format_: str, version: str, output: Path | None) -> None:
    """Write the contacts of a user's book as vCards, CSV or JSON."""
    asked = urlencode({"format": format_, "version": version}).encode()
    with ready_app().app_context():
        made = exports.export_contacts(_actor(login), parsed_query(ExportQuery(), asked))
        if output is None:
            for part in made.parts:
                sys.stdout.buffer.write(part)
            sys.stdout.flush()
            return
        _write(output, _with_bar(made))
    click.echo(f"{made.contacts} contacts in {output}.")


def _with_bar(made: exports.Export) -> Iterator[bytes]:
    left = made.contacts
    with progress("Exporting", left) as advance:
        for part in made.parts:
            some = min(exports.AT_ONCE, left)
            left -= some
            advance(some)
            yield part


def _write(path: Path, parts: Iterator[bytes]) -> None:
    """All of it or nothing, and for nobody else to read."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines(parts)
        new.replace(path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        new.unlink(missing_ok=True)  # whatever ended it, an interruption too
