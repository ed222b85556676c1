"""Backups that are made by themselves, and what is told when they are not."""

import os
import time

import pytest

from contactapp import clock
from contactapp.backup import shelf
from contactapp.backup.archive import Reader
from contactapp.jobs import health
from contactapp.jobs import service as jobs
from contactapp.jobs.worker import do
from contactapp.worker import HANDLERS, HOUR, periods
from tests.support.backups import SECRETS, back_up
from tests.support.engines import on_one_engine

DAY_MS = 86_400_000


@pytest.fixture
def scheduled(engine, new_app):
    """An application that makes a backup a day and keeps two; its context is pushed."""
    app = new_app(engine, BACKUP_HOURS="24", BACKUP_KEEP="2", **SECRETS)
    with app.app_context():
        jobs.schedule({"backup": periods(app.extensions["contactapp.settings"])["backup"]})
        yield app


def instance_of(app):
    return app.extensions["contactapp.settings"].instance_path


def work():
    while job := jobs.claim():
        do(job, HANDLERS, {})


def later(monkeypatch, milliseconds):
    monkeypatch.setattr(clock, "now_ms", lambda: time.time_ns() // 1_000_000 + milliseconds)


def told(app):
    """Warnings of /readyz, and the numbers of backups in /metrics."""
    client = app.test_client()
    lines = client.get("/metrics").text.splitlines()
    numbers = dict(line.split() for line in lines if line.startswith("contactapp_backup"))
    return client.get("/readyz").json.get("warnings", []), numbers


def test_one_is_made_every_so_often_and_the_oldest_go(scheduled, monkeypatch, place):
    for day in range(3):
        later(monkeypatch, day * DAY_MS)
        work()
        work()
    found = shelf.newest_first(instance_of(scheduled))
    assert len(found) == 2
    assert place.verify(found[0]).problems == []
    warnings, numbers = told(scheduled)
    assert not [text for text in warnings if "backup" in text]
    assert float(numbers["contactapp_backup_age_seconds"]) < 60
    later(monkeypatch, 5 * DAY_MS)
    assert "the newest backup is" in "".join(told(scheduled)[0])


# OB-3
def test_a_failure_is_counted_and_told_until_one_is_made(scheduled, monkeypatch):
    before = float(told(scheduled)[1]["contactapp_backup_failures_total"])
    folder = instance_of(scheduled) / shelf.FOLDER
    folder.write_text("in the way")
    work()
    warnings, numbers = told(scheduled)
    assert "the last scheduled backup failed, or was killed: see the job worker's log" in warnings
    assert float(numbers["contactapp_backup_failures_total"]) == before + 1
    assert float(numbers["contactapp_backup_failing"]) == 1
    folder.unlink()
    later(monkeypatch, 2000)
    work()
    warnings, numbers = told(scheduled)
    assert not [text for text in warnings if "backup" in text]
    assert float(numbers["contactapp_backup_failing"]) == 0
    assert len(shelf.newest_first(instance_of(scheduled))) == 1


# OB-3
def test_one_that_kills_its_worker_is_told(scheduled, monkeypatch):
    assert jobs.claim().kind == "backup"
    assert not [text for text in told(scheduled)[0] if "backup" in text]
    later(monkeypatch, jobs.LEASE_MS)
    assert jobs.claim().kind == "backup"
    warnings, numbers = told(scheduled)
    assert "the last scheduled backup failed, or was killed: see the job worker's log" in warnings
    assert float(numbers["contactapp_backup_failing"]) == 1


def test_none_is_made_where_none_is_wanted(engine, new_app):
    app = new_app(engine)
    settings = app.extensions["contactapp.settings"]
    assert "backup" not in periods(settings)
    with app.app_context():
        jobs.schedule({"backup": HOUR})  # of an earlier setting
        work()
        assert not (settings.instance_path / shelf.FOLDER).exists()
    assert "contactapp_backup_age_seconds" not in told(app)[1]


def test_the_lease_is_renewed_while_it_takes_long(scheduled, monkeypatch):
    from contactapp.backup import scheduled as module

    renewed = []
    monkeypatch.setattr(module, "_RENEWED", 0.0)
    monkeypatch.setattr(module, "renew", lambda job: renewed.append(job.id))
    work()
    assert renewed


@on_one_engine
def test_pruning_leaves_other_files_and_takes_what_killed_processes_left(scheduled):
    instance = instance_of(scheduled)
    made = [back_up(scheduled).path for _ in range(2)]
    folder, trial = shelf.folder(instance), instance / "verifying-x"
    mine, left, fresh = (
        folder / name
        for name in ("mine.backup", ".contactapp-x.backup.unfinished", ".y.unfinished")
    )
    trial.mkdir()
    for path in (mine, left, fresh, trial / "contactapp.sqlite3"):
        path.write_text("")
    for path in (left, trial):
        os.utime(path, (0, 0))
    assert set(shelf.prune(instance, 1)) == {made[0], left, trial}
    assert set(folder.iterdir()) == {made[1], mine, fresh}
    assert not trial.exists()


# BR-1
@on_one_engine
def test_pruning_spares_the_newest_that_is_whole_and_the_one_just_made(scheduled, monkeypatch):
    instance = instance_of(scheduled)
    *older, whole, spoilt, cut = [back_up(scheduled).path for _ in range(4)]
    with spoilt.open("rb+") as file:
        file.seek(2000)
        file.write(b"spoilt")
    cut.write_bytes(b"")
    assert shelf.prune(instance, 2) == older
    assert shelf.newest_first(instance) == [cut, spoilt, whole]
    later(monkeypatch, -2 * DAY_MS)  # as those were made by a clock that was ahead
    health.seen("worker")
    work()
    assert shelf.newest_first(instance)[:2] == [cut, spoilt]
    [now] = shelf.newest_first(instance)[2:]
    assert now != whole
    Reader(now).check()
