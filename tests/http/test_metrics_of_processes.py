"""/metrics of a real server: one sum over its processes, whichever answers and whoever died."""

import math
import os
import signal

import pytest
import requests

from tests.jobs.test_worker import until
from tests.support.numbers import Numbers
from tests.support.wire import Wire, at_once, process_of

PATH = "/docs/errors"

pytestmark = pytest.mark.skipif(
    not os.path.isdir("/proc/self"), reason="needs Linux's table of processes"
)


def ask(server, path="/metrics"):
    answer = requests.get(f"{server.url}{path}", timeout=30)
    assert answer.status_code == 200
    return answer


def numbers(server):
    return Numbers(ask(server).text)


def asked(server):
    return numbers(server)("requests_total", route=PATH, method="GET", status="2xx")


def told_by_each(server, workers=2):
    """What each worker process says of PATH: the set of their answers."""
    found = {}
    for _ in range(50):
        for answer in at_once([lambda: ask(server)] * 8):
            number = Numbers(answer.text)("requests_total", route=PATH)
            found.setdefault(process_of(answer), set()).add(number)
        if len(found) == workers:
            return set().union(*found.values())
    raise AssertionError(f"only {len(found)} of {workers} workers ever answered")


def pids(server):
    """The web workers that count, by their places."""
    return {
        sample.labels["process"]: int(sample.value)
        for sample in numbers(server).samples
        if sample.name == "contactapp_process_id" and sample.labels["process"] != "jobs"
    }


def files(server):
    return {path.name for path in (server.instance / "metrics").iterdir()}


def answered_by_new(server, old):
    now = pids(server)
    return len(now) == 2 and not set(now.values()) & set(old.values())


# OB-3
def test_numbers_are_of_all_processes_and_outlive_them(new_server):
    server = new_server("sqlite", WORKERS="2")
    Wire(server).from_every_worker("GET", "/nowhere")
    served = {process_of(a) for a in at_once([lambda: ask(server, PATH)] * 40)}
    assert served
    assert told_by_each(server) == {40}
    before, kept = pids(server), files(server)
    assert set(before) == {"web-1", "web-2"}
    memory = numbers(server)("resident_bytes", process="web-1")
    assert 20e6 < memory < 1e9

    os.kill(before["web-1"], signal.SIGKILL)
    until(lambda: pids(server).get("web-1") not in (None, before["web-1"]))
    assert pids(server)["web-2"] == before["web-2"]
    ask(server, PATH)
    assert told_by_each(server) == {41}

    changed = pids(server)
    os.kill(server.process.pid, signal.SIGHUP)  # new workers beside the old ones, for a moment
    until(lambda: answered_by_new(server, changed))
    ask(server, PATH)
    assert told_by_each(server) == {42}
    assert len(files(server)) <= 2 * len(kept)

    server.stop()
    server.start()
    assert asked(server) is None
    assert (server.instance / "metrics").stat().st_mode & 0o077 == 0


def test_a_second_server_that_finds_the_port_taken_changes_nothing(new_server):
    server = new_server("sqlite", WORKERS="1")
    ask(server, PATH)
    again = type(server)(server.folder, {"DATABASE_URL": server.database})
    again.environment = {**server.environment}
    again.log = server.folder / "again.log"
    again.start(wait=False)
    assert again.process.wait(60) != 0
    ask(server, PATH)
    assert asked(server) == 2


# OB-3
def test_jobs_of_the_worker_beside_are_counted_and_its_silence_is_seen(new_server):
    server = new_server("sqlite", WORKERS="1", JOB_WORKER="true")
    until(lambda: numbers(server)("jobs_total", kind="audit.chain", end="done"))
    told = numbers(server)
    assert told("worker_silence_seconds") < 60
    assert told("resident_bytes", process="jobs") > 20e6
    alone = new_server("sqlite", WORKERS="1")
    assert numbers(alone)("worker_silence_seconds") == math.inf
    assert requests.get(f"{alone.url}/healthz", timeout=30).status_code == 200
