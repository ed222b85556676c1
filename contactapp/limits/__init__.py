"""How often somebody may ask: the default quota, and the stricter limits of single routes.

    store.hit(key, windows, now, …)   one caller's row, judged and counted in one step
    Quota(store, …)                   whose row it is; answers even where the store cannot
    client_address(…)                 who is asking, behind which proxies
    init_limiter(limiter, app, …)     Flask-Limiter's `@limiter.limit(…)` on the same store

One host counts in a file of its own (`TableStore`), several share a Redis
(`redis_store.RedisStore`, imported only where one is set). Both give the same answers.
"""

from .address import UNKNOWN, client_address, counted_address
from .limiter import client_key, init_limiter, limit_text, retry_after
from .quota import Quota, Store, open_store
from .table_store import TableStore
from .verdict import Penalty, Verdict, rate_limit_headers

__all__ = [
    "UNKNOWN",
    "Penalty",
    "Quota",
    "Store",
    "TableStore",
    "Verdict",
    "client_address",
    "client_key",
    "counted_address",
    "init_limiter",
    "limit_text",
    "open_store",
    "rate_limit_headers",
    "retry_after",
]
