"""Where mailed links lead: plain pages on which a person presses the button.

Opening a link changes nothing, because mail scanners open links too; the button posts a form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flask import Blueprint, Response, abort, render_template, request

from ..auth import recovery
from ..auth.allowances import mailing
from ..auth.guard import caller, client
from ..bodies import read_form
from ..errors import AppError
from ..http import public

account = Blueprint("account", __name__, template_folder="templates")

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class _Deed(NamedTuple):
    title: str
    button: str
    password: str | None  # what the page says of its password field, if it has one
    do: Callable[[dict[str, str]], str]


def _verify(form: dict[str, str]) -> str:
    found = recovery.verify_email(
        form.get("token", ""), None, None, form.get("password") or None, caller(), client()
    )
    if found.needs_password:
        return (
            "Your address is confirmed. Because somebody else may have made this account, all "
            "devices were signed out; we mail you a link to set a password of your own."
        )
    return "Your address is confirmed. You can sign in."


def _reset(form: dict[str, str]) -> str:
    recovery.reset_password(form.get("token", ""), form.get("password", ""), client())
    return "Your password was changed and all devices were signed out. Sign in with the new one."


def _change(form: dict[str, str]) -> str:
    recovery.confirm_email(form.get("token", ""), client())
    return "Your e-mail address was changed."


_DEEDS = {
    "verify": _Deed(
        "Confirm your e-mail address",
        "Confirm",
        "The password you chose for this account; leave it empty if you chose none",
        _verify,
    ),
    "reset": _Deed("Set a new password", "Set the password", "New password", _reset),
    "email": _Deed("Confirm your new e-mail address", "Confirm", None, _change),
}


@account.get("/account/<purpose>")
@public
def ask(purpose: str) -> Response:
    """Show the button of a mailed link."""
    return show(purpose)


@account.post("/account/<purpose>")
@public
@mailing("page")
def act(purpose: str) -> Response:
    """Do what the button of a mailed link says."""
    return press(purpose)


def show(purpose: str) -> Response:
    """The page with the button of the link that the query names; nothing is done yet."""
    return _page(purpose, token=request.args.get("token", ""))


def press(purpose: str) -> Response:
    """The page after the button of a mailed link was pressed, by the form that it sent."""
    form = read_form()
    if purpose not in _DEEDS:
        abort(404)
    try:
        done = _DEEDS[purpose].do(form)
    except AppError as error:
        problems = [found.detail for found in error.errors] or [error.detail]
        again = form.get("token", "") if error.code == "invalid_fields" else ""
        answer = _page(purpose, error.status, token=again, problems=problems)
        answer.headers.extend(error.headers)  # Retry-After
        return answer
    return _page(purpose, done=done)


def _page(purpose: str, status: int = 200, **context: object) -> Response:
    if purpose not in _DEEDS:
        abort(404)
    html = render_template("pages/account.html", deed=_DEEDS[purpose], **context)
    response = Response(html, status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    return response
