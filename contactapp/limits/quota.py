"""The default quota of a user or an address, answered even where the store cannot be reached."""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from .. import clock, metrics
from ..config import Window
from .address import counted_address
from .table_store import TableStore
from .verdict import Penalty, Verdict, judge

PAUSE = 2.0  # seconds for which a failing store is not asked again
WARN_EVERY = 60.0  # seconds
LOCAL_KEYS = 10_000

log = logging.getLogger(__name__)


class Store(Protocol):
    """Where the counts are. Times are seconds since the epoch; any call may raise `failures`."""

    failures: tuple[type[Exception], ...]

    def hit(
        self, key: str, windows: tuple[Window, ...], now: float, penalty: Penalty | None = None
    ) -> Verdict:
        """Count one request in all windows, or refuse it and count it in none."""

    def count(self, key: str, window: Window, now: float, amount: int = 1) -> tuple[int, float]:
        """Count without judging: the requests in the window now, and when it ends."""

    def peek(self, key: str, now: float) -> tuple[int, float]:
        """What `count` answered last, or 0 and now where that window has ended."""

    def forget(self, key: str) -> None: ...

    def give_back(self, key: str, windows: tuple[Window, ...], now: float) -> None:
        """Take one request out of all windows again."""

    def check(self) -> None:
        """Return where the store answers."""

    def close(self) -> None: ...


def open_store(redis_url: str, path: Path) -> Store:
    """The Redis where one is set, else the file. Nothing is opened before the first call."""
    if redis_url:
        from .redis_store import RedisStore

        return RedisStore(redis_url)
    return TableStore(path)


class Quota:
    """Counts requests per user and per address; no windows means that limit is off.

    Addresses are personal data, so the store sees only their hashes under `address_key`
    (up to 64 bytes; keep it, or a restart forgets who has asked).
    When the store fails, the default quota lets requests pass (`degraded`); `count` and `restrict`,
    which guard sign-in and its like, go on in this process alone and more strictly.
    """

    def __init__(
        self,
        store: Store,
        user_windows: tuple[Window, ...],
        anonymous_windows: tuple[Window, ...],
        *,
        address_key: bytes,
        penalty: Penalty | None = None,
    ) -> None:
        self.store = store
        self.penalty = penalty
        self.user_windows = user_windows
        self.anonymous_windows = anonymous_windows
        self.degraded_answers = 0
        self._fault = _Fault()
        self._local = _LocalCounts()

        def hashed(text: str) -> str:
            return blake2b(text.encode(), digest_size=16, key=address_key).hexdigest()

        @lru_cache(maxsize=4096)
        def hashed_address(address: str) -> str:
            return "a" + hashed(counted_address(address))

        self.hashed, self.address_key = hashed, hashed_address

    def check_user(self, user_id: int, now: float) -> Verdict | None:
        if not self.user_windows:
            return None
        return self._hit(f"u{user_id}", self.user_windows, now)

    def check_address(self, address: str, now: float) -> Verdict | None:
        if not self.anonymous_windows:
            return None
        return self._hit(self.address_key(address), self.anonymous_windows, now)

    def restrict(self, key: str, windows: tuple[Window, ...], now: float) -> Verdict | None:
        """As `check_user` for a key of one's own; where the store fails, this process counts."""
        if not windows:
            return None
        verdict = self._hit(key, windows, now)
        if not verdict.degraded:
            return verdict
        row = [1, 0]
        for number, window in enumerate(windows):
            used, ends = self._local.count(f"{key} {number}", window, now, 1)
            row += round(ends * 1000), used
            row[0] = row[0] and int(used <= window.limit)
        return judge(row, windows, round(now * 1000))

    def forget(self, key: str) -> None:
        """Empty a key's windows and forgive it, if the store answers."""
        self._local.forget(key)
        try:
            self.store.forget(key)
        except self.store.failures as error:
            self._fault.note(error, clock.now_ms() / 1000)

    def give_back(self, key: str, windows: tuple[Window, ...], now: float) -> None:
        """As `Store.give_back`, if the store answers."""
        try:
            self.store.give_back(key, windows, now)
        except self.store.failures as error:
            self._fault.note(error, now)

    def count(self, key: str, window: Window, now: float, amount: int = 1) -> tuple[int, float]:
        """As `Store.count`, without failing."""
        if not self._fault.is_fresh(now):
            try:
                return self.store.count(key, window, now, amount)
            except self.store.failures as error:
                self._fault.note(error, now)
        self.degraded_answers += 1
        metrics.count_limits_failed()
        return self._local.count(key, window, now, amount)

    def peek(self, key: str, now: float) -> tuple[int, float]:
        """As `Store.peek`, without failing."""
        if not self._fault.is_fresh(now):
            try:
                return self.store.peek(key, now)
            except self.store.failures as error:
                self._fault.note(error, now)
        return self._local.peek(key, now)

    def _hit(self, key: str, windows: tuple[Window, ...], now: float) -> Verdict:
        if not self._fault.is_fresh(now):
            try:
                return self.store.hit(key, windows, now, self.penalty)
            except self.store.failures as error:
                self._fault.note(error, now)
        self.degraded_answers += 1
        metrics.count_limits_failed()
        window = windows[0]
        return Verdict(True, window, window.limit, window.seconds, degraded=True)


class _Fault:
    """When the store failed last. For a while it is not asked, so that a slow one costs one
    request its timeout and not all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: float | None = None
        self._warned: float | None = None

    def is_fresh(self, now: float) -> bool:
        failed = self._failed
        return failed is not None and failed <= now < failed + PAUSE

    def note(self, error: Exception, now: float) -> None:
        with self._lock:
            self._failed = now
            if self._warned is not None and self._warned <= now < self._warned + WARN_EVERY:
                return
            self._warned = now
        # Not the error's text: it could name keys or the store's address.
        log.warning("the rate limit store fails (%s); limits are not exact", type(error).__name__)


class _LocalCounts:
    """Counts of this process alone, for as long as the store fails.

    Every process counts for itself then, so each request after the first counts twice.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}

    def count(self, key: str, window: Window, now: float, amount: int) -> tuple[int, float]:
        with self._lock:
            used, ends = self._counts.pop(key, (0, 0.0))
            if ends <= now:
                used, ends = 0, now + window.seconds
            used = used + 2 * amount if used else amount
            ends = min(ends, now + window.seconds)
            while len(self._counts) >= LOCAL_KEYS:
                del self._counts[next(iter(self._counts))]  # who has not asked for the longest
            self._counts[key] = used, ends
        return used, ends

    def forget(self, key: str) -> None:
        with self._lock:
            for name in [name for name in self._counts if name.startswith(f"{key} ")]:
                del self._counts[name]

    def peek(self, key: str, now: float) -> tuple[int, float]:
        used, ends = self._counts.get(key, (0, 0.0))
        return (used, ends) if ends > now else (0, now)
