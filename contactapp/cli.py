"""The `contactapp` command: the same services as the API, for whoever runs the server."""

from __future__ import annotations

import logging
import os
import signal
import sys
from logging.config import dictConfig
from pathlib import Path

import click

from . import create_app, logs, metrics, ready_app, share_instance, startup
from . import mail as letters
from .account_commands import books, users
from .audit_commands import audit
from .backup_commands import backup
from .clock import rfc3339
from .config import ConfigError, Settings, load
from .engine import DatabaseFailure
from .errors import AppError
from .exchange_commands import export_file, import_file
from .jobs import service as jobs_service
from .key_commands import keys
from .keyring import MissingKey, WrongMasterKey
from .startup import StartError
from .webhooks.senders import senders
from .worker import job_worker

ROOT = Path(__file__).parent.parent


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Run and look after a contactapp server."""


@cli.command()
def serve() -> None:
    """Prepare the database and serve the API with gunicorn."""
    load()
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")]
    os.execv(sys.executable, [*command, "--pythonpath", str(ROOT), "wsgi:app"])


@cli.group()
def db() -> None:
    """The database's tables."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the newest revision."""
    settings = load()
    share_instance(settings)
    startup.upgrade(create_app(settings))
    click.echo("The database is up to date.")


cli.add_command(users)
cli.add_command(books)
cli.add_command(audit)
cli.add_command(backup)
cli.add_command(keys)
cli.add_command(import_file)
cli.add_command(export_file)


@cli.command()
@click.option("--threads", type=click.IntRange(1, 64), help="Instead of the setting JOB_THREADS.")
@click.option("--parent", type=int, hidden=True)
def worker(threads: int | None, parent: int | None) -> None:
    """Do the jobs of the queue, until it is ended by SIGTERM or Ctrl+C."""
    if parent:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # what gunicorn had open (see beside)
    app = ready_app()
    settings: Settings = app.extensions["contactapp.settings"]
    if parent:
        metrics.share(metrics.folder_of(settings.instance_path), "jobs")
    if settings.is_production:
        dictConfig(logs.configuration())
    working = job_worker(app)
    signal.signal(signal.SIGTERM, lambda *_: working.stop())
    # Ctrl+C goes to the server that started it as well, which ends it when its own work is done.
    stops = signal.SIG_IGN if parent else lambda *_: working.stop()
    signal.signal(signal.SIGINT, stops)
    # Without that server it would go on unseen.
    alive = lambda: parent is None or os.getppid() == parent  # noqa: E731
    working.run(threads or settings.job_threads, alive)
    with app.app_context():
        senders().stop()


@cli.group()
def jobs() -> None:
    """The job queue."""


@jobs.command("list")
@click.option("--status", type=click.Choice(["pending", "done", "dead"]))
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
def jobs_list(status: str | None, limit: int) -> None:
    """List jobs, the newest first."""
    with ready_app().app_context():
        found = jobs_service.list_jobs(status, limit)
    for job in found:
        click.echo(
            f"{job.id:>8}  {job.status:7}  {job.kind:20} {job.ref or '':>8}  "
            f"{rfc3339(job.created_at)}  attempts {job.attempts}"
            f"{'  next ' + rfc3339(job.next_at) if job.status == 'pending' else ''}"
            f"{'  ' + job.error if job.error else ''}"
        )
    if not found:
        click.echo("No jobs.", err=True)


@jobs.command("replay")
@click.argument("job_id", type=int, required=False)
@click.option("--all", "everything", is_flag=True, help="All dead jobs.")
def jobs_replay(job_id: int | None, everything: bool) -> None:
    """Give a dead job another eight attempts."""
    if (job_id is None) is not everything:
        raise click.UsageError("Give the id of a job, or --all.")
    with ready_app().app_context():
        count = jobs_service.replay(job_id)
    click.echo(f"{count} to be tried again.")


@cli.group()
def mail() -> None:
    """Letters."""


@mail.command("preview")
@click.argument("name", required=False)
@click.option("--html", is_flag=True, help="The HTML part.")
def mail_preview(name: str | None, html: bool) -> None:
    """Show a letter as it would be sent, or the names of all."""
    if name is None:
        click.echo("\n".join(letters.names()))
        return
    if name not in letters.names():
        raise click.ClickException(f"There is no letter {name}: {', '.join(letters.names())}.")
    with create_app().app_context():
        letter = letters.compose(name, "somebody@example.com", **letters.EXAMPLE)
    if html:
        click.echo(letter.html or "It has no HTML part.")
    else:
        click.echo(f"Subject: {letter.subject}\n\n{letter.body}", nl=False)


@cli.command()
def routes() -> None:
    """List every route."""
    rules = sorted(create_app().url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint))
    for rule in rules:
        methods = ",".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        click.echo(f"{methods:7} {rule.rule}")


@cli.command()
def doctor() -> None:
    """Check settings, database, migrations, triggers, keys and files."""
    settings = load()
    found = [*startup.problems(create_app(settings)), *_loose_files(settings)]
    for problem in found:
        click.secho(f"problem: {problem}", fg="red")
    if found:
        sys.exit(1)
    click.echo("Everything is in order.")


def _loose_files(settings: Settings) -> list[str]:
    """Files of the instance folder that others on this machine could read."""
    paths = [settings.instance_path, *settings.instance_path.glob("*.sqlite3*")]
    paths += settings.instance_path.glob("*.env")
    return [
        f"{path.name} can be read by others: chmod go-rwx {path}"
        for path in paths
        if path.exists() and path.stat().st_mode & 0o077
    ]


def main() -> None:
    """Run the command; failures we know become one sentence and exit code 1."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    os.umask(0o077)
    try:
        cli()
    except AppError as error:
        lines = [f"{e.pointer or 'body'}: {e.detail}" for e in error.errors]
        sys.exit("\n".join([f"contactapp: {error.detail}", *lines]))
    except (ConfigError, StartError, WrongMasterKey, MissingKey, DatabaseFailure) as error:
        sys.exit(f"contactapp: {error}")


if __name__ == "__main__":
    main()
