"""Changing a webhook, and giving it another secret."""

from __future__ import annotations

from typing import Any

from .. import clock
from ..actor import Actor
from ..database import Sql, lane, write_transaction
from ..errors import NotFound, PreconditionFailed
from ..jobs.service import enqueue
from ..keyring import keyring
from .checked import check_types, check_url
from .ending import CANCEL
from .outbox import JOB
from .owned import Owned, find, follow, record
from .signature import new_secret
from .stored import BOTH_MS

_STREAMS = Sql(
    "SELECT b.stream_id, u.stream_id FROM webhook w JOIN book b ON b.id = w.book_id "
    "JOIN users u ON u.id = w.user_id WHERE w.user_id = ? AND w.id = ?"
)
_LOCK = "SELECT 1 FROM webhook WHERE user_id = ? AND id = ?"
_LOCKED = Sql(_LOCK, postgresql=f"{_LOCK} FOR UPDATE")
_STORE = Sql(
    "UPDATE webhook SET types = ?, active = ?, sealed = ?, version = ?, updated_at = ?, "
    "failures = 0, failing_since = NULL, paused_until = 0, disabled_reason = NULL, "
    "disabled_at = NULL WHERE id = ?"
)
# What who sends is still told by the address before says nothing about this one.
_LET_GO = Sql("UPDATE webhook SET lease = NULL, lease_until = 0 WHERE id = ?")
_ROTATE = Sql("UPDATE webhook SET sealed = ?, version = version + 1, updated_at = ? WHERE id = ?")
_DUE = Sql(
    "UPDATE webhook_delivery SET next_at = ? "
    "WHERE webhook_id = ? AND status = 'pending' AND attempts > 0"
)
_DELETE = Sql("DELETE FROM webhook WHERE id = ?")

Versions = tuple[int, ...] | None


def patch_webhook(
    actor: Actor, webhook_id: int, patch: dict[str, Any], versions: Versions
) -> dict[str, Any]:
    """Change a webhook (schema WebhookPatch). One that is on afterwards begins anew, and what waits
    is due at once; of one that is off, it is cancelled. Raises NotFound, InvalidFields, Forbidden
    and PreconditionFailed."""
    owned = find(actor, webhook_id)
    if "types" in patch:
        patch = {**patch, "types": list(dict.fromkeys(patch["types"] or ()))}
    # Whoever leads it elsewhere has told there what it tells.
    types = patch.get("types", owned.webhook.types.split())
    check_types(actor, types, own_book=owned.own_book)
    if "url" in patch:
        check_url(patch["url"])
    _patch(actor, webhook_id, patch, versions)
    return find(actor, webhook_id).shown(actor)


@write_transaction
def _patch(actor: Actor, webhook_id: int, patch: dict[str, Any], versions: Versions) -> None:
    streams = lane().one(_STREAMS, (actor.user_id, webhook_id))
    if streams is None:
        raise NotFound()
    follow(*streams)
    webhook = _locked(actor, webhook_id, versions).webhook
    given = {name: patch[name] for name in ("url", "description") if name in patch}
    before = webhook.private(actor.key_id)
    private = before._replace(**given)
    types = " ".join(patch.get("types", webhook.types.split()))
    active, now = patch.get("active", bool(webhook.active)), clock.now_ms()
    sealed = private.sealed(keyring().cipher(actor.key_id), actor.user_id, webhook.uid)
    lane().run(_STORE, (types, active, sealed, webhook.version + 1, now, webhook_id))
    if private.url != before.url:
        lane().run(_LET_GO, (webhook_id,))
    if active:
        lane().run(_DUE, (now, webhook_id))
        enqueue(JOB, webhook_id)
    else:
        lane().run(CANCEL, (now, webhook_id))
    record("webhook_changed", actor, webhook_id, fields=sorted(patch))


def rotate_secret(actor: Actor, webhook_id: int) -> dict[str, Any]:
    """Give a webhook another secret, which is told here and never again; the one before signs too
    for a day. Raises NotFound."""
    secret = new_secret()
    until = _rotate(actor, webhook_id, secret)
    return {"secret": secret, "former_secret_until": clock.rfc3339(until)}


@write_transaction
def _rotate(actor: Actor, webhook_id: int, secret: str) -> int:
    webhook = _locked(actor, webhook_id).webhook
    before, now = webhook.private(actor.key_id), clock.now_ms()
    private = before._replace(secret=secret, former=before.secret, until=now + BOTH_MS)
    sealed = private.sealed(keyring().cipher(actor.key_id), actor.user_id, webhook.uid)
    lane().run(_ROTATE, (sealed, now, webhook_id))
    record("webhook_secret_made", actor, webhook_id)
    return private.until


@write_transaction
def delete_webhook(actor: Actor, webhook_id: int, versions: Versions) -> None:
    """Delete one of the actor's own webhooks: it is told nothing any more. Raises NotFound and
    PreconditionFailed."""
    _locked(actor, webhook_id, versions)
    lane().run(_DELETE, (webhook_id,))
    record("webhook_deleted", actor, webhook_id)


def _locked(actor: Actor, webhook_id: int, versions: Versions = None) -> Owned:
    """A webhook of the actor's, at one of these versions, that nobody else changes before the
    commit."""
    lane().one(_LOCKED, (actor.user_id, webhook_id))
    owned = find(actor, webhook_id)
    if versions is not None and owned.webhook.version not in versions:
        raise PreconditionFailed(current_version=owned.webhook.version)
    return owned
