"""The same jobs on Celery: real workers, a real Redis, and everything that is taken from them."""

import os
import pickle
import signal

import kombu
import pytest
import redis

from contactapp.database import Sql, lane
from contactapp.jobs import health, service, wake_ups
from contactapp.jobs.wake_ups import JOBS, SCANS, new_celery
from tests.jobs.conftest import add, length, state
from tests.jobs.test_worker import settings_of, until, workers_of
from tests.support.cast import Person
from tests.support.celery import PROBE, Celery
from tests.support.ledger import read_ledger
from tests.support.tables import show

on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
WITH_BEAT = ("worker", "-B", "-c", "2")


@pytest.fixture
def celery(tmp_path):
    """Start one of Celery's programs: `celery(settings, "worker", "-B")`."""
    made = []

    def begin(settings, *arguments, app="contactapp.worker"):
        made.append(Celery(tmp_path, settings, *arguments, app=app))
        return made[-1]

    yield begin
    for one in made:
        one.kill()


def settings_with(app, broker):
    return {**settings_of(app), "CELERY_BROKER_URL": broker}


def effects():
    """The numbers of the jobs whose rows the probe's effects added, one for each time."""
    kinds = [row[0] for row in lane().all(Sql("SELECT kind FROM stream"))]
    return sorted(int(kind[1:]) for kind in kinds if kind.startswith("w"))


def is_done(job_id):
    return state(job_id)[0] == "done"


# DU-3
@on_sqlite
def test_mail_waits_for_a_worker_of_celery_s_and_is_then_sent(
    engine, new_server, new_app, broker, celery
):
    server = new_server(engine, JOB_WORKER="true", CELERY_BROKER_URL=broker)
    app = new_app(engine, database=server.database, INSTANCE_PATH=str(server.instance))
    server.person()
    with app.app_context():
        [job] = service.list_jobs()
        assert (job.kind, job.status, job.attempts) == ("mail.verify", "pending", 0)
        until(lambda: length(broker, JOBS) == 1)
        assert workers_of(server) == []
        assert health.worker_is_silent()
        # Without beat: only the wake-up can have told it.
        worker = celery(settings_with(app, broker), "worker", "-c", "1")
        until(lambda: is_done(job.id))
    [letter] = (server.instance / "outbox").glob("*.eml")
    assert letter.stat().st_mode & 0o077 == 0
    assert worker.end() == 0, worker.log


@on_postgresql
def test_beat_has_what_is_due_again_and_again_done_and_says_that_a_worker_lives(
    brokered, broker, celery
):
    assert health.worker_is_silent()
    celery(settings_with(brokered, broker), *WITH_BEAT)
    until(lambda: not health.worker_is_silent())
    until(lambda: {job.kind for job in service.list_jobs()} >= {"audit.chain", "purge"})
    until(lambda: lane().one(Sql("SELECT max(next_at - created_at) FROM job"))[0] >= 3_600_000)


# DU-3
@on_postgresql
def test_what_an_emptied_broker_lost_is_found_by_the_scan(brokered, broker, celery):
    first = add("purge")
    until(lambda: length(broker, JOBS) == 1)
    redis.Redis.from_url(broker).flushall()
    worker = celery(settings_with(brokered, broker), *WITH_BEAT, app=PROBE)
    until(lambda: is_done(first))
    # Also while everybody is connected, with the queues that they had declared.
    redis.Redis.from_url(broker).flushall()
    wake_up = brokered.extensions.pop("contactapp.wake_up")
    second = add("purge")
    until(lambda: is_done(second))
    brokered.extensions["contactapp.wake_up"] = wake_up
    third = add("purge")
    until(lambda: is_done(third))
    assert worker.end() == 0, worker.log


# DU-3
@on_postgresql
def test_the_job_of_a_killed_worker_is_done_once_after_its_lease(brokered, broker, celery):
    """Killed twice: the process that did it, and then all of Celery's."""
    job_id, settings = add("stuck", ref=7), settings_with(brokered, broker)
    worker = celery(settings, *WITH_BEAT, app=PROBE)
    until(lambda: len(worker.lines()) == 1)
    os.kill(int(worker.lines()[0][2]), signal.SIGKILL)
    until(lambda: len(worker.lines()) == 2)
    assert state(job_id)[:2] == ("pending", 2)
    worker.kill()
    worker = celery(settings, *WITH_BEAT, app=PROBE)
    until(lambda: is_done(job_id))
    assert [line[:2] for line in worker.lines()] == [["7", "1"], ["7", "2"], ["7", "3"]]
    assert effects() == [7]


# EM-3
@on_sqlite
def test_a_poisonous_job_is_dead_after_eight_attempts_and_holds_up_nobody(brokered, broker, celery):
    poison, good = add("poison"), [add("work", ref=number) for number in range(20)]
    worker = celery(settings_with(brokered, broker), *WITH_BEAT, app=PROBE)
    until(lambda: state(poison) == ("dead", 8, "ConnectionError"), seconds=40)
    assert all(is_done(job) for job in good)
    assert effects() == list(range(20))
    assert f"job {poison} (poison) failed, attempt 8 of 8" in worker.log
    assert "secret words" not in worker.log


@on_sqlite
@pytest.mark.soak
def test_a_worker_that_is_ended_finishes_what_it_began(brokered, broker, celery):
    job_id = add("patient", ref=1)
    worker = celery(settings_with(brokered, broker), "worker", "-c", "1", app=PROBE)
    until(worker.lines)
    worker.process.terminate()
    until(lambda: "Warm shutdown" in worker.log)
    (worker.folder / "go").touch()
    assert worker.process.wait(30) == 0, worker.log
    assert (state(job_id), effects()) == (("done", 1, None), [1])


class Trap:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


