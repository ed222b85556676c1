"""The file that the processes of one host count in."""

from __future__ import annotations

import os
import random
import signal
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from contactapp.config import Window
from contactapp.limits import Penalty, TableStore, Verdict, table
from contactapp.limits.table import COUNTS, Table
from tests.support.limits import MINUTE, NOW, quota_on
from tests.support.processes import context

WIDE = (Window(10**6, 60),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits.table"


@pytest.fixture
def store(path: Path) -> Iterator[TableStore]:
    opened = TableStore(path)
    yield opened
    opened.close()


@contextmanager
def entered(path: Path) -> Iterator[Table]:
    """The table itself; nobody else gets in meanwhile."""
    opened = Table(path)
    opened.enter()
    try:
        yield opened
    finally:
        opened.leave()
        opened.close()


def buckets(path: Path) -> int:
    """How many the file has."""
    with entered(path) as opened:
        return opened._buckets


def used(store: TableStore, key: str, now: float = NOW) -> int:
    """How often the key has been counted in WIDE before."""
    return 10**6 - 1 - store.hit(key, WIDE, now).remaining


def test_a_fork_goes_on_in_the_same_file(store: TableStore) -> None:
    store.hit("u1", MINUTE, NOW)
    child = os.fork()
    if child == 0:
        os._exit(0 if store.hit("u1", MINUTE, NOW).remaining == 3 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.hit("u1", MINUTE, NOW).remaining == 2


def test_a_fork_finds_the_table_open(store: TableStore, path: Path) -> None:
    """Also when another thread is in it at that moment."""
    inside, out = threading.Event(), threading.Event()

    def stay() -> None:
        with entered(path):
            inside.set()
            out.wait(0.3)

    thread = threading.Thread(target=stay)
    thread.start()
    assert inside.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if not quota_on(store).check_user(1, NOW).degraded else 1)  # type: ignore[union-attr]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()


def test_a_closed_store_opens_the_file_that_is_there(store: TableStore, path: Path) -> None:
    store.hit("u1", MINUTE, NOW)
    store.close()
    path.unlink()
    assert store.hit("u1", MINUTE, NOW).remaining == 4
    assert path.exists()


def test_the_table_grows_and_forgets_nobody(store: TableStore, path: Path) -> None:
    # RL-1: the first 4096 slots are not enough
    store.check()
    before = path.stat().st_size
    for times in range(2):
        assert [used(store, f"u{n}") for n in range(6000)] == [times] * 6000
    assert buckets(path) >= 2 * table.FIRST_BUCKETS
    assert path.stat().st_size > before


def test_another_process_follows_a_table_that_grew(store: TableStore, path: Path) -> None:
    # RL-1
    other = TableStore(path)
    assert used(other, "u1") == 0
    for n in range(6000):
        store.hit(f"u{n}", WIDE, NOW)
    answers = context.Queue()
    child = context.Process(target=_count_in_a_process, args=(path, answers))
    child.start()
    assert answers.get(timeout=60) == [1 + (n == 1) for n in range(6000)]
    child.join()
    assert used(other, "u1") == 3
    other.close()


def _count_in_a_process(path: Path, answers: Any) -> None:
    store = TableStore(path)
    answers.put([used(store, f"u{n}") for n in range(6000)])


def test_the_slots_of_ended_windows_are_used_again(store: TableStore, path: Path) -> None:
    for n in range(20_000):
        store.hit(f"u{n}", MINUTE, NOW + n)  # sixty are open at a time
    assert buckets(path) == table.FIRST_BUCKETS


def test_an_ended_slot_is_taken_before_the_table_grows(
    store: TableStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "FIRST_BUCKETS", 1)
    for n in range(8):
        store.hit(f"old{n}", MINUTE, NOW)
    for n in range(8):
        store.hit(f"new{n}", MINUTE, NOW + 59)
    assert store.hit("one more", (Window(9, 60), Window(9, 3600)), NOW + 61).remaining == 8
    assert [store.hit(f"new{n}", MINUTE, NOW + 61).remaining for n in range(8)] == [3] * 8
    assert buckets(path) == 1


def test_what_has_ended_is_left_behind_when_the_table_grows(
    store: TableStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "FIRST_BUCKETS", 2)
    of: tuple[list[str], list[str]] = ([], [])
    for n in range(100):
        of[table._number(table._hash(f"u{n}")) % 2].append(f"u{n}")
    old, full, next_ = of[1][:3], of[0][:16], of[0][16]
    for key in old:
        store.hit(key, MINUTE, NOW)
    for key in full:
        store.hit(key, MINUTE, NOW + 30)
    assert store.hit(next_, MINUTE, NOW + 61).remaining == 4
    assert buckets(path) == 4
    with entered(path) as mine:
        assert [mine.find(key) for key in old] == [0, 0, 0]
    assert [store.hit(key, MINUTE, NOW + 61).remaining for key in full] == [3] * 16


def test_beyond_the_most_the_one_that_ends_first_is_forgiven(
    store: TableStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "FIRST_BUCKETS", 1)
    monkeypatch.setattr(table, "MOST_BUCKETS", 1)
    for n in range(17):
        store.hit(f"u{n}", MINUTE, NOW + n)
    assert buckets(path) == 1
    assert [store.hit(f"u{n}", MINUTE, NOW + 20).remaining for n in range(1, 17)] == [3] * 16


def test_a_key_is_not_found_across_two_slots(store: TableStore, path: Path) -> None:
    """The bytes of a key's hash may come up in the middle of another's counts."""
    store.check()
    digest = table._hash("u1")
    with entered(path) as mine:
        at = mine._start(digest) + 40
        mine.bytes[at : at + len(digest)] = digest
        assert mine.find("u1") == 0


def test_forgetting_frees_the_slot(store: TableStore) -> None:
    store.hit("u1", MINUTE, NOW)
    store.forget("u1")
    store.forget("never there")
    assert store.hit("u1", MINUTE, NOW).remaining == 4


def test_the_file_is_for_its_owner_only_and_holds_no_address(path: Path) -> None:
    before = os.umask(0)
    quota = quota_on(TableStore(path))
    quota.check_address("198.51.100.7", NOW)
    os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"198.51.100" not in path.read_bytes()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    quota.store.close()


OURS = struct.pack("=20sI", table._NAME, 256)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"no table " * 100_000,
        OURS.replace(b" 2", b" 0") + b"\x7f" * 400_000,
        OURS + bytes(1000),
        OURS[:20] + bytes(400_000),
    ],
    ids=["empty", "short", "another file", "another shape", "cut short", "no buckets"],
)
def test_an_unfit_file_is_made_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    quota = quota_on(TableStore(path))
    assert quota.check_user(1, NOW) == Verdict(True, MINUTE[0], 4, 60)
    assert quota.check_user(1, NOW) == Verdict(True, MINUTE[0], 3, 60)
    assert path.read_bytes().startswith(OURS)
    assert path.stat().st_size >= len(content)  # who has mapped it is not killed
    quota.store.close()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_bytes_are_they_are_counts(path: Path, seed: int) -> None:
    # RL-7: a damaged disk, or a kill in the middle of a write
    chance, store = random.Random(seed), TableStore(path)
    keys, most = [f"u{n}" for n in range(50)], COUNTS.pack(*[2**63 - 1] * 10)
    penalty = Penalty(1, 16, 100) if seed % 2 else None
    for key in keys:
        store.hit(key, MINUTE, NOW, penalty)
    with entered(path) as mine:
        for key in keys:
            at = mine.find(key)
            mine.bytes[at : at + COUNTS.size] = chance.choice(
                [chance.randbytes(COUNTS.size), b"\xff" * COUNTS.size, most]
            )
    for key in keys:
        refused = store.hit(key, MINUTE, NOW, penalty)
        assert refused.reset <= 60
        assert store.count(key, Window(0, 60), NOW)[1] <= NOW + 60
        assert store.peek(key, NOW)[1] <= NOW + 60
    for key in keys:
        assert store.hit(key, MINUTE, NOW + 60) == Verdict(True, MINUTE[0], 4, 60)
    store.close()


