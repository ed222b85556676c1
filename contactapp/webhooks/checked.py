"""What a webhook may be: whether its address may be told, and its owner may read what it tells."""

from __future__ import annotations

import time
from collections.abc import Collection

from flask import Flask, current_app

from ..actor import Actor
from ..bounded import Bounded
from ..config import Settings, settings
from ..errors import Forbidden, InvalidFields
from .connecting import Failed, addresses
from .outbox import follows_data
from .target import Refused, check, parse

LOOKUP_SECONDS = 3.0


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its places for looking names up: a name server that says nothing keeps a
    thread, and most are left to everybody else."""
    app.extensions["contactapp.lookups"] = Bounded(min(8, max(1, settings.threads // 4)), 1.0, 1)


def _lookups() -> Bounded:
    return current_app.extensions["contactapp.lookups"]


def check_types(actor: Actor, types: Collection[str], *, own_book: bool) -> None:
    """Raise Forbidden (`insufficient_scope`) where the actor may not read what these words stand
    for: who may only write must not have it told elsewhere; and InvalidFields."""
    _need(actor, "contacts:read")
    if follows_data(types):
        _need(actor, "data:read")
        if not own_book:
            problem = "Key-value data are told beside one's own book only."
            raise InvalidFields.one("/types", "not_in_this_book", problem)


def _need(actor: Actor, scope: str) -> None:
    if not actor.may(scope):
        challenge = f'Bearer realm="contactapp", error="insufficient_scope", scope="{scope}"'
        raise Forbidden(
            "insufficient_scope",
            f"The API token lacks the scope {scope}.",
            headers={"WWW-Authenticate": challenge},
            scope=scope,
        )


def check_url(url: str) -> None:
    """Look where an address leads, now. Raises InvalidFields, and Busy."""
    allowed = settings().webhook_allowed_networks
    try:
        target = parse(url, allowed)
        with _lookups().place():
            found = addresses(target, time.monotonic() + LOOKUP_SECONDS)
        check(target, found, allowed)
    except Refused as refused:
        raise InvalidFields.one("/url", refused.code, refused.detail) from None
    except Failed:
        problem = "Nobody knows the name of its host, or says so within some seconds."
        raise InvalidFields.one("/url", "unresolvable_host", problem) from None
