"""The same counts in Redis, shared by several hosts: each call is one Lua script, so one step."""

from __future__ import annotations

from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from ..config import Window
from .verdict import Penalty, Verdict, judge

TIMEOUT = 0.25  # seconds; an answer takes one thousandth of that
PREFIX = "contactapp:allowance:2:"  # the number counts up when the fields change

# As in `table_store._counted`. The time comes from the caller: hosts' clocks may differ by a
# little, which shortens a window by as much and never lengthens it.
_HIT = """
local now, base, cap = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local quiet, longest = tonumber(ARGV[4]), tonumber(ARGV[5])
local fields, ends, used, free, wait, blocked = {}, {}, {}, 1, 0, 0
local windows = (#ARGV - 5) / 2
for n = 1, windows do
    fields[2 * n - 1], fields[2 * n] = 'ends_' .. n, 'used_' .. n
end
fields[2 * windows + 1], fields[2 * windows + 2] = 'forgiven', 'strikes'
local row = redis.call('HMGET', KEYS[1], unpack(fields))
for n = 1, windows do
    local limit, length = tonumber(ARGV[4 + 2 * n]), tonumber(ARGV[5 + 2 * n])
    ends[n] = math.min(tonumber(row[2 * n - 1] or 0), now + length)
    used[n] = tonumber(row[2 * n] or 0)
    if ends[n] > now and used[n] >= limit then
        free, wait = 0, math.max(wait, ends[n] - now)
    end
end
local forgiven = tonumber(row[2 * windows + 1] or 0)
local strikes = tonumber(row[2 * windows + 2] or 0)
if cap > 0 and (forgiven > now or free == 0) then
    forgiven = math.min(forgiven, now + longest + quiet)
    blocked = forgiven - quiet
    if blocked <= now and wait > 0 then
        if forgiven > now then strikes = strikes + 1 else strikes = 1 end
        blocked = now + math.max(math.min(base * 2 ^ math.min(strikes - 1, 30), cap), wait)
        forgiven = blocked + quiet
    end
    if blocked > now then free = 0 else blocked = 0 end
end
local answer, values, last = {free, blocked}, {}, math.max(now + 1, forgiven)
for n = 1, windows do
    if free == 1 then
        if ends[n] <= now then
            ends[n], used[n] = now + tonumber(ARGV[5 + 2 * n]), 1
        else
            used[n] = used[n] + 1
        end
    end
    last = math.max(last, ends[n])
    answer[2 * n + 1], answer[2 * n + 2] = ends[n], used[n]
    values[4 * n - 3], values[4 * n - 2] = 'ends_' .. n, string.format('%.0f', ends[n])
    values[4 * n - 1], values[4 * n] = 'used_' .. n, string.format('%.0f', used[n])
end
if cap > 0 then
    redis.call('HSET', KEYS[1], 'forgiven', string.format('%.0f', forgiven),
               'strikes', string.format('%.0f', strikes))
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
_GIVE_BACK = """
for n = 1, tonumber(ARGV[2]) do
    local row = redis.call('HMGET', KEYS[1], 'ends_' .. n, 'used_' .. n)
    if tonumber(row[1] or 0) > tonumber(ARGV[1]) and tonumber(row[2] or 0) > 0 then
        redis.call('HINCRBY', KEYS[1], 'used_' .. n, -1)
    end
end
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
        self._give_back = self._redis.register_script(_GIVE_BACK)

    def hit(
        self, key: str, windows: tuple[Window, ...], now: float, penalty: Penalty | None = None
    ) -> Verdict:
        now_ms = round(now * 1000)
        values = [now_ms, 0, 0, 0, 0]
        if penalty is not None:
            values[1:] = [1000 * seconds for seconds in penalty] + [penalty.longest_ms(windows)]
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

    def give_back(self, key: str, windows: tuple[Window, ...], now: float) -> None:
        self._give_back(keys=[PREFIX + key], args=[round(now * 1000), len(windows)])

    def check(self) -> None:
        self._redis.ping()

    def close(self) -> None:
        """Close the connections; the next call opens others."""
        self._redis.close()