def test_a_killed_process_leaves_the_table_open(store: TableStore, path: Path) -> None:
    # RL-7
    ready = context.Event()
    child = context.Process(target=_stay, args=(path, ready))
    child.start()
    assert ready.wait(30)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    assert store.hit("u1", MINUTE, NOW).remaining == 4


def _stay(path: Path, ready: Any) -> None:
    mine = Table(path)
    mine.enter()
    ready.set()
    signal.pause()


def test_a_full_disk_is_a_failing_store_and_kills_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # RL-7: /dev/full refuses every write with the error of a full disk
    full = Table(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left"):
        full.enter()
    monkeypatch.setattr(table, "FIRST_BUCKETS", 1)
    store = TableStore(path)
    for n in range(16):
        store.hit(f"u{n}", MINUTE, NOW)
    monkeypatch.setattr(store._table, "_write", full._write)
    full._file = os.open("/dev/full", os.O_RDWR)
    quota = quota_on(store)
    refused = quota.check_user(99, NOW)
    assert refused
    assert refused.degraded
    os.close(full._file)
    assert store.hit("u3", MINUTE, NOW).remaining == 3
    store.close()


@pytest.mark.parametrize("strikes", [2**63 - 1, -(2**63), -1])
def test_damaged_strikes_are_some_strikes(path: Path, strikes: int) -> None:
    # RL-7
    store, now_ms = TableStore(path), round(NOW * 1000)
    store.hit("u1", MINUTE, NOW)
    with entered(path) as mine:
        at, nothing = mine.find("u1"), [0] * 6
        COUNTS.pack_into(mine.bytes, at, now_ms + 9_000, 5, *nothing, now_ms + 50_000, strikes)
    refused = store.hit("u1", MINUTE, NOW, Penalty(1, 16, 100))
    assert not refused.allowed
    assert 9 <= refused.retry_after <= 16
    store.close()
