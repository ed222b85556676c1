"""The `contactapp` command: the same services as the API, for whoever runs the server."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click
from flask import Flask

from . import create_app, startup
from .auth import service as auth_service
from .auth.schemas import Registration
from .books import service as books_service
from .config import ConfigError, Settings, load
from .engine import DatabaseFailure
from .errors import AppError
from .incoming import loaded
from .keyring import MissingKey, WrongMasterKey
from .startup import StartError
from .users.service import find_credentials

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
        user = auth_service.register(fields, role=role, verified=True)
    click.echo(f"Made {role} {user['email']} (id {user['id']}).")


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
