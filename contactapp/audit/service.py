"""The audit trail of accounts: sign-ins, tokens, passwords, and what admins do."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import orjson

from .. import clock
from ..changes.chain import GENESIS
from ..changes.service import next_head
from ..config import Window
from ..database import Sql, lane
from ..jobs.service import Effect, Job, enqueue
from ..keyring import keyring
from ..limits import Quota
from ..sql import insert_into
from .kinds import EVENT_KINDS, LIMITED_UNKNOWN, UNKNOWN

MINUTE_MS = 60_000
COUNTED = (UNKNOWN, LIMITED_UNKNOWN)
_KEPT_MINUTES = 8  # in which a sealer that was away finds what it missed
_BATCH = 500

CHAINED = ("id", "uid", "at", "kind", "user_id", "actor_id", "request_id", "count", "sealed_hash")
_LAST = Sql("SELECT seq, head FROM audit_event WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1")
_UNCHAINED = Sql(
    f"SELECT {', '.join(CHAINED)} FROM audit_event WHERE seq IS NULL ORDER BY id LIMIT ?"  # noqa: S608
)
_CHAIN = Sql("UPDATE audit_event SET seq = ?, head = ? WHERE id = ? AND seq IS NULL")
_COLUMNS = (*CHAINED[1:-1], "sealed", "sealed_hash")
_NOTE = insert_into("audit_event", _COLUMNS, "")
_OF_MINUTE = Sql(f"{_NOTE.qmark} ON CONFLICT (at, kind) WHERE user_id IS NULL DO NOTHING")
_EMPTY = Sql("UPDATE audit_event SET sealed = NULL WHERE user_id = ?")


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
    if kind not in EVENT_KINDS:
        raise ValueError(f"no such kind of event: {kind}")
    uid, sealed = str(uuid.uuid4()), None
    if details and key_id is not None:
        sealed = keyring().cipher(key_id).seal(orjson.dumps(details), *_place(user_id, uid))
    digest = hashlib.sha256(sealed or b"").digest()
    return uid, at, kind, user_id, actor_id, request_id, count, sealed, digest


def count_unknown(quota: Quota, kind: str = UNKNOWN) -> None:
    """Count what nobody who is signed in does: a try to sign in to an account that does not exist,
    a request over a limit. A row for each would let anybody fill the disk, and make everybody's
    sign-in wait for them."""
    now = clock.now_ms()
    window = Window(0, 60 * 2 * _KEPT_MINUTES)
    quota.count(_minute_key(kind, now // MINUTE_MS), window, now / 1000)


def chain(quota: Quota, _job: Job) -> Effect:
    """The job that chains what is new, and writes the counts of the past minutes."""
    now = clock.now_ms()
    counted = []
    for minute in range(now // MINUTE_MS - _KEPT_MINUTES, now // MINUTE_MS):
        for kind in COUNTED:
            count, _ = quota.peek(_minute_key(kind, minute), now / 1000)
            if count:
                counted.append((minute * MINUTE_MS, kind, count))

    def effect() -> None:
        for at, kind, count in counted:
            lane().run(_OF_MINUTE, _row(at, kind, None, None, "worker", count))
        _chain_batch()

    return effect


def _chain_batch() -> None:
    """Rows get their numbers here, in one place at a time, so that the chain has no forks."""
    seq, head = last_chained()
    key = keyring().purpose("chain")
    rows = lane().all(_UNCHAINED, (_BATCH,))
    if len(rows) == _BATCH:
        enqueue("audit.chain")  # the others in a transaction of their own
    for row in rows:
        seq += 1
        head = next_head(key, head, {**dict(zip(CHAINED, row, strict=True)), "seq": seq})
        lane().run(_CHAIN, (seq, head, row[0]))


def last_chained() -> tuple[int, bytes]:
    """The number and the head of the newest event in the chain."""
    return lane().one(_LAST) or (0, GENESIS)


def empty(user_id: int) -> None:
    """Forget the details of an account's events, in the running transaction."""
    lane().run(_EMPTY, (user_id,))


def opened(sealed: bytes | None, key_id: int | None, user_id: int | None, uid: str) -> Any:
    """The details of an event. Raises SealError where its account is being erased, or somebody
    changed them."""
    if sealed is None or key_id is None:
        return {}
    return orjson.loads(keyring().cipher(key_id).open(sealed, *_place(user_id, uid)))


def _minute_key(kind: str, minute: int) -> str:
    return f"audit {kind} {minute}"


def _place(user_id: int | None, uid: str) -> tuple[object, ...]:
    return ("audit_event", "sealed", user_id, uid)
