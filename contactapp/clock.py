"""The one source of time, so that tests can hand in another (they replace `now_ms`)."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Milliseconds since 1970-01-01T00:00:00Z, the unit of every time in the database."""
    return time.time_ns() // 1_000_000


def rfc3339(milliseconds: int) -> str:
    """Format a time as RFC 3339 in UTC with whole seconds, as `2026-11-21T09:30:00Z`."""
    # Half the time of strftime; every contact that is rendered has two.
    return datetime.fromtimestamp(milliseconds // 1000, UTC).isoformat()[:19] + "Z"
