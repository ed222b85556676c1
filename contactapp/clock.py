"""The one source of time, so that tests can hand in another (they replace `now_ms`)."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def now_ms() -> int:
    """Milliseconds since 1970-01-01T00:00:00Z, the unit of every time in the database."""
    return time.time_ns() // 1_000_000


def rfc3339(milliseconds: int) -> str:
    """Format a time as RFC 3339 in UTC with whole seconds, as `2026-11-21T09:30:00Z`."""
    return _of_second(milliseconds // 1000)


def today(time_zone: str | None) -> date:
    """Which day it is in a zone of the IANA database; in UTC where none is named, or one that this
    machine does not know any more."""
    zone: tzinfo = UTC
    with suppress(ZoneInfoNotFoundError):
        zone = ZoneInfo(time_zone) if time_zone else UTC
    return datetime.fromtimestamp(now_ms() / 1000, zone).date()


@lru_cache(maxsize=1024)  # contacts come in runs: imported at once, or created and never changed
def _of_second(seconds: int) -> str:
    # Half the time of strftime.
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19] + "Z"
