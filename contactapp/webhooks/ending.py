"""Switching a webhook off that cannot be told any more, and telling its owner by mail, once."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from .. import clock, mail
from ..audit import service as audit
from ..database import Sql, lane
from ..jobs.service import Job, enqueue
from ..keyring import Erased
from ..users.service import read_owner
from .stored import opened

log = logging.getLogger("contactapp")

NOTICE = "mail.webhook_disabled"
_DISABLE = Sql(
    "UPDATE webhook SET active = ?, disabled_reason = ?, disabled_at = ?, lease = NULL, "
    "lease_until = 0, version = version + 1, updated_at = ? WHERE id = ? AND active"
)
CANCEL = Sql(
    "UPDATE webhook_delivery SET status = 'cancelled', updated_at = ? "
    "WHERE webhook_id = ? AND status = 'pending'"
)
_WHOSE = Sql(
    "SELECT w.user_id, u.key_id FROM webhook w JOIN users u ON u.id = w.user_id WHERE w.id = ?"
)
_DISABLED = Sql(
    "SELECT user_id, uid, sealed, disabled_reason FROM webhook WHERE id = ? AND NOT active "
    "AND disabled_reason IS NOT NULL"
)


def disable(webhook_id: int, reason: str) -> None:
    """Switch a webhook off, in the running transaction. What waits is cancelled, and can be sent
    when its owner has switched it on again."""
    now = clock.now_ms()
    if lane().run(_DISABLE, (False, reason, now, now, webhook_id)) == 0:
        return
    lane().run(CANCEL, (now, webhook_id))
    user_id, key_id = lane().one(_WHOSE, (webhook_id,))
    details = {"webhook_id": webhook_id, "reason": reason}
    audit.record("webhook_disabled", user_id, key_id, "worker", details, actor_id=0)
    enqueue(NOTICE, webhook_id, user_id)


def mail_notice(job: Job) -> None:
    """Tell the owner that their webhook was switched off, unless it is on again."""
    row = lane().one(_DISABLED, (job.ref or 0,))
    owner = read_owner(row[0]) if row else None
    if row is None or owner is None:
        return
    user_id, uid, sealed, reason = row
    try:
        private = opened(owner.key_id, user_id, uid, sealed)
    except Erased:
        return
    # Its path may be as good as a password to whoever it belongs to.
    host = urlsplit(private.url).hostname
    letter = mail.compose(
        "webhook_disabled", owner.email, name=owner.name, host=host, reason=reason
    )
    mail.send(letter)
