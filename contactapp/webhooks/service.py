"""Webhooks: addresses that are told of changes, by their owner's choice, signed so that they can
tell who it is that tells them."""

from __future__ import annotations

import uuid
from typing import Any

from .. import clock
from ..actor import Actor
from ..database import ConstraintViolated, Sql, lane, write_transaction
from ..errors import Forbidden, NotFound, Unauthenticated
from ..jobs.service import Job, renew
from ..keyring import keyring
from ..users.service import lock_owner
from .changing import delete_webhook, patch_webhook, rotate_secret
from .checked import check_types, check_url
from .deliveries import (
    export_deliveries,
    get_delivery,
    list_deliveries,
    purge_some,
    replay,
    try_webhook,
)
from .owned import find, find_all, follow, record
from .signature import new_secret
from .stored import Private, Webhook

MAX_WEBHOOKS = 10  # of a user: each is sent every change
MAX_DESCRIPTION = 200  # characters

_COUNT = Sql("SELECT count(*) FROM webhook WHERE user_id = ?")
_SIGNED_IN = Sql(
    "SELECT 1 FROM session WHERE id = ? AND user_id = ? AND ended_at IS NULL "
    "UNION ALL SELECT 1 FROM api_token WHERE id = ? AND user_id = ?"
)
_DATA_STREAM = Sql("SELECT stream_id FROM users WHERE id = ?")
_FORGET = Sql("DELETE FROM webhook WHERE user_id = ?")
_FORGET_BOOK = Sql("DELETE FROM webhook WHERE book_id = ?")
_BACKLOG = Sql(
    "SELECT (SELECT min(d.next_at) FROM webhook w CROSS JOIN webhook_delivery d "
    "WHERE d.webhook_id = w.id AND d.status = 'pending' AND w.active AND w.failures = 0), "
    "(SELECT count(*) FROM webhook WHERE active AND failures > 0)"
)


def create_webhook(actor: Actor, fields: dict[str, Any]) -> dict[str, Any]:
    """Have an address told of the changes of the actor's book (schema WebhookInput); its secret is
    in the answer and nowhere else. Raises Forbidden (`webhook_limit_reached`,
    `insufficient_scope`), InvalidFields, NotFound where the account or the book was erased
    meanwhile, and Unauthenticated where the session or API token ended."""
    own_book = actor.book.owner_id == actor.user_id
    types = list(dict.fromkeys(fields.get("types") or ()))
    check_types(actor, types, own_book=own_book)
    check_url(fields["url"])
    private = Private(fields["url"], fields.get("description"), new_secret())
    row = _row(actor, types, private, active=fields.get("active", True))
    made = Webhook.made(_insert(actor, row), row)
    return {**made.shown(private, has_access=True), "secret": private.secret}


def _row(actor: Actor, types: list[str], private: Private, *, active: bool) -> dict[str, Any]:
    now, uid = clock.now_ms(), str(uuid.uuid4())
    return {
        "uid": uid,
        "user_id": actor.user_id,
        "book_id": actor.book.id,
        "types": " ".join(types),
        "active": active,
        "sealed": private.sealed(keyring().cipher(actor.key_id), actor.user_id, uid),
        "version": 1,
        "failures": 0,
        "paused_until": 0,
        "lease_until": 0,
        "created_at": now,
        "updated_at": now,
    }


@write_transaction
def _insert(actor: Actor, row: dict[str, Any]) -> int:
    data = lane().one(_DATA_STREAM, (actor.user_id,))
    if data is None:
        raise NotFound()
    follow(actor.book.stream_id, data[0])
    lock_owner(actor.user_id)  # else two at once would not count each other
    # A reset takes every webhook away, and who was let in before it waits here until it is done.
    who = (actor.session_id, actor.user_id, actor.token_id, actor.user_id)
    if lane().one(_SIGNED_IN, who) is None:
        raise Unauthenticated("invalid_token")
    [used] = lane().one(_COUNT, (actor.user_id,))
    if used >= MAX_WEBHOOKS:
        problem = f"{used} of {MAX_WEBHOOKS} webhooks are used."
        raise Forbidden("webhook_limit_reached", problem, limit=MAX_WEBHOOKS, used=used)
    try:
        made: int = lane().insert("webhook", row)
    except ConstraintViolated:
        raise NotFound() from None
    record("webhook_made", actor, made)
    return made


def list_webhooks(actor: Actor) -> list[dict[str, Any]]:
    """The actor's webhooks by id, also those of books that are no longer shared with them; without
    their secrets."""
    return [owned.shown(actor) for owned in find_all(actor)]


def get_webhook(actor: Actor, webhook_id: int) -> dict[str, Any]:
    """One of the actor's webhooks (schema Webhook). Raises NotFound."""
    return find(actor, webhook_id).shown(actor)


def forget(user_id: int) -> None:
    """Delete all webhooks of a user, in the running transaction; deliveries are swept later."""
    lane().run(_FORGET, (user_id,))


def forget_book(book_id: int) -> None:
    """Delete everybody's webhooks of a book, in the running transaction."""
    lane().run(_FORGET_BOOK, (book_id,))


def sweep(job: Job) -> None:
    """The job that forgets deliveries that are over or belong to no webhook any more."""
    while purge_some():
        renew(job)


def backlog() -> tuple[float, int]:
    """How many seconds the oldest message is overdue to a webhook that does not fail, and how many
    webhooks fail."""
    oldest, failing = lane().one(_BACKLOG)
    return 0.0 if oldest is None else max(0, clock.now_ms() - oldest) / 1000, failing


__all__ = [
    "MAX_DESCRIPTION",
    "MAX_WEBHOOKS",
    "backlog",
    "create_webhook",
    "delete_webhook",
    "export_deliveries",
    "forget",
    "forget_book",
    "get_delivery",
    "get_webhook",
    "list_deliveries",
    "list_webhooks",
    "patch_webhook",
    "purge_some",
    "replay",
    "rotate_secret",
    "sweep",
    "try_webhook",
]
