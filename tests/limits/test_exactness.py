"""Every store counts exactly, over processes, restarts and clocks."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path
from typing import Any

from contactapp.config import Window
from contactapp.limits import Store, TableStore, Verdict, open_store
from contactapp.limits.redis_store import RedisStore
from tests.support.limits import MINUTE, MINUTE_AND_HOUR, NOW, use_up
from tests.support.processes import context

# RL-1: exactness


def _hit(location: Any, key: str, start: Any) -> int:
    store, jitter = open_store(*location), random.Random(os.getpid())
    start.wait()
    hits = [store.hit(key, (Window(50, 60),), NOW + jitter.random()).allowed for _ in range(63)]
    return sum(hits)


def _count(location: Any, key: str, start: Any) -> list[int]:
    store = open_store(*location)
    start.wait()
    return [store.count(key, Window(0, 60), NOW)[0] for _ in range(50)]


def _open_new_files(location: Any, key: str, start: Any) -> list[int]:
    remaining = []
    for n in range(60):
        store = TableStore(location[1].with_name(f"new-{n}.table"))
        start.wait()
        remaining.append(store.hit(key, MINUTE, NOW).remaining)
        store.close()
    return remaining


def _in_a_process(work: Any, location: Any, key: str, start: Any, results: Any) -> None:
    try:
        results.put(work(location, key, start))
    except BaseException as error:  # else the others would wait for this one
        start.abort()
        results.put(error)


def in_four_processes(work: Any, location: tuple[str, Path], key: str) -> list[Any]:
    start, results = context.Barrier(4), context.Queue()
    arguments = (work, location, key, start, results)
    workers = [context.Process(target=_in_a_process, args=arguments) for _ in range(4)]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


def test_four_processes_pass_exactly_the_limit(location: tuple[str, Path], key: str) -> None:
    # RL-1: the clocks of the requests differ, as those of requests that overtake each other do
    assert sum(in_four_processes(_hit, location, key)) == 50


def test_route_counts_are_exact_over_processes(location: tuple[str, Path], key: str) -> None:
    # RL-1
    answers = in_four_processes(_count, location, key)
    assert sorted(itertools.chain(*answers)) == list(range(1, 201))


def test_processes_that_start_together_count_from_the_first_request(
    tmp_path: Path, key: str
) -> None:
    # RL-1
    answers = in_four_processes(_open_new_files, ("", tmp_path / "limits.table"), key)
    assert [sorted(four) for four in zip(*answers, strict=True)] == [[1, 2, 3, 4]] * 60


def test_a_refused_request_consumes_nothing(store: Store, key: str) -> None:
    # RL-1
    for _ in range(3):
        assert store.hit(key, MINUTE_AND_HOUR, NOW).allowed
    for _ in range(20):
        assert not store.hit(key, MINUTE_AND_HOUR, NOW + 1).allowed
    assert store.hit(key, MINUTE_AND_HOUR, NOW + 60).remaining == 1  # 4 of 5 in the hour
    assert store.hit(key, MINUTE_AND_HOUR, NOW + 60).allowed
    assert not store.hit(key, MINUTE_AND_HOUR, NOW + 60).allowed


def test_a_window_opens_with_the_first_request_in_it(store: Store, key: str) -> None:
    assert store.hit(key, MINUTE, NOW + 0.5) == Verdict(True, MINUTE[0], 4, 60)
    assert store.hit(key, MINUTE, NOW + 30.5) == Verdict(True, MINUTE[0], 3, 30)
    assert store.hit(key, MINUTE, NOW + 60.4).remaining == 2
    assert store.hit(key, MINUTE, NOW + 60.5) == Verdict(True, MINUTE[0], 4, 60)


def test_waiting_exactly_retry_after_gets_through(store: Store, key: str) -> None:
    # RL-1
    chance = random.Random(1)
    for n in range(50):
        now = NOW + chance.random() * 100
        windows = (Window(3, chance.randint(1, 90)), Window(4, chance.randint(1, 900)))
        while True:
            verdict = store.hit(f"{key}{n}", windows, now)
            if not verdict.allowed:
                break
            now += chance.random() / 10
        assert verdict.remaining == 0
        assert 1 <= verdict.retry_after == verdict.reset
        assert store.hit(f"{key}{n}", windows, now + verdict.retry_after).allowed


def test_no_rounding_makes_the_wait_too_short(tmp_path: Path) -> None:
    # RL-1: times half-way between two milliseconds
    store = TableStore(tmp_path / "limits.table")
    for n in range(500):
        now = NOW + n * 1.001 + 0.0005
        wait = use_up(store, f"u{n}", (Window(1, 60),), now).retry_after
        assert wait == 60
        assert store.hit(f"u{n}", (Window(1, 60),), now + wait).allowed
    store.close()


def test_a_refusal_names_the_longest_wait(store: Store, key: str) -> None:
    windows = (Window(2, 60), Window(2, 3600))
    refused = use_up(store, key, windows, NOW)
    assert (refused.window, refused.retry_after) == (windows[1], 3600)


def test_an_answer_names_the_window_closest_to_empty(store: Store, key: str) -> None:
    assert store.hit(key, MINUTE_AND_HOUR, NOW).window.limit == 3
    store.hit(key, MINUTE_AND_HOUR, NOW)
    later = store.hit(key, MINUTE_AND_HOUR, NOW + 61)
    assert (later.limit, later.remaining, later.reset) == (5, 2, 3539)


def test_both_stores_give_the_same_answers(tmp_path: Path, redis_url: str, key: str) -> None:
    ours, theirs = TableStore(tmp_path / "limits.table"), RedisStore(redis_url)
    chance, now = random.Random(2), NOW
    windows = (Window(4, 2), Window(7, 5), Window(9, 11), Window(20, 60))
    for _ in range(500):
        now += chance.choice([0, 0.001, 0.25, 1, 3, -2, 30])
        few = windows[: chance.randint(1, 4)]
        assert ours.hit(key, few, now) == theirs.hit(key, few, now)
        assert ours.count(f"{key}c", few[0], now) == theirs.count(f"{key}c", few[0], now)
        assert ours.peek(f"{key}c", now) == theirs.peek(f"{key}c", now)
    for store in (ours, theirs):
        store.forget(f"{key}c")
        assert store.peek(f"{key}c", now) == (0, now)
        store.close()


def test_a_restart_keeps_the_counts(location: tuple[str, Path], key: str) -> None:
    # RL-7
    first = open_store(*location)
    use_up(first, key, MINUTE, NOW)
    first.close()
    second = open_store(*location)
    assert not second.hit(key, MINUTE, NOW + 1).allowed
    second.close()


def test_a_clock_set_back_locks_nobody_out_for_longer_than_a_window(store: Store, key: str) -> None:
    use_up(store, key, MINUTE, NOW)
    back = NOW - 86_400
    refused = store.hit(key, MINUTE, back)
    assert not refused.allowed
    assert refused.retry_after == 60
    assert store.hit(key, MINUTE, back + 60).allowed


def test_a_request_that_was_overtaken_does_not_empty_the_window(store: Store, key: str) -> None:
    # RL-1
    use_up(store, key, MINUTE, NOW + 0.002)
    assert not store.hit(key, MINUTE, NOW).allowed
