"""Worker processes: the loop, several at once, killed in the middle, and beside a real server."""

import os
import signal
import threading
import time as real

import pytest

from contactapp.jobs import health, service
from contactapp.jobs.worker import JobWorker
from tests.jobs.conftest import add, state
from tests.support.command import CONTACTAPP, contactapp, finish, let_go, poised, start
from tests.support.engines import on_one_engine

# A worker whose jobs write a line with their number and process into a file.
WRITING = """
import os, signal, sys
from contactapp.jobs.worker import JobWorker
def line(job):
    with open(sys.argv[1] if len(sys.argv) > 1 else "done.txt", "a") as out:
        out.write(f"{job.ref} {os.getpid()}\\n")
worker = JobWorker(app, {"work": line}, {})
signal.signal(signal.SIGTERM, lambda *_: worker.stop())
print("works", flush=True)
worker.run(4)
"""


def until(met, seconds=20):
    for _ in range(int(seconds * 50)):
        if met():
            return
        real.sleep(0.02)
    raise AssertionError("it did not happen")


@pytest.fixture
def working(queue):
    """Run a worker with these handlers in a thread, and end it."""
    ended = []

    def begin(handlers, periods=None, threads=2):
        worker = JobWorker(queue, handlers, periods or {})
        thread = threading.Thread(target=worker.run, args=(threads,))
        thread.start()
        ended.append((worker, thread))
        return worker

    yield begin
    for worker, thread in ended:
        worker.stop()
        thread.join(20)
        assert not thread.is_alive()


def settings_of(app):
    given = app.extensions["contactapp.settings"]
    return {"DATABASE_URL": given.database_url, "INSTANCE_PATH": str(given.instance_path)}


def test_a_job_is_done_once_in_another_thread(queue, working):
    job_id, done = add(ref=5), []
    working({"work": lambda job: done.append((job.ref, threading.get_ident()))})
    until(lambda: state(job_id)[0] == "done")
    [(ref, thread)] = done
    assert ref == 5
    assert thread != threading.get_ident()


def test_what_a_job_returns_is_done_inside_the_database(queue, working):
    add()
    done = []
    working({"work": lambda _: lambda: service.enqueue("after"), "after": lambda _: done.append(1)})
    until(lambda: done)


# EM-3
def test_a_job_that_fails_does_not_hold_up_the_others(queue, working, caplog):
    bad, good = add("bad"), [add() for _ in range(20)]

    def fail(_):
        raise ConnectionError("smtp.example.com said secret words")

    working({"bad": fail, "work": lambda _: None})
    until(lambda: all(state(job)[0] == "done" for job in good))
    until(lambda: state(bad)[2] == "ConnectionError")
    assert state(bad)[0] == "pending"
    assert "secret words" not in caplog.text
    assert f"job {bad} (bad) failed, attempt 1 of 8: ConnectionError" in caplog.text


def test_a_kind_that_nobody_knows_fails_and_is_tried_again(queue, working):
    job_id = add("of a newer version")
    working({})
    until(lambda: state(job_id)[2] == "KeyError")
    assert state(job_id)[0] == "pending"


def test_a_worker_says_that_it_is_alive_and_that_it_goes(queue, working):
    assert health.worker_is_silent()
    worker = working({})
    until(lambda: not health.worker_is_silent())
    worker.stop()
    until(health.worker_is_silent)


def test_a_stopped_worker_finishes_what_it_began_and_begins_nothing(queue, working):
    began, go_on = threading.Event(), threading.Event()
    first = add()

    def slow(_):
        began.set()
        assert go_on.wait(20)

    worker = working({"work": slow}, threads=1)
    assert began.wait(20)
    second = add()
    worker.stop()
    go_on.set()
    until(lambda: state(first)[0] == "done")
    until(health.worker_is_silent)
    assert state(second) == ("pending", 0, None)


def test_four_processes_do_every_job_once(queue, tmp_path):
    count = 120
    processes = poised(WRITING, 4, tmp_path, settings_of(queue))
    jobs = [add(ref=number) for number in range(count)]
    let_go(processes)
    until(lambda: all(state(job)[0] == "done" for job in jobs), seconds=60)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        code, _, err = finish(process)
        assert code == 0, err
    lines = [line.split() for line in (tmp_path / "done.txt").read_text().splitlines()]
    assert sorted(int(ref) for ref, _ in lines) == list(range(count))
    assert len({pid for _, pid in lines}) > 1


# EM-3
def test_the_job_of_a_killed_worker_is_done_after_its_lease(queue, tmp_path, monkeypatch):
    held = add(ref=1)
    stuck = WRITING.replace("def line(job):", "def line(job):\n    import time; time.sleep(600)")
    [process] = poised(stuck, 1, tmp_path, settings_of(queue))
    let_go([process])
    until(lambda: state(held)[1] == 1)
    process.kill()
    process.communicate()
    assert service.claim() is None
    monkeypatch.setattr(service.clock, "now_ms", lambda: int(real.time() * 1000) + 61_000)
    again = service.claim()
    assert (again.id, again.attempts) == (held, 2)
    service.finish(again)
    assert state(held)[0] == "done"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_commands_work_list_and_replay(queue, tmp_path):
    settings = settings_of(queue)
    dead = add("of another version")
    code, out, err = contactapp(tmp_path, settings, "jobs", "list", "--status", "dead")
    assert (code, out, err) == (0, "", "No jobs.\n")
    process = start((*CONTACTAPP, "worker", "--threads", "1"), tmp_path, settings)
    until(lambda: state(dead)[1] >= 1)
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 0
    _, out, _ = contactapp(tmp_path, settings, "jobs", "list")
    assert "of another version" in out
    assert "KeyError" in out
    code, _, err = contactapp(tmp_path, settings, "jobs", "replay", str(dead))
    assert (code, err) == (1, f"contactapp: There is no dead job {dead}.\n")
    assert contactapp(tmp_path, settings, "jobs", "replay", "--all")[1] == "0 to be tried again.\n"
    assert contactapp(tmp_path, settings, "jobs", "replay")[0] == 2


def workers_of(server):
    """The process ids of the job workers of a server, from the system's table."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.getpgid(int(entry)) == server.process.pid:
                with open(f"/proc/{entry}/cmdline", "rb") as line:
                    if b"contactapp.cli\0worker" in line.read():
                        found.append(int(entry))
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux's table of processes")
@on_one_engine
def test_gunicorn_keeps_one_worker_beside_it(engine, new_server, new_app):
    server = new_server(engine, JOB_WORKER="true")
    app = new_app(engine, database=server.database, INSTANCE_PATH=str(server.instance))
    with app.app_context():
        until(lambda: not health.worker_is_silent())
        [first] = workers_of(server)
        os.kill(first, signal.SIGKILL)
        until(lambda: workers_of(server) not in ([], [first]))
        job_id = write_purge()
        until(lambda: state(job_id)[0] == "done")
        [second] = workers_of(server)
        os.kill(server.process.pid, signal.SIGHUP)
        until(lambda: workers_of(server) not in ([], [second]))
        server.stop()
        assert workers_of(server) == []


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux's table of processes")
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_worker_goes_when_its_server_is_killed(engine, new_server):
    server = new_server(engine, JOB_WORKER="true")
    until(lambda: workers_of(server))
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    until(lambda: not workers_of(server))
    server.kill()


def write_purge():
    """A job of a kind that the real worker knows."""
    return add("purge")
