"""What of a user's quota of data is used: charged under the store's lock, shown by every answer."""

from __future__ import annotations

from ..actor import Book
from ..changes.service import ChangeLog
from ..config import settings
from ..errors import Forbidden


def take(log: ChangeLog, items: int, size: int) -> None:
    """Charge the store under its lock, which makes the quota exact; raise Forbidden beyond it. A
    limit that was lowered keeps nobody from deleting or shortening."""
    for what, more, used, limit in (
        ("entries", items, log.items, settings().data_max_entries),
        ("bytes", size, log.size, settings().data_max_bytes),
    ):
        if more > 0 and limit and used + more > limit:
            detail = f"{used} of {limit} {what} are used, and this needs {more} more."
            raise Forbidden("data_quota_exceeded", detail, what=what, limit=limit, used=used)
    log.items, log.size = log.items + items, log.size + size


def quota_headers(store: Book) -> dict[str, str]:
    """What an answer says of the quota; nothing of what has no limit."""
    found, given = {}, settings()
    for what, used, limit in (
        ("Entries", store.items, given.data_max_entries),
        ("Bytes", store.size, given.data_max_bytes),
    ):
        if limit:
            found[f"X-Data-{what}-Limit"] = str(limit)
            found[f"X-Data-{what}-Remaining"] = str(max(0, limit - used))
    return found
