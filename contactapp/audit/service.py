"""The audit trail of accounts: sign-ins, tokens, passwords, and what admins do."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import orjson

from .. import clock
from ..actor import Actor
from ..changes.models import GENESIS
from ..changes.service import next_head
from ..config import Window
from ..crypto import SealError
from ..database import Sql, lane
from ..jobs.service import Effect, Job, enqueue
from ..keyring import keyring
from ..limits import Quota
from ..paging import Page, Pager
from ..sql import insert_into

log = logging.getLogger("contactapp")

MINUTE_MS = 60_000
UNKNOWN = "sign_in_failed_unknown"
KINDS = {
    "registered": "the account was made",
    "signed_in": "a session was opened",
    "sign_in_failed": "a wrong password, or the account is deactivated",
    UNKNOWN: "tries of a minute to sign in to accounts that do not exist",
    "signed_out": "sessions were ended",
    "refresh_token_reused": "a spent refresh token came back, its session was ended",
    "email_verified": "the address was proven",
    "account_cleared": "the address was proven by another than who had signed in before",
    "password_changed": "by its owner, who knew the old one",
    "password_reset": "by a link",
    "email_changed": "the new address was proven",
    "profile_changed": "names of the changed fields",
    "avatar_changed": "a picture was set or removed",
    "exported": "everything was downloaded",
    "feed_made": "an address was made at which a calendar can be read",
    "feed_deleted": "and that address opens nothing any more",
    "deleted": "the account is being erased",
    "role_changed": "by an admin",
    "activated": "by an admin",
    "deactivated": "by an admin",
    "contact_limit_changed": "by an admin",
    "reset_link_made": "on the command line",
}
BY_ANYBODY = {"sign_in_failed", "refresh_token_reused", UNKNOWN}  # nobody knows who it was
_KEPT_MINUTES = 8  # in which a sealer that was away finds what it missed
_BATCH = 500
_NEWEST = 2**62  # an id after all

CHAINED = ("id", "uid", "at", "kind", "user_id", "actor_id", "request_id", "count", "sealed_hash")
_LAST = Sql("SELECT seq, head FROM audit_event WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1")
_UNCHAINED = Sql(
    f"SELECT {', '.join(CHAINED)} FROM audit_event WHERE seq IS NULL ORDER BY id LIMIT ?"  # noqa: S608
)
_CHAIN = Sql("UPDATE audit_event SET seq = ?, head = ? WHERE id = ? AND seq IS NULL")
_COLUMNS = (*CHAINED[1:-1], "sealed", "sealed_hash")
_NOTE = insert_into("audit_event", _COLUMNS, "")
_OF_MINUTE = Sql(f"{_NOTE.qmark} ON CONFLICT (at) WHERE kind = '{UNKNOWN}' DO NOTHING")
_EMPTY = Sql("UPDATE audit_event SET sealed = NULL WHERE user_id = ?")
_SHOWN = (
    "SELECT e.id, e.uid, e.at, e.kind, e.user_id, e.actor_id, e.request_id, e.count, e.sealed, "
    "u.key_id FROM audit_event e LEFT JOIN users u ON u.id = e.user_id WHERE {}e.id < ? "
    "ORDER BY e.id DESC LIMIT ? OFFSET ?"
)
_ALL = Sql(_SHOWN.format(""))
_OWN = Sql(_SHOWN.format("e.user_id = ? AND "))
_COUNT_ALL = Sql("SELECT count(*) FROM audit_event")
_COUNT_OWN = Sql("SELECT count(*) FROM audit_event WHERE user_id = ?")


def record(
    kind: str,
    user_id: int,
    key_id: int,
    request_id: str,
    details: dict[str, Any] | None = None,
    *,
    actor_id: int | None = None,
) -> None:
    """Add an event of an account to the running transaction. `actor_id` where another than its
    owner did it; `details` are shown to the owner."""
    lane().run(_NOTE, _row(clock.now_ms(), kind, user_id, actor_id, request_id, 1, key_id, details))


def note(kind: str, user_id: int, key_id: int, request_id: str, details: dict[str, Any]) -> None:
    """Add an event by itself, unless a writer is at work: then it raises DatabaseBusy at once, so
    that nobody can tell by the time that there was something to note."""
    row = _row(clock.now_ms(), kind, user_id, None, request_id, 1, key_id, details)
    lane().write_unless_busy(_NOTE, row)


def _row(
    at: int,
    kind: str,
    user_id: int | None,
    actor_id: int | None,
    request_id: str,
    count: int,
    key_id: int | None = None,
    details: dict[str, Any] | None = None,
) -> tuple[Any, ...]:
    """The values of _COLUMNS."""
    if kind not in KINDS:
        raise ValueError(f"no such kind of event: {kind}")
    uid, sealed = str(uuid.uuid4()), None
    if details and key_id is not None:
        sealed = keyring().cipher(key_id).seal(orjson.dumps(details), *_place(user_id, uid))
    digest = hashlib.sha256(sealed or b"").digest()
    return uid, at, kind, user_id, actor_id, request_id, count, sealed, digest


def count_unknown(quota: Quota) -> None:
    """Count a try to sign in to an account that does not exist. A row for each would let anybody
    fill the disk, and make everybody's sign-in wait for them."""
    now = clock.now_ms()
    quota.count(_minute_key(now // MINUTE_MS), Window(0, 60 * 2 * _KEPT_MINUTES), now / 1000)


def chain(quota: Quota, _job: Job) -> Effect:
    """The job that chains what is new, and writes the counts of the past minutes."""
    now = clock.now_ms()
    counted = []
    for minute in range(now // MINUTE_MS - _KEPT_MINUTES, now // MINUTE_MS):
        count, _ = quota.peek(_minute_key(minute), now / 1000)
        if count:
            counted.append((minute * MINUTE_MS, count))

    def effect() -> None:
        for at, count in counted:
            lane().run(_OF_MINUTE, _row(at, UNKNOWN, None, None, "worker", count))
        _chain_batch()

    return effect


def _chain_batch() -> None:
    """Rows get their numbers here, in one place at a time, so that the chain has no forks."""
    seq, head = lane().one(_LAST) or (0, GENESIS)
    key = keyring().purpose("chain")
    rows = lane().all(_UNCHAINED, (_BATCH,))
    if len(rows) == _BATCH:
        enqueue("audit.chain")  # the others in a transaction of their own
    for row in rows:
        seq += 1
        head = next_head(key, head, {**dict(zip(CHAINED, row, strict=True)), "seq": seq})
        lane().run(_CHAIN, (seq, head, row[0]))


def empty(user_id: int) -> None:
    """Forget the details of an account's events, in the running transaction."""
    lane().run(_EMPTY, (user_id,))


def list_events(actor: Actor, query: dict[str, Any]) -> Page:
    """The events of the actor's account, of all accounts for an admin, the newest first. Raises
    BadRequest for a cursor that is not of this list."""
    pager = Pager(actor, f"audit of {actor.role}", query)
    part = (pager.after(_NEWEST), pager.rows, pager.skip)
    if actor.role == "admin":
        rows, [total] = lane().all(_ALL, part), lane().one(_COUNT_ALL)
    else:
        rows = lane().all(_OWN, (actor.user_id, *part))
        [total] = lane().one(_COUNT_OWN, (actor.user_id,))
    return pager.page([_shown(*row) for row in rows], total)


def own_events(user_id: int) -> Iterator[dict[str, Any]]:
    """All events of an account, the newest first; a few hundred at a time."""
    before = _NEWEST
    while rows := lane().all(_OWN, (user_id, before, _BATCH, 0)):
        yield from (_shown(*row) for row in rows)
        before = rows[-1][0]


def _shown(
    id_: int,
    uid: str,
    at: int,
    kind: str,
    user_id: int | None,
    actor_id: int | None,
    request_id: str,
    count: int,
    sealed: bytes | None,
    key_id: int | None,
) -> dict[str, Any]:
    details = {}
    if sealed is not None and key_id is not None:
        try:
            details = orjson.loads(keyring().cipher(key_id).open(sealed, *_place(user_id, uid)))
        except SealError:  # of an account that is being erased, or somebody changed it
            log.warning("the details of audit event %d do not open", id_)
    if actor_id is None and kind not in BY_ANYBODY:
        actor_id = user_id
    return {
        "id": id_,
        "at": clock.rfc3339(at),
        "kind": kind,
        "user_id": user_id,
        "actor_id": actor_id,
        "request_id": request_id,
        "count": count,
        "details": details,
    }


def _minute_key(minute: int) -> str:
    return f"unknown accounts {minute}"


def _place(user_id: int | None, uid: str) -> tuple[object, ...]:
    return ("audit_event", "sealed", user_id, uid)
