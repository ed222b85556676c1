"""Whoever goes over a limit waits, and twice as long the next time."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from contactapp.config import Window
from contactapp.limits import Penalty, Store, TableStore, open_store
from contactapp.limits.redis_store import RedisStore
from tests.limits.test_exactness import in_four_processes
from tests.support.limits import NOW

SECOND = (Window(3, 1),)
DOUBLING = Penalty(1, 16, 100)


def violate(store: Store, key: str, now: float, windows: Any = SECOND) -> int:
    """Use the window up and go over it; the wait."""
    for _ in range(windows[0].limit):
        assert store.hit(key, windows, now, DOUBLING).allowed
    refused = store.hit(key, windows, now, DOUBLING)
    assert not refused.allowed
    assert refused.remaining == 0
    assert refused.reset == refused.retry_after
    return refused.retry_after


def test_waits_double_to_the_cap_and_each_ends_when_it_says(store: Store, key: str) -> None:
    # RL-2
    now, waits = NOW, []
    for _ in range(6):
        waits.append(violate(store, key, now))
        assert not store.hit(key, SECOND, now + waits[-1] - 0.001, DOUBLING).allowed
        now += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 16]


def test_a_quiet_time_forgives(store: Store, key: str) -> None:
    # RL-2
    now = NOW
    for wait in (1, 2, 4):
        assert violate(store, key, now) == wait
        now += wait
    assert violate(store, key, now + 99) == 8
    now += 99 + 8
    assert violate(store, key, now + 100) == 1


def test_a_wait_never_ends_before_the_window(store: Store, key: str) -> None:
    # RL-2
    minute = (Window(2, 60),)
    assert violate(store, key, NOW, minute) == 60
    assert violate(store, key, NOW + 60, minute) == 60


def test_requests_during_a_wait_do_not_make_it_longer(store: Store, key: str) -> None:
    # RL-3
    violate(store, key, NOW)
    for n in range(200):
        assert store.hit(key, SECOND, NOW + n / 1000, DOUBLING).retry_after == 1
    assert violate(store, key, NOW + 1) == 2


def test_a_restart_keeps_the_strikes(location: tuple[str, Path], key: str) -> None:
    # RL-7
    first = open_store(*location)
    assert [violate(first, key, NOW), violate(first, key, NOW + 1)] == [1, 2]
    first.close()
    second = open_store(*location)
    assert second.hit(key, SECOND, NOW + 2, DOUBLING).retry_after == 1
    assert violate(second, key, NOW + 3) == 4
    second.close()


def test_what_is_forgotten_is_forgiven(store: Store, key: str) -> None:
    violate(store, key, NOW)
    store.forget(key)
    assert violate(store, key, NOW) == 1


def test_a_clock_set_back_locks_nobody_out_for_longer_than_the_longest_wait(
    store: Store, key: str
) -> None:
    violate(store, key, NOW)
    refused = store.hit(key, SECOND, NOW - 86_400, DOUBLING)
    assert not refused.allowed
    assert refused.retry_after <= 16
    assert store.hit(key, SECOND, NOW - 86_400 + 16, DOUBLING).allowed


def test_one_request_is_given_back(store: Store, key: str) -> None:
    windows = (Window(3, 60), Window(5, 3600))
    store.give_back(key, windows, NOW)
    for _ in range(3):
        assert store.hit(key, windows, NOW).allowed
    store.give_back(key, windows, NOW)
    assert store.hit(key, windows, NOW).remaining == 0
    for _ in range(10):
        store.give_back(key, windows, NOW + 60)  # of the hour alone
    assert store.hit(key, windows, NOW + 60).remaining == 2


def _burst(location: Any, key: str, start: Any) -> list[int]:
    store = open_store(*location)
    start.wait()
    verdicts = [store.hit(key, (Window(50, 1),), NOW, DOUBLING) for _ in range(63)]
    store.close()
    return [0 if verdict.allowed else verdict.retry_after for verdict in verdicts]


def test_a_burst_of_four_processes_is_one_strike(location: tuple[str, Path], key: str) -> None:
    # RL-1, RL-3: exactly the limit passes, and nobody is told to wait for more than one strike
    waits = [wait for answer in in_four_processes(_burst, location, key) for wait in answer]
    assert waits.count(0) == 50
    assert waits.count(1) == 4 * 63 - 50
    store = open_store(*location)
    assert violate(store, key, NOW + 1) == 2
    store.close()


def test_both_stores_give_the_same_answers(tmp_path: Path, redis_url: str, key: str) -> None:
    ours, theirs = TableStore(tmp_path / "limits.table"), RedisStore(redis_url)
    chance, now = random.Random(5), NOW
    windows = (Window(2, 2), Window(5, 7), Window(9, 31))
    strike = Penalty(1, 16, 20)
    for _ in range(1000):
        now += chance.choice([0, 0, 0.001, 0.25, 1, 3, -2, 30])
        few, penalty = windows[: chance.randint(1, 3)], chance.choice([strike, strike, None])
        assert ours.hit(key, few, now, penalty) == theirs.hit(key, few, now, penalty)
    for store in (ours, theirs):
        store.close()
