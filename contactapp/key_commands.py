"""`contactapp keys`: the master keys, which wrap all others."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import click

from . import crypto, key_rotation, ready_app
from .backup import shelf
from .backup.archive import BadArchive, Reader
from .config import ConfigError, Settings, load
from .progress import progress

_SETTING = "CONTACTAPP_MASTER_KEYS"
_WHERE = (
    "Keep this where the backups are not: in a password manager, or on paper in a safe. Without it "
    "no backup and no database opens; whoever has it and a backup reads everything. Another "
    "machine needs CONTACTAPP_JWT_SECRETS too, which may be new."
)


@click.group()
def keys() -> None:
    """Master keys."""


@keys.command("generate")
@click.option("--name", help="1 to 4 of a-z and 0-9; the next number unless given.")
def keys_generate(name: str | None) -> None:
    """Print a new master key for the settings."""
    try:
        taken = [master.id for master in load().master_keys]
    except ConfigError:  # production before it has its first key
        taken = []
    numbers = [int(found[1]) for one in taken if (found := re.fullmatch(r"k(\d+)", one))]
    name = name or f"k{max(numbers, default=0) + 1}"
    if not re.fullmatch(r"[a-z0-9]{1,4}", name) or name in taken:
        raise click.ClickException(
            f"A key's name has 1 to 4 of a-z and 0-9, and is none of: {', '.join(taken) or '-'}."
        )
    click.echo(f"{name}:{base64.b64encode(crypto.new_key()).decode()}")
    if taken:
        click.echo(
            f"Put it in front of the others in {_SETTING}, a comma between, restart every server "
            "and worker, then run `contactapp keys rotate`.",
            err=True,
        )


@keys.command("rotate")
def keys_rotate() -> None:
    """Wrap every key with the newest master key, while the server serves."""
    with ready_app().app_context():
        counts = key_rotation.count_wrapped()
        newest = next(iter(counts))
        wrapped = left = 0
        length = sum(counts.values()) - counts[newest]
        with progress("Wrapping", length) as advance:
            for some, others in key_rotation.rotate():
                wrapped, left = wrapped + some, left + others
                advance(some + others)
    click.echo(f"{wrapped} keys are wrapped with {newest} now.")
    if left:
        raise click.ClickException(
            f"{left} keys are wrapped with a master key that is not in {_SETTING}: put it there "
            "too, then run this again."
        )


@keys.command("status")
def keys_status() -> None:
    """Tell which master keys are needed, and which may be dropped."""
    with ready_app().app_context():
        counts = key_rotation.count_wrapped()
    settings = load()
    known = [master.id for master in settings.master_keys]
    needed = _backups_by_key(settings)
    for name, count in counts.items():
        backups = needed.get(name, 0)
        if name == known[0]:
            state = "newest: wraps new keys"
        elif name not in known:
            state = f"NOT in {_SETTING}: what it wraps cannot be opened"
        elif count:
            state = "needed: run `contactapp keys rotate`"
        elif backups:
            state = "needed by backups only"
        else:
            state = "may be dropped, unless a backup elsewhere needs it"
        click.echo(f"{name:4}  wraps {count} keys, {backups} backups need it  {state}")


@keys.command("export")
@click.option("--output", type=click.Path(path_type=Path), help="A file that is not there yet.")
def keys_export(output: Path | None) -> None:
    """Print what must be kept to restore a backup elsewhere: master keys and peppers."""
    settings = load()
    lines = "".join(
        f"{name}={','.join(f'{one.id}:{base64.b64encode(one.value).decode()}' for one in found)}\n"
        for name, found in (
            (_SETTING, settings.master_keys),
            ("CONTACTAPP_PASSWORD_PEPPERS", settings.password_peppers),
        )
    )
    if output is None:
        click.echo(lines, nl=False)
    else:
        try:
            handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise click.ClickException(f"{output} cannot be made: {error.strerror}.") from None
        with open(handle, "w", encoding="ascii") as file:
            file.write(lines)
    click.echo(_WHERE, err=True)


def _backups_by_key(settings: Settings) -> dict[str, int]:
    """How many backups of this installation need each master key."""
    found: dict[str, int] = {}
    for path in shelf.newest_first(settings.instance_path):
        try:
            names = Reader(path).header["master_keys"]
        except BadArchive:
            continue
        for name in names:
            found[name] = found.get(name, 0) + 1
    return found