# SC-2
@on_postgresql
def test_a_pickle_is_refused_and_the_worker_lives(engine, brokered, broker, celery, tmp_path):
    caught = tmp_path / "caught"
    pickle.loads(pickle.dumps(Trap(caught)))
    assert caught.exists()
    caught.rmdir()
    kombu.enable_insecure_serializers(["pickle"])
    try:
        with new_celery(broker).connection_for_write() as connection:
            producer = kombu.Producer(connection)
            for body in ([[Trap(caught)], {}, {}], Trap(caught)):
                headers = {"task": wake_ups.DO, "id": "1", "lang": "py"}
                producer.publish(body, routing_key=JOBS, serializer="pickle", headers=headers)
            for body in ("no task", {"task": "os.system", "id": "2", "args": ["true"]}):
                producer.publish(body, routing_key=JOBS, serializer="json")
    finally:
        kombu.disable_insecure_serializers()
    job_id = add("purge")
    for wrong in ((), ("x",), (job_id, 2), (2**80,), ([],)):
        new_celery(broker).send_task(wake_ups.DO, wrong, queue=JOBS)
    worker = celery(settings_with(brokered, broker), "worker", "-c", "1")
    until(lambda: is_done(job_id) and length(broker, JOBS) == 0)
    last = add("purge")
    until(lambda: is_done(last))
    assert "pickle" in worker.log
    assert not caught.exists()
    assert worker.end() == 0, worker.log


# DU-3
@on_sqlite
def test_a_broker_that_hangs_keeps_no_request_waiting(
    brokered, broker, celery, monkeypatch, caplog
):
    """Stopped, it takes connections and answers nothing; here who asked it would wait for ever."""
    monkeypatch.setattr(wake_ups, "TIMEOUT", None)
    process = redis.Redis.from_url(broker).info("server")["process_id"]
    os.kill(process, signal.SIGSTOP)
    try:
        for number in range(3):
            fields = {"email": f"ada{number}@example.com", "password": "correct horse battery"}
            answer = brokered.test_client().post("/api/v1/auth/register", json=fields)
            assert answer.status_code == 201
        jobs = [job.id for job in service.list_jobs()]
        assert len(jobs) == 3
    finally:
        os.kill(process, signal.SIGCONT)
    celery(settings_with(brokered, broker), *WITH_BEAT, app=PROBE)
    until(lambda: all(is_done(job) for job in jobs))


@on_sqlite
@pytest.mark.soak
def test_beat_runs_apart_and_keeps_no_file(brokered, broker, celery):
    beat = celery(settings_with(brokered, broker), "beat")
    until(lambda: length(broker, SCANS) == 1)
    assert beat.end() == 0, beat.log
    assert [path.name for path in beat.folder.iterdir()] == ["celery.log"]


@on_sqlite
@pytest.mark.parametrize("broken", ["no broker", "no tables"])
def test_a_worker_that_cannot_work_says_why_and_ends(
    brokered, broker, celery, broken, new_database
):
    settings = settings_with(brokered, broker)
    if broken == "no broker":
        del settings["CELERY_BROKER_URL"]
        reason = "contactapp: CONTACTAPP_CELERY_BROKER_URL must be set for Celery."
    else:
        settings["DATABASE_URL"] = new_database("sqlite")
        reason = "contactapp: the database is not up to date: run `contactapp db upgrade`"
    worker = celery(settings, "worker", "-c", "1")
    assert worker.process.wait(30) == 1
    assert reason in worker.log.splitlines()


@pytest.mark.soak
def test_a_thousand_jobs_on_four_workers_are_each_done_once(brokered, broker, celery):
    settings = settings_with(brokered, broker)
    workers = [celery(settings, "worker", "-c", "1", "-n", f"w{n}@%h", app=PROBE) for n in range(4)]
    celery(settings, "beat", app=PROBE)
    jobs = [add("work", ref=number) for number in range(1000)]
    until(lambda: effects() == list(range(1000)) and all(map(is_done, jobs)), seconds=100)
    lines = workers[0].lines()
    assert sorted(int(line[0]) for line in lines) == list(range(1000))
    assert len({line[2] for line in lines}) == 4


# DU-3
@pytest.mark.soak
def test_a_thousand_notes_on_four_workers_are_each_read_once(brokered, broker, celery, capsys):
    alice = Person(brokered, "alice")
    contact = alice.contact()["id"]
    texts = [f"@n{number} called" for number in range(1000)]
    one = [{"op": "create", "note": {"contact_id": contact, "body": text}} for text in texts]
    items = alice.post("/notes/bulk", json={"operations": one}).json["items"]
    assert {item["note"]["processing_status"] for item in items} == {"pending"}
    pending = "/notes?processing_status=pending&limit=1"
    assert alice.get(pending).json["total"] == 1000  # nobody is there
    settings = settings_with(brokered, broker)
    for number in range(4):
        celery(settings, "worker", "-c", "1", "-n", f"w{number}@%h")
    celery(settings, "beat")
    until(lambda: alice.get(pending).json["total"] == 0, seconds=100)
    read_ledger(brokered)
    rows = lane().all(Sql("SELECT entity_id FROM change WHERE op = 'process'"))
    assert sorted(id_ for (id_,) in rows) == sorted(item["note"]["id"] for item in items)
    found = [
        note
        for skip in (0, 500)
        for note in alice.get(f"/notes?limit=500&skip={skip}").json["items"]
    ]
    assert {note["body"]: note["extracted"]["mentions"] for note in found} == {
        text: [text[1:].split()[0]] for text in texts
    }
    row = {
        "notes": len(items),
        "workers": 4,
        "read": len(rows),
        "twice": len(rows) - len(set(rows)),
    }
    show(capsys, "notes on Celery", [row])
