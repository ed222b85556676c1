"""Windows, a fixed time and a quota to count with."""

from __future__ import annotations

from contactapp.config import Window
from contactapp.limits import Quota, Store, Verdict

NOW = 1_800_000_000.0
MINUTE = (Window(5, 60),)
MINUTE_AND_HOUR = (Window(3, 60), Window(5, 3600))
KEY = b"a key of the test's own"


def quota_on(store: Store) -> Quota:
    return Quota(store, MINUTE, MINUTE, address_key=KEY)


def use_up(store: Store, key: str, windows: tuple[Window, ...], now: float) -> Verdict:
    """Ask until refused; the refusal."""
    return next(v for v in (store.hit(key, windows, now) for _ in range(1000)) if not v.allowed)
