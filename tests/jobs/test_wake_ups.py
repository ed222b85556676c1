"""What the broker is told, and when; what Celery is allowed."""

import socket
import ssl
import subprocess
import sys

import pytest
import redis
from celery.exceptions import AlwaysEagerIgnored

from contactapp.database import write_transaction
from contactapp.jobs import service, wake_ups
from contactapp.jobs.celery_worker import Beat, CeleryWorker
from contactapp.jobs.wake_ups import JOBS, SCAN, SCANS, new_celery
from tests.jobs.conftest import add, length, state
from tests.jobs.test_worker import settings_of, until
from tests.support.command import finish, start

on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


# DU-3
@on_sqlite
@pytest.mark.soak
def test_a_broker_that_is_away_is_said_once_and_told_again_when_it_is_back(
    engine, new_app, redis_url, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(wake_ups, "PAUSE", 0.05)
    monkeypatch.setattr(wake_ups, "_complained", -wake_ups._SILENCE)
    failures, complain = [], wake_ups.complain
    monkeypatch.setattr(
        wake_ups, "complain", lambda error: (failures.append(error), complain(error))
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = new_app(engine, CELERY_BROKER_URL=f"redis://:hidden@127.0.0.1:{port}/0")
    with app.app_context():
        jobs = [add("purge") for _ in range(5)]
        until(lambda: len(failures) >= 3)
        assert [state(job)[0] for job in jobs] == ["pending"] * 5
    options = ("--requirepass", "hidden", "--save", "", "--dir", str(tmp_path))
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            with app.app_context():
                until(lambda: add("purge") and length_of(port), seconds=30)
        finally:
            server.terminate()
    assert caplog.text.count("cannot be told of jobs") == 1
    assert "hidden" not in caplog.text


def length_of(port):
    try:
        return redis.Redis(port=port, password="hidden").llen(JOBS)
    except redis.ConnectionError:
        return 0


def test_a_write_that_is_undone_wakes_nobody(brokered):
    told = []
    brokered.extensions["contactapp.wake_up"] = told.append

    @write_transaction
    def write():
        service.enqueue("purge")
        raise LookupError

    with pytest.raises(LookupError):
        write()
    assert told == []
    job_id = add("purge")
    assert told == [job_id]


def test_a_job_is_claimed_by_its_number_only_while_it_is_due(brokered, time):
    job_id, other = add(), add()
    claimed = service.claim(job_id)
    assert (claimed.id, claimed.attempts) == (job_id, 1)
    assert service.claim(job_id) is None
    assert service._claim(service._CLAIM_THIS, job_id) is None  # who asked in the same moment
    assert service.due(10) == [other]
    time.pass_(60)
    again = service.claim(job_id)
    assert again.attempts == 2
    service.finish(again)
    time.pass_(3600)
    assert service.claim(job_id) is None
    assert service.claim(10**9) is None
    with pytest.raises(service.LeaseLost):
        service.finish(claimed)


@pytest.fixture
def tasks(brokered, broker):
    """The tasks of a worker, called here."""
    return CeleryWorker(brokered.extensions["contactapp.settings"], lambda: brokered, {}, {})


@on_sqlite
def test_scans_do_not_fill_the_broker(brokered, broker, tasks, monkeypatch):
    monkeypatch.setattr("contactapp.jobs.celery_worker._LONGEST", 5)
    del brokered.extensions["contactapp.wake_up"]
    for _ in range(8):
        add()
    tasks.scan()
    assert length(broker, JOBS) == 5
    tasks.scan()
    assert length(broker, JOBS) == 5
    redis.Redis.from_url(broker).lpop(JOBS, 2)
    tasks.scan()
    assert length(broker, JOBS) == 5


@on_sqlite
def test_beat_asks_for_no_scan_while_one_waits(tasks, broker):
    beat = Beat(app=tasks.celery)
    [entry] = beat.schedule.values()
    for _ in range(3):
        beat.apply_entry(entry, producer=beat.producer)
    assert entry.task == SCAN
    assert length(broker, SCANS) == 1


@on_sqlite
def test_nothing_is_done_where_it_was_asked_for(brokered, tasks):
    """Even where somebody has found a way to say `task_always_eager`."""
    celery = tasks.celery
    assert celery.conf.task_always_eager is False
    job_id = add("purge")
    celery.conf.task_always_eager = True
    task = celery.tasks[wake_ups.DO]
    for call in (lambda: task.delay(job_id), lambda: task.apply((job_id,))):
        with pytest.raises(RuntimeError, match="never done where it was asked for"):
            call()
    with pytest.warns(AlwaysEagerIgnored):
        wake_ups.tell(celery, job_id)
    assert state(job_id) == ("pending", 0, None)


# SC-2
def test_celery_takes_json_and_keeps_no_results():
    conf = new_celery("redis://localhost/0").conf
    assert (conf.accept_content, conf.task_serializer) == (["json"], "json")
    assert (conf.result_backend, conf.task_ignore_result) == (None, True)
    assert (conf.task_acks_late, conf.worker_prefetch_multiplier) == (True, 1)


# SC-2
@pytest.mark.parametrize(
    ("url", "demands"),
    [
        ("rediss://broker.example.com/0", {"ssl_cert_reqs": ssl.CERT_REQUIRED}),
        (
            "amqps://broker.example.com//",
            {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None},
        ),
    ],
)
def test_a_broker_over_tls_must_show_its_certificate(url, demands):
    celery = new_celery(url)
    assert celery.connection_for_write().ssl == demands
    assert celery.connection_for_read().ssl == demands


@on_sqlite
def test_celery_is_imported_only_for_a_broker(brokered, tmp_path):
    code = (
        "import sys, contactapp.cli, contactapp.worker\ncontactapp.create_app()\n"
        "print(sorted({'celery', 'kombu'} & set(sys.modules)))"
    )
    command = (sys.executable, "-c", code)
    settings = settings_of(brokered)
    assert finish(start(command, tmp_path, settings))[1] == "[]\n"
    settings |= {"CELERY_BROKER_URL": "redis://localhost/0"}
    assert finish(start(command, tmp_path, settings))[1] == "['celery', 'kombu']\n"
