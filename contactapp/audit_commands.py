"""`contactapp audit`: whether anybody changed what was recorded."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from . import ready_app
from .audit import outside, verification
from .progress import progress


@click.group()
def audit() -> None:
    """The audit trail."""


@audit.command("verify")
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of lines that `audit checkpoint` printed.",
)
def audit_verify(against: Path | None) -> None:
    """Follow every chain of changes and events, and name the first broken link of each."""
    with ready_app().app_context():
        found = []
        with progress("Following the chains", verification.count_chains()) as advance:
            for chain in verification.follow_all():
                found.append(chain)
                advance(1)
        broken = [chain for chain in found if chain.broken]
        if against is not None:
            try:
                broken += outside.compare(against.read_text("utf-8", "replace").splitlines())
            except outside.NotOurs as error:
                raise click.ClickException(f"{against}: {error}.") from None
    for chain in broken:
        click.secho(f"broken: {chain.of}: {chain.broken}", fg="red")
    if broken:
        sys.exit(1)
    click.echo(f"{sum(chain.links for chain in found)} links in {len(found)} chains, all good.")


@audit.command("checkpoint")
def audit_checkpoint() -> None:
    """Print a signed line of how far every chain has come, to be kept on another machine."""
    with ready_app().app_context():
        click.echo(outside.line())
