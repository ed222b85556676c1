"""The job that deletes what has expired: readers pass it over already, and it takes up quota."""

from __future__ import annotations

import logging
from contextlib import suppress

from .. import clock
from ..actor import Book, server_itself
from ..changes.service import ChangeLog
from ..crypto import SealError
from ..database import Sql, lane, write_transaction
from ..errors import NotFound
from ..jobs.service import Job, renew
from .reading import COLUMNS, data_store, opened
from .service import remove

log = logging.getLogger("contactapp")

_USERS = 100  # of a page
_BATCH = 50  # entries of a transaction, whose values may have 3 MiB together

_WITH_EXPIRED = Sql(
    "SELECT DISTINCT user_id FROM data_entry WHERE expires_at <= ? AND user_id > ? "
    "ORDER BY user_id LIMIT ?"
)
_SOME = Sql(
    f"SELECT {COLUMNS} FROM data_entry e WHERE e.user_id = ? AND e.expires_at <= ? "  # noqa: S608
    "ORDER BY e.expires_at LIMIT ?"
)


def purge(job: Job) -> None:
    """Delete all expired entries, in small transactions, each under the lock of one store."""
    now, last = clock.now_ms(), 0
    while users := lane().all(_WITH_EXPIRED, (now, last, _USERS)):
        for (last,) in users:
            store = data_store(last)
            if store is not None:
                with suppress(NotFound):  # the account was erased since
                    _purge_store(job, store)


def _purge_store(job: Job, store: Book) -> None:
    try:
        while _purge_some(job, store):
            renew(job)
    except SealError:
        # It must not keep the other stores' entries from being purged.
        log.warning("an expired entry of user %d does not open", store.owner_id)


@write_transaction
def _purge_some(job: Job, store: Book) -> int:
    held = ChangeLog(server_itself(store, f"job-{job.id}"), store)
    rows = lane().all(_SOME, (store.owner_id, held.now, _BATCH))
    for row in rows:
        remove(held, store, opened(held.cipher, store, row))
    return len(rows)
