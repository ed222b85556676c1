"""Work that is done a bounded number at a time, in a process and on a host."""

import os
import signal
import stat
import threading
import time

import pytest

from contactapp.bounded import Bounded, Busy, HostPlaces
from tests.support.processes import context

PATIENCE = 20


class Worker:
    """A thread that holds a place until it is let go."""

    def __init__(self, bounded):
        self.inside, self._go, self.error = threading.Event(), threading.Event(), None
        self._thread = threading.Thread(target=self._work, args=(bounded,), daemon=True)
        self._thread.start()

    def _work(self, bounded):
        try:
            with bounded.place():
                self.inside.set()
                assert self._go.wait(PATIENCE)
        except Busy as busy:
            self.error = busy

    def let_go(self):
        self._go.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


# RL-8
def test_the_next_gets_in_when_one_comes_out():
    bounded = Bounded(1, PATIENCE, 1)
    first = Worker(bounded)
    assert first.inside.wait(PATIENCE)
    second = Worker(bounded)
    assert not second.inside.wait(0.05)
    first.let_go()
    assert second.inside.wait(PATIENCE)
    second.let_go()


# RL-8
def test_a_full_line_turns_away_at_once_and_says_when_to_come_back():
    bounded = Bounded(1, PATIENCE, 1)
    first = Worker(bounded)
    assert first.inside.wait(PATIENCE)
    second = Worker(bounded)
    while bounded._line.acquire(blocking=False):  # until it queues
        bounded._line.release()
        time.sleep(0.001)
    with pytest.raises(Busy) as busy, bounded.place():
        pass
    assert busy.value.retry_after == PATIENCE
    for worker in (first, second):
        worker.let_go()
    with bounded.place():
        pass


def test_who_waits_too_long_is_told_so():
    bounded = Bounded(1, 0.02, None)
    first = Worker(bounded)
    assert first.inside.wait(PATIENCE)
    with pytest.raises(Busy), bounded.place():
        pass
    first.let_go()


def test_a_failure_gives_the_place_back(tmp_path):
    bounded = Bounded(1, 0.02, 0, HostPlaces(tmp_path / "places", 1))
    with pytest.raises(ZeroDivisionError), bounded.place():
        raise ZeroDivisionError
    with bounded.place():
        pass


def hold(path, places, inside, go):
    with Bounded(1, PATIENCE, None, HostPlaces(path, places)).place():
        inside.set()
        assert go.wait(PATIENCE)


@pytest.fixture
def elsewhere(tmp_path):
    """Have other processes hold places in a file."""
    running = []

    def start(places):
        inside, go = context.Event(), context.Event()
        process = context.Process(target=hold, args=(tmp_path / "places", places, inside, go))
        process.start()
        running.append((process, go))
        assert inside.wait(PATIENCE)
        return process, go

    yield start
    for process, go in running:
        if process.is_alive():  # an event waits for ever for a waiter that was killed
            go.set()
        process.join(PATIENCE)


# RL-8
def test_processes_share_the_places_of_a_host(tmp_path, elsewhere):
    mine = Bounded(1, 0.05, None, HostPlaces(tmp_path / "places", 2))
    _, go = elsewhere(2)
    with mine.place():
        pass
    elsewhere(2)
    with pytest.raises(Busy), mine.place():
        pass
    waits = Bounded(1, PATIENCE, None, HostPlaces(tmp_path / "places", 2))
    worker = Worker(waits)
    assert not worker.inside.wait(0.05)
    go.set()
    assert worker.inside.wait(PATIENCE)
    worker.let_go()
    assert stat.S_IMODE((tmp_path / "places").stat().st_mode) == 0o600


def test_the_place_of_a_killed_process_is_free(tmp_path, elsewhere):
    mine = Bounded(1, 0.05, None, HostPlaces(tmp_path / "places", 1))
    process, _ = elsewhere(1)
    with pytest.raises(Busy), mine.place():
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join(PATIENCE)
    with mine.place():
        pass
