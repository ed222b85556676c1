"""What does not come back with a backup: whoever was let in, and whoever was erased since."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from .. import clock
from ..auth import admin, erased, erasure
from ..config import settings
from ..database import Sql, database, lane, write_transaction
from ..keyring import RESTORED, create_key

# A session's token names it by its number. One that was opened after the backup must not be taken
# for another of the same person that gets the same number.
_SESSIONS_SKIPPED = 2**32

_END_SESSIONS = Sql("UPDATE session SET ended_at = ? WHERE ended_at IS NULL")
_END_LINKS = Sql("UPDATE link SET ended_at = ? WHERE ended_at IS NULL")
_DROP_TOKENS = Sql("DELETE FROM api_token")
_DROP_FEEDS = Sql("DELETE FROM feed")
# One that its owner has deleted since must not be told of anything again. What waited is not kept:
# the numbers of changes after the backup are given to others.
_STOP_WEBHOOKS = Sql(
    "UPDATE webhook SET active = ?, disabled_reason = 'restored', disabled_at = ?, lease = NULL, "
    "version = version + 1, updated_at = ? WHERE active"
)
_DROP_DELIVERIES = Sql("DELETE FROM webhook_delivery")
# Written to, or asked for by, people who have their letters long since; and what was asked for with
# a link that is no longer good. Also those given up, which a replay would send.
_DROP_MAILS = Sql(
    "DELETE FROM job WHERE status <> 'done' AND period IS NULL "
    "AND (kind LIKE 'mail.%' OR kind LIKE 'auth.%')"
)
_DROP_EPOCH = Sql("DELETE FROM key WHERE purpose = ?")
_SKIP = Sql(
    "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'session'",
    postgresql="SELECT setval(pg_get_serial_sequence('session', 'id'), "
    "nextval(pg_get_serial_sequence('session', 'id')) + ?)",
)
_NEW_SEQUENCE = Sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('session', ?)")
_CAME_BACK = Sql(
    "SELECT (SELECT count(*) FROM users WHERE password_hash <> ''), "
    "(SELECT count(*) FROM contact WHERE deleted_at IS NULL), (SELECT count(*) FROM note), "
    "(SELECT count(*) FROM data_entry), (SELECT count(*) FROM users WHERE NOT active "
    "AND password_hash <> ''), (SELECT count(*) FROM book_member), "
    "(SELECT count(*) FROM second_factor WHERE confirmed_at IS NOT NULL), "
    "(SELECT count(*) FROM recovery_code WHERE used_at IS NULL), "
    "(SELECT count(*) FROM import WHERE status = 'queued')"
)


class Ended(NamedTuple):
    """How many of each were ended."""

    sessions: int
    links: int
    api_tokens: int
    feeds: int
    webhooks: int
    letters: int


class CameBack(NamedTuple):
    """What there is now, as it was when the backup was made."""

    accounts: int
    contacts: int
    notes: int
    data: int
    deactivated: int
    shares: int
    second_factors: int
    recovery_codes: int
    imports: int  # which go on
    admins: list[str]


@write_transaction
def end_all() -> Ended:
    """End whatever lets somebody in, and begin a new epoch: numbers are given again from now on."""
    now = clock.now_ms()
    ended = Ended(
        lane().run(_END_SESSIONS, (now,)),
        lane().run(_END_LINKS, (now,)),
        lane().run(_DROP_TOKENS, ()),
        lane().run(_DROP_FEEDS, ()),
        lane().run(_STOP_WEBHOOKS, (False, now, now)),
        lane().run(_DROP_MAILS, ()),
    )
    lane().run(_DROP_DELIVERIES, ())
    lane().run(_DROP_EPOCH, (RESTORED,))
    create_key(RESTORED)
    if not lane().run(_SKIP, (_SESSIONS_SKIPPED,)) and database().is_sqlite:
        lane().run(_NEW_SEQUENCE, (_SESSIONS_SKIPPED,))
    return ended


def erase_again(uids: Set[str]) -> int:
    """Shut the accounts that were erased since, and have them on this instance folder's list, for
    backups to come; how many came back with this one."""
    for uid in sorted(uids - erased.listed(settings().instance_path / erased.NAME)):
        erased.note(uid)
    return sum(erasure.shut_again(uid) for uid in sorted(uids))


def came_back() -> CameBack:
    """What whoever restored should look at: it is as it was then."""
    admins = [user["email"] for user in admin.every_user() if user["role"] == "admin"]
    return CameBack(*(*lane().one(_CAME_BACK), admins))
