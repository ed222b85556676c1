"""`contactapp users` and `contactapp books`: what whoever runs the server does to accounts."""

from __future__ import annotations

import sys
from typing import Any

import click

from . import ready_app
from .auth import admin, second_factor
from .auth import service as auth_service
from .auth.admin import Change
from .auth.schemas import Registration
from .books import service as books_service
from .errors import NotFound
from .incoming import loaded
from .users.service import find_credentials

CLI = "cli"  # the request id of what is done here


@click.group()
def users() -> None:
    """Accounts."""


@users.command("create")
@click.option("--email", prompt=True)
@click.option("--username")
@click.option("--admin", "is_admin", is_flag=True, help="Give the role admin.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def users_create(email: str, username: str | None, is_admin: bool, password_stdin: bool) -> None:
    """Make an account; asks for the password."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    given = {"email": email, "password": password}
    if username:
        given["username"] = username
    with ready_app().app_context():
        fields = loaded(Registration(), given)
        role = "admin" if is_admin else "user"
        user = auth_service.register(fields, CLI, role=role, verified=True)
    click.echo(f"Made {role} {user['email']} (id {user['id']}).")


@users.command("list")
def users_list() -> None:
    """List every account."""
    with ready_app().app_context():
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
    with ready_app().app_context():
        click.echo(admin.make_reset_link(user_id_of(user), CLI).url)


@users.command("disable-totp")
@click.argument("user")
def users_disable_totp(user: str) -> None:
    """Let USER, whose authenticator and recovery codes are lost, sign in by password alone."""
    with ready_app().app_context():
        try:
            second_factor.disable(user_id_of(user), CLI, actor_id=0)
        except NotFound:
            raise click.ClickException(f"{user} has no second factor.") from None
    click.echo(f"{user} signs in by password alone.")


def _change(user: str, patch: dict[str, Any]) -> None:
    with ready_app().app_context():
        admin.change_user(user_id_of(user), patch, Change(None, CLI))


@click.group()
def books() -> None:
    """Address books."""


@books.command("share")
@click.argument("owner")
@click.argument("user")
@click.option("--role", type=click.Choice(["viewer", "editor"]), default="viewer")
def books_share(owner: str, user: str, role: str) -> None:
    """Let USER use OWNER's address book (addresses or user names)."""
    with ready_app().app_context():
        books_service.share_book(user_id_of(owner), user_id_of(user), role)
    click.echo(f"{user} may use the book of {owner} as {role}.")


@books.command("unshare")
@click.argument("owner")
@click.argument("user")
def books_unshare(owner: str, user: str) -> None:
    """End USER's use of OWNER's address book."""
    with ready_app().app_context():
        books_service.unshare_book(user_id_of(owner), user_id_of(user))
    click.echo(f"{user} may no longer use the book of {owner}.")


def user_id_of(login: str) -> int:
    """The account that an address or user name means."""
    found = find_credentials(login)
    if found is None:
        raise click.ClickException(f"There is no account {login}.")
    return found.user_id
