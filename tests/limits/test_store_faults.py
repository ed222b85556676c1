"""What happens while the store fails."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from contactapp.config import Window
from contactapp.limits import Penalty, Store, TableStore, Verdict, rate_limit_headers
from tests.support.limits import MINUTE, NOW, quota_on


def test_a_failing_store_lets_pass_and_warns_once_a_minute(
    failing_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    # RL-7
    quota = quota_on(failing_store)
    for n in range(20):
        verdict = quota.check_address("198.51.100.7", NOW + n)
        assert verdict
        assert verdict.allowed
        assert verdict.degraded
        assert [name for name, _ in rate_limit_headers(verdict, MINUTE)] == ["RateLimit-Policy"]
    assert quota.degraded_answers == 20
    quota.check_user(4711, NOW + 70)
    assert len(caplog.records) == 2
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert "198.51" not in caplog.text
    assert "4711" not in caplog.text
    failing_store.close()


def test_a_failing_store_is_left_alone_for_a_while(failing_store: Store) -> None:
    # RL-7
    calls: list[float] = []
    hit = failing_store.hit

    def counted(
        key: str, windows: tuple[Window, ...], now: float, penalty: Penalty | None
    ) -> Verdict:
        calls.append(now)
        return hit(key, windows, now, penalty)

    failing_store.hit = counted  # type: ignore[method-assign]
    quota = quota_on(failing_store)
    for n in range(300):
        quota.check_user(1, NOW + n / 100)
    assert calls == [NOW, NOW + 2]
    failing_store.close()


def test_route_limits_go_on_without_the_store_and_more_strictly(failing_store: Store) -> None:
    # RL-7
    quota = quota_on(failing_store)
    counts = [quota.count("k", Window(0, 60), NOW)[0] for _ in range(4)]
    assert counts == [1, 3, 5, 7]
    assert quota.peek("k", NOW) == (7, NOW + 60)
    assert quota.count("k", Window(0, 60), NOW + 60)[0] == 1
    failing_store.close()


def test_a_store_that_comes_back_counts_again(tmp_path: Path) -> None:
    # RL-7
    folder = tmp_path / "later"
    quota = quota_on(TableStore(folder / "limits.table"))
    degraded = quota.check_user(1, NOW)
    folder.mkdir()
    counted = quota.check_user(1, NOW + 2)
    assert degraded
    assert degraded.degraded
    assert counted == Verdict(True, MINUTE[0], 4, 60)
    quota.store.close()
