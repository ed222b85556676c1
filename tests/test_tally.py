"""Numbers in files: over processes, places taken over, and what was half written."""

import pytest

from contactapp import metrics, tally
from contactapp.exposition import exposition
from contactapp.tally import PLACES, Tally, shared
from tests.support.processes import context

A, B = ("requests", "/a"), ("requests", "/b")


def add(folder, process, name, times=1, size=1):
    mine = Tally(folder, process)
    place = mine.place(name, size)
    for _ in range(times):
        with mine.lock:
            mine.numbers[place] += 1
    return mine


def test_without_a_folder_it_is_in_memory():
    mine = add(None, "", A, 3)
    assert list(mine) == [(A, [3.0])]


def test_every_name_has_places_of_its_own(tmp_path):
    mine = Tally(tmp_path, "one")
    places = [mine.place((str(n),), n % 3 + 1) for n in range(1000)]
    assert places == [mine.place((str(n),), n % 3 + 1) for n in range(1000)]
    for n, place in enumerate(places):
        for number in range(n % 3 + 1):
            mine.numbers[place + number] = n + number / 10
    assert dict(shared(tmp_path)) == {
        (str(n),): [n + number / 10 for number in range(n % 3 + 1)] for n in range(1000)
    }


def test_all_processes_are_read(tmp_path):
    processes = [
        context.Process(target=add, args=(tmp_path, f"web-{n}", A, 1000)) for n in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert list(shared(tmp_path)) == [(A, [1000.0])] * 3


def test_who_takes_a_place_goes_on_with_its_numbers(tmp_path):
    add(tmp_path, "web-1", A, 2, size=3)
    add(tmp_path, "web-1", B)
    add(tmp_path, "web-1", A, 3, size=3)
    assert list(shared(tmp_path)) == [(A, [5.0, 0.0, 0.0]), (B, [1.0])]


@pytest.mark.parametrize("kept", range(4, 17))
def test_a_name_that_was_half_written_is_written_anew(tmp_path, kept):
    add(tmp_path, "web-1", A)
    with (tmp_path / "web-1").open("r+b") as file:
        whole = file.read()
        at = whole.index(b"\n", 8 * PLACES) + 1
        file.seek(at)
        file.write(b'[1,"requests","/z"]'[:kept])  # killed in the middle of it
    assert list(shared(tmp_path)) == [(A, [1.0])]
    add(tmp_path, "web-1", B)
    assert list(shared(tmp_path)) == [(A, [1.0]), (B, [1.0])]


def test_what_finds_no_room_disturbs_nobody(tmp_path):
    mine = add(tmp_path, "web-1", A)
    for n in range(PLACES // 100):
        place = mine.place(("many", str(n)), 100)
        mine.numbers[place + 60 if place == 0 else place + 99] += 1
    assert mine.place(("last",), 100) == 0
    long = Tally(tmp_path, "web-2")
    assert any(long.place((f"{n}" + "x" * 10_000,)) == 0 for n in range(20))
    assert dict(shared(tmp_path))[A] == [1.0]


def test_a_file_has_no_holes(tmp_path):
    Tally(tmp_path, "web-1")
    about = (tmp_path / "web-1").stat()
    assert about.st_size == tally._FILE <= about.st_blocks * 512


@pytest.mark.parametrize("written", [OSError(28, "No space left on device"), 4096])
def test_a_full_disk_costs_the_sum_and_nothing_else(tmp_path, monkeypatch, caplog, written):
    def full(*_):
        if isinstance(written, int):
            return written
        raise written

    before = metrics._counts
    monkeypatch.setattr(tally.os, "pwrite", full)
    metrics.begin(tmp_path / "metrics")
    metrics.share(tmp_path / "metrics", "web-1")
    assert metrics._counts is before
    assert "cannot count over processes: OSError" in caplog.text
    assert b"contactapp_views" in exposition([])


def test_what_another_version_counted_is_passed_over(tmp_path, monkeypatch):
    folder = tmp_path / "metrics"
    metrics.begin(folder)
    monkeypatch.setattr(metrics, "_counts", metrics._counts)
    metrics.share(folder, "web-1")
    other = Tally(folder, "web-2")
    for name, size in (
        (("requests_total", "old"), 1),
        (("old",), 1),
        (("request_seconds", "/"), 3),
    ):
        other.numbers[other.place(name, size)] = 4711
    metrics.count_request("/", "GET", 200, 0.2)
    assert b"4711" not in exposition([])
    metrics.gone(folder, "web-2")
    assert b'process_id{process="web-1"}' in exposition([])
    metrics.gone(folder, "web-1")
    told = exposition([])
    assert b"process_id{" not in told
    assert b'requests_total{route="/",method="GET",status="2xx"} 1.0' in told


def test_a_server_starts_also_where_nothing_can_be_counted_in_files(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(metrics, "_counts", metrics._Counts())
    taken = tmp_path / "metrics"
    taken.write_text("somebody's own")
    metrics.begin(taken)
    metrics.share(taken, "web-1")
    assert [record.message for record in caplog.records] == [
        "/metrics cannot begin at zero: FileExistsError",
        "/metrics cannot count over processes: NotADirectoryError",
    ]
    metrics.count_limited("user")
    assert b'contactapp_limited_total{limit="user"} 1' in exposition([])
    assert taken.read_text() == "somebody's own"
