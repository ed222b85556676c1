"""The one source of time, so that tests can hand in another (they replace `now_ms`)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache


def now_ms() -> int:
    """Milliseconds since 1970-01-01T00:00:00Z, the unit of every time in the database."""
    return time.time_ns() // 1_000_000


def rfc3339(milliseconds: int) -> str:
    """Format a time as RFC 3339 in UTC with whole seconds, as `2026-11-21T09:30:00Z`."""
    return _of_second(milliseconds // 1000)


@lru_cache(maxsize=1024)  # contacts come in runs: imported at once, or created and never changed
def _of_second(seconds: int) -> str:
    # Half the time of strftime.
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19] + "Z"
