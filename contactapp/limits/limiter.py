"""Flask-Limiter on the application's own counts, for the stricter limits of single routes."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from flask import Flask, current_app, request
from flask_limiter import Limiter
from limits.storage import Storage

from .. import clock
from ..config import Window
from .address import Network, client_address
from .quota import Quota

EXTENSION = "contactapp.limits"


class _Installed(NamedTuple):
    quota: Quota
    trusted_proxies: tuple[Network, ...]


def init_limiter(
    limiter: Limiter, app: Flask, quota: Quota, trusted_proxies: tuple[Network, ...]
) -> None:
    """Bind the limiter to the app: only views that carry `@limiter.limit(…)` pay for it."""
    app.extensions[EXTENSION] = _Installed(quota, trusted_proxies)
    app.config.update(
        RATELIMIT_ENABLED=True,  # the limiter would keep an earlier app's False
        RATELIMIT_STORAGE_URI="contactapp://",
        RATELIMIT_STRATEGY="fixed-window",
        RATELIMIT_HEADERS_ENABLED=False,
        # Judge all windows, so that Retry-After is the longest wait and not the first one found.
        # A request that one window refuses is counted in the others then.
        RATELIMIT_FAIL_ON_FIRST_BREACH=False,
        # Whatever else goes wrong in there, a limit is no reason for a 500; it is logged.
        RATELIMIT_SWALLOW_ERRORS=True,
    )
    # An app that lists the limiter already gets no hooks from it. They would run on every request,
    # half of what bare Flask costs, and do nothing for us: the decorator judges by itself, we write
    # the headers, and there are no defaults and no deduct_when.
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)


def client_key() -> str:
    """Who is asking, hashed: the limiter's key, which it also logs."""
    quota, trusted_proxies = _installed()
    forwarded_for = request.environ.get("HTTP_X_FORWARDED_FOR")
    return quota.address_key(client_address(request.remote_addr, forwarded_for, trusted_proxies))


@lru_cache(maxsize=64)
def limit_text(windows: tuple[Window, ...]) -> str:
    """A setting's windows in Flask-Limiter's notation; empty, which is no limit, for none."""
    return "; ".join(f"{window.limit} per {window.seconds} second" for window in windows)


def retry_after(limiter: Limiter) -> int:
    """After RateLimitExceeded: the whole seconds after which the request would pass."""
    now = clock.now_ms() / 1000
    waits = [limit.window.reset_time - now for limit in limiter.current_limits if limit.breached]
    return max([1, *map(math.ceil, waits)])


class QuotaStorage(Storage):
    """Counts in the store of the app that serves the request.

    The limiter has one storage for all apps of a process, the last one's; this one looks up whose
    turn it is. It never fails: see `Quota.count`.
    """

    STORAGE_SCHEME = ["contactapp"]

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        # A window has no limit of its own here; the limiter compares.
        return _installed().quota.count(key, Window(0, expiry), _now(), amount)[0]

    def get(self, key: str) -> int:
        return _installed().quota.peek(key, _now())[0]

    def get_expiry(self, key: str) -> float:
        return _installed().quota.peek(key, _now())[1]

    def check(self) -> bool:
        return True

    def reset(self) -> None:
        raise NotImplementedError("counts end with their windows")

    def clear(self, key: str) -> None:
        _installed().quota.store.forget(key)


def _installed() -> _Installed:
    installed: _Installed = current_app.extensions[EXTENSION]
    return installed


def _now() -> float:
    return clock.now_ms() / 1000
