"""The `contactapp` command: the same services as the API, for whoever runs the server."""

from __future__ import annotations

import logging
import os
import signal
import sys
from logging.config import dictConfig
from pathlib import Path
from typing import Any

import click
from flask import Flask

from . import create_app, logs, startup
from . import mail as letters
from .auth import admin
from .auth import service as auth_service
from .auth.admin import Change
from .auth.schemas import Registration
from .books import service as books_service
from .clock import rfc3339
from .config import ConfigError, Settings, load
from .engine import DatabaseFailure
from .errors import AppError
from .incoming import loaded
from .jobs import service as jobs_service
from .keyring import MissingKey, WrongMasterKey
from .startup import StartError
from .users.service import find_credentials
from .worker import job_worker

CLI = "cli"  # the request id of what is done here
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
    startup.upgrade(_app())
    click.echo("The database is up to date.")


@cli.group()
def users() -> None:
    """Accounts."""


@users.command("create")
@click.option("--email", prompt=True)
@click.option("--username")
@click.option("--admin", is_flag=True, help="Give the role admin.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def users_create(email: str, username: str | None, admin: bool, password_stdin: bool) -> None:
    """Make an account; asks for the password."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    given = {"email": email, "password": password}
    if username:
        given["username"] = username
    with _ready_app().app_context():
        fields = loaded(Registration(), given)
        role = "admin" if admin else "user"
        user = auth_service.register(fields, CLI, role=role, verified=True)
    click.echo(f"Made {role} {user['email']} (id {user['id']}).")


@users.command("list")
def users_list() -> None:
    """List every account."""
    with _ready_app().app_context():
        found = admin.every_user()
    for user in found:
        state = "" if user["active"] else "  deactivated"
        proven = "" if user["email_verified"] else "  address not proven"
        names = f"{user['email']}{'  ' + user['username'] if user['username'] else ''}"
        click.echo(f"{user['id']:>8}  {user['role']:5}  {names}{proven}{state}")
    if not found:
        click.echo("No accounts.", err=True)


@users.command("promote")
@click.argument("user")
@click.option("--to", "role", type=click.Choice(["user", "admin"]), default="admin")
def users_promote(user: str, role: str) -> None:
    """Give USER (address or user name) the role admin, or take it back with --to user."""
    _change(user, {"role": role})
    click.echo(f"{user} has the role {role}.")


@users.command("deactivate")
@click.argument("user")
@click.option("--undo", is_flag=True, help="Let USER in again.")
def users_deactivate(user: str, undo: bool) -> None:
    """End USER's sessions and let them in no more; nothing of theirs is deleted."""
    _change(user, {"active": undo})
    click.echo(f"{user} may {'sign in again' if undo else 'no longer sign in'}.")


@users.command("reset-link")
@click.argument("user")
def users_reset_link(user: str) -> None:
    """Print a link with which USER sets a new password, good once for half an hour."""
    with _ready_app().app_context():
        click.echo(admin.make_reset_link(_user_id(user), CLI).url)


def _change(user: str, patch: dict[str, Any]) -> None:
    with _ready_app().app_context():
        admin.change_user(_user_id(user), patch, Change(None, CLI))


@cli.group()
def books() -> None:
    """Address books."""


@books.command("share")
@click.argument("owner")
@click.argument("user")
@click.option("--role", type=click.Choice(["viewer", "editor"]), default="viewer")
def books_share(owner: str, user: str, role: str) -> None:
    """Let USER use OWNER's address book (addresses or user names)."""
    with _ready_app().app_context():
        books_service.share_book(_user_id(owner), _user_id(user), role)
    click.echo(f"{user} may use the book of {owner} as {role}.")


@books.command("unshare")
@click.argument("owner")
@click.argument("user")
def books_unshare(owner: str, user: str) -> None:
    """End USER's use of OWNER's address book."""
    with _ready_app().app_context():
        books_service.unshare_book(_user_id(owner), _user_id(user))
    click.echo(f"{user} may no longer use the book of {owner}.")


@cli.command()
@click.option("--threads", type=click.IntRange(1, 64), help="Instead of the setting JOB_THREADS.")
@click.option("--parent", type=int, hidden=True)
def worker(threads: int | None, parent: int | None) -> None:
    """Do the jobs of the queue, until it is ended by SIGTERM or Ctrl+C."""
    if parent:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # what gunicorn had open (see beside)
    app = _ready_app()
    if app.extensions["contactapp.settings"].is_production:
        dictConfig(logs.configuration())
    working = job_worker(app)
    signal.signal(signal.SIGTERM, lambda *_: working.stop())
    # Ctrl+C goes to the server that started it as well, which ends it when its own work is done.
    stops = signal.SIG_IGN if parent else lambda *_: working.stop()
    signal.signal(signal.SIGINT, stops)
    # Without that server it would go on unseen.
    alive = lambda: parent is None or os.getppid() == parent  # noqa: E731
    working.run(threads or app.extensions["contactapp.settings"].job_threads, alive)


@cli.group()
def jobs() -> None:
    """The job queue."""


@jobs.command("list")
@click.option("--status", type=click.Choice(["pending", "done", "dead"]))
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
def jobs_list(status: str | None, limit: int) -> None:
    """List jobs, the newest first."""
    with _ready_app().app_context():
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
    with _ready_app().app_context():
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
    with _app().app_context():
        letter = letters.compose(name, "somebody@example.com", **letters.EXAMPLE)
    if html:
        click.echo(letter.html or "It has no HTML part.")
    else:
        click.echo(f"Subject: {letter.subject}\n\n{letter.body}", nl=False)


@cli.command()
def routes() -> None:
    """List every route."""
    rules = sorted(_app().url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint))
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


def _app() -> Flask:
    return create_app(load())


def _ready_app() -> Flask:
    """An application whose database is fit to be used."""
    app = _app()
    startup.check(app)
    return app


def _user_id(login: str) -> int:
    found = find_credentials(login)
    if found is None:
        raise click.ClickException(f"There is no account {login}.")
    return found.user_id


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
