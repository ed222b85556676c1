"""The same counts in Redis, shared by several hosts: each call is one Lua script, so one step."""

from __future__ import annotations

from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from ..config import Window
from .verdict import Verdict, judge

TIMEOUT = 0.25  # seconds; an answer takes one thousandth of that
PREFIX = "contactapp:allowance:1:"  # the number counts up when the fields change

# As in `table_store._counted`. The time comes from the caller: hosts' clocks may differ by a
# little, which shortens a window by as much and never lengthens it.
_HIT = """
local now, fields, ends, used, free = tonumber(ARGV[1]), {}, {}, {}, 1
local windows = (#ARGV - 1) / 2
for n = 1, windows do
    fields[2 * n - 1], fields[2 * n] = 'ends_' .. n, 'used_' .. n
end
local row = redis.call('HMGET', KEYS[1], unpack(fields))
for n = 1, windows do
    local limit, length = tonumber(ARGV[2 * n]), tonumber(ARGV[2 * n + 1])
    ends[n] = math.min(tonumber(row[2 * n - 1] or 0), now + length)
    used[n] = tonumber(row[2 * n] or 0)
    if ends[n] > now and used[n] >= limit then free = 0 end
end
local answer, values, last = {free}, {}, now + 1
for n = 1, windows do
    if free == 1 then
        if ends[n] <= now then
            ends[n], used[n] = now + tonumber(ARGV[2 * n + 1]), 1
        else
            used[n] = used[n] + 1
        end
    end
    last = math.max(last, ends[n])
    answer[2 * n], answer[2 * n + 1] = ends[n], used[n]
    values[4 * n - 3], values[4 * n - 2] = 'ends_' .. n, string.format('%.0f', ends[n])
    values[4 * n - 1], values[4 * n] = 'used_' .. n, string.format('%.0f', used[n])
end
redis.call('HSET', KEYS[1], unpack(values))
redis.call('PEXPIRE', KEYS[1], last - now)
return answer
"""
_COUNT = """
local now, length, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local row = redis.call('HMGET', KEYS[1], 'ends_1', 'used_1')
local ends, used = math.min(tonumber(row[1] or 0), now + length), tonumber(row[2] or 0) + amount
if ends <= now then
    ends, used = now + length, amount
end
redis.call('HSET', KEYS[1], 'ends_1', string.format('%.0f', ends),
           'used_1', string.format('%.0f', used))
redis.call('PEXPIRE', KEYS[1], ends - now)
return {used, ends}
"""


class RedisStore:
    """The counts in the Redis at `url`; see `quota.Store` for what its methods promise."""

    failures: tuple[type[Exception], ...] = (redis.RedisError, OSError)

    def __init__(self, url: str) -> None:
        # The pool opens connections as they are needed and none of a process it was forked from.
        # One retry for a connection that the server has closed; after a timeout none, because the
        # request is waiting (redis-py's own default is several, with pauses).
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        self._hit = self._redis.register_script(_HIT)
        self._count = self._redis.register_script(_COUNT)

    def hit(self, key: str, windows: tuple[Window, ...], now: float) -> Verdict:
        now_ms = round(now * 1000)
        values = [now_ms]
        for window in windows:
            values += (window.limit, window.seconds * 1000)
        row = cast("list[int]", self._hit(keys=[PREFIX + key], args=values))
        return judge(row, windows, now_ms)

    def count(self, key: str, window: Window, now: float, amount: int = 1) -> tuple[int, float]:
        values = [round(now * 1000), window.seconds * 1000, amount]
        used, ends = cast("list[int]", self._count(keys=[PREFIX + key], args=values))
        return used, ends / 1000

    def peek(self, key: str, now: float) -> tuple[int, float]:
        found = cast("list[Any]", self._redis.hmget(PREFIX + key, ["used_1", "ends_1"]))
        used, ends = (int(value or 0) for value in found)
        return (used, ends / 1000) if ends > now * 1000 else (0, now)

    def forget(self, key: str) -> None:
        self._redis.delete(PREFIX + key)

    def check(self) -> None:
        self._redis.ping()

    def close(self) -> None:
        """Close the connections; the next call opens others."""
        self._redis.close()
