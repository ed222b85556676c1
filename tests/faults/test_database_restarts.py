"""PostgreSQL stops and comes back under a running server and its job worker."""

import signal
import time

import pytest
import requests

from tests.support.command import CONTACTAPP, finish, start
from tests.support.postgres import OwnPostgres

PATIENCE = 5  # seconds for which a recovery may take, and no other wait


@pytest.fixture(scope="module")
def postgres():
    own = OwnPostgres()
    yield own
    own.remove()


def until(met, seconds):
    """Ask until it is so; for so long at most."""
    ends = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


def mails(server):
    return len(list(server.instance.glob("outbox/*.eml")))


# DU-5
def test_the_server_and_its_worker_go_on_when_the_database_is_back(postgres, new_server, tmp_path):
    server = new_server("postgresql", database=postgres.url)
    settings = {"DATABASE_URL": postgres.url, "INSTANCE_PATH": str(server.instance)}
    worker = start((*CONTACTAPP, "worker"), tmp_path, settings)
    ada = server.person()
    until(lambda: mails(server) == 1, 20)
    first = ada.post("/contacts", json={"first_name": "Grace"}).json()
    pids = {answered_by(ada) for _ in range(20)}
    for _ in range(2):
        postgres.stop()
        for _ in range(8):  # on both processes' kept connections, and on ones that cannot be made
            for method, path in (("GET", "/contacts"), ("POST", "/contacts"), ("GET", "/users/me")):
                is_away(ada.request(method, path, json={"first_name": "Nobody"}))
        assert requests.get(f"{server.url}/healthz", timeout=30).status_code == 200
        assert requests.get(f"{server.url}/readyz", timeout=30).status_code == 503
        postgres.start()
        until(lambda: requests.get(f"{server.url}/readyz", timeout=30).status_code == 200, PATIENCE)
        until(lambda: works(ada), PATIENCE)
    assert all(works(ada) for _ in range(8))
    assert {answered_by(ada) for _ in range(20)} == pids
    assert ada.get(f"/contacts/{first['id']}").json()["first_name"] == "Grace"
    assert "Nobody" not in ada.get("/contacts").text
    server.person("bob")
    until(lambda: mails(server) == 2, PATIENCE)
    postgres.stop()
    worker.send_signal(signal.SIGTERM)  # it also ends in good order while the database is away
    code, _, err = finish(worker)
    assert code == 0, err
    assert "Traceback" not in err + server.log.read_text()


def is_away(answer):
    """503 with its next step, in our own words."""
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] == "unavailable"
    assert int(answer.headers["Retry-After"]) > 0


def works(person):
    """Whether it reads and writes; nothing but an outage is in its way."""
    answers = [person.get("/contacts"), person.post("/contacts", json={"first_name": "Hedy"})]
    assert {answer.status_code for answer in answers} <= {200, 201, 503}
    return [answer.status_code for answer in answers] == [200, 201]


def answered_by(person):
    return person.get("/contacts").headers["X-Request-ID"].partition("-")[0]
