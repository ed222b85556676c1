"""What a store answers about one request, and how the answer's headers say it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from ..config import Window

MAX_WINDOWS = 4  # that many pairs of columns a row has


class Penalty(NamedTuple):
    """How long somebody waits who went over a limit, in seconds: `base`, doubled with every further
    time to `cap` at most, and never less than until the window ends. Who stays below the limit for
    `quiet` after the wait begins at `base` again. Requests during a wait do not make it longer."""

    base: int
    cap: int
    quiet: int

    def wait_ms(self, strikes: int) -> int:
        """The wait for that many times."""
        return 1000 * min(self.base << min(strikes - 1, 30), self.cap)

    def longest_ms(self, windows: tuple[Window, ...]) -> int:
        """The longest that anybody can be told to wait."""
        return 1000 * max(self.cap, *(window.seconds for window in windows))


class Verdict(NamedTuple):
    """Whether a request may pass. `window` is the one that is closest to empty.

    `remaining` requests are left in it; it opens anew in `reset` seconds. A refused request passes
    after `retry_after` seconds (at least 1, 0 where it was allowed). `degraded`: nothing was
    counted, because the store did not answer.
    """

    allowed: bool
    window: Window
    remaining: int
    reset: int
    retry_after: int = 0
    degraded: bool = False

    @property
    def limit(self) -> int:
        return self.window.limit


def judge(row: Sequence[int], windows: tuple[Window, ...], now_ms: int) -> Verdict:
    """Read a store's row: allowed, the end of a penalty in ms or 0, then for every window its end
    in ms and the requests in it."""
    least, longest, closest = sys.maxsize, 0, windows[0]
    values = iter(row)
    allowed, blocked_until = next(values), next(values)
    for window, ends, used in zip(windows, values, values, strict=False):
        wait = ends - now_ms
        # An ended window is empty; it stays as it was where another one refused the request.
        # Below 0 after the limit was lowered.
        remaining = max(window.limit - used, 0) if wait > 0 else window.limit
        if remaining < least or (remaining == least and wait > longest):
            least, longest, closest = remaining, wait, window
    if not allowed and blocked_until > now_ms:
        wait = -(-(blocked_until - now_ms) // 1000)
        return Verdict(False, closest, 0, wait, wait)
    reset = max(-(-longest // 1000), 0)
    if allowed:
        return Verdict(True, closest, least, reset)
    return Verdict(False, closest, least, reset, max(reset, 1))


@lru_cache(maxsize=64)
def _policy(windows: tuple[Window, ...]) -> str:
    return ", ".join(
        f'"{limit}-per-{seconds}s";q={limit};w={seconds}' for limit, seconds in windows
    )


def rate_limit_headers(verdict: Verdict, windows: tuple[Window, ...]) -> list[tuple[str, str]]:
    """The header fields of draft-ietf-httpapi-ratelimit-headers, and the older X-RateLimit ones.

    All times are seconds from now. A degraded verdict knows only the policy.
    """
    policy = ("RateLimit-Policy", _policy(windows))
    if verdict.degraded:
        return [policy]
    limit, seconds = verdict.window
    remaining, reset = str(verdict.remaining), str(verdict.reset)
    return [
        policy,
        ("RateLimit", f'"{limit}-per-{seconds}s";r={remaining};t={reset}'),
        ("X-RateLimit-Limit", str(limit)),
        ("X-RateLimit-Remaining", remaining),
        ("X-RateLimit-Reset", reset),
    ]
