"""Two with one Idempotency-Key at once, and a server that dies between effect and answer."""

import os
import signal
import threading
import uuid
from collections import Counter
from importlib import import_module

import pytest

from contactapp import create_app, idempotency
from contactapp.config import load
from contactapp.database import Sql, database, lane
from contactapp.held import Held
from tests.conftest import FAST
from tests.support.cast import refused
from tests.support.processes import context
from tests.support.stored import book_state
from tests.support.wire import at_once, process_of

PATIENCE = 20
ADA = {"first_name": "Ada"}
REPLAYED = "Idempotency-Replayed"


# CC-5
def test_of_twenty_at_once_over_two_processes_one_has_an_effect(live_server):
    ann = live_server.person("ann")
    for made in range(1, 20):
        key = {"Idempotency-Key": str(uuid.uuid4()), "Connection": "close"}
        ask = lambda: ann.request("POST", "/contacts", json=ADA, headers=key)  # noqa: B023, E731
        answers = at_once([ask] * 20)
        assert {(a.status_code, a.content, a.headers["Location"]) for a in answers} == {
            (201, answers[0].content, answers[0].headers["Location"])
        }
        assert sum(REPLAYED not in answer.headers for answer in answers) == 1
        assert ann.get("/contacts").json()["total"] == made
        if len({process_of(answer) for answer in answers}) == 2:
            return
    raise AssertionError("one process answered everything")


@pytest.fixture
def slow(monkeypatch):
    """A view that waits between its write and its answer: (it is there, let it go)."""
    routes = import_module("contactapp.contacts.routes")
    render, there, go = routes.answer_object, threading.Event(), threading.Event()

    def wait(*given):
        there.set()
        assert go.wait(PATIENCE)
        return render(*given)

    monkeypatch.setattr(routes, "answer_object", wait)
    yield there, go
    go.set()


def in_thread(person, key, answers):
    """Begin a POST in a thread of its own."""

    def run():
        answers.append(person.post("/contacts", json=ADA, headers=key))
        with person.app.app_context():
            lane().close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


# CC-5
def test_who_comes_second_waits_for_the_first(alice, slow):
    there, go = slow
    key, answers = {"Idempotency-Key": "k"}, []
    first = in_thread(alice, key, answers)
    assert there.wait(PATIENCE)
    second = in_thread(alice, key, answers)
    second.join(0.2)
    assert second.is_alive()
    go.set()
    for thread in (first, second):
        thread.join(PATIENCE)
    assert sorted(REPLAYED in answer.headers for answer in answers) == [False, True]
    assert answers[0].data == answers[1].data
    assert book_state(alice).live == 1


def impatient(app, monkeypatch):
    """Have this thread's writes wait for others only for a moment."""
    with app.app_context():
        if database().is_sqlite:
            monkeypatch.setattr(database().writer, "_patience", 0.1)
        else:
            lane().all(Sql("SELECT set_config('lock_timeout', '100', false)"))


# CC-5
def test_who_has_waited_too_long_is_told_409(alice, slow, monkeypatch):
    there, go = slow
    key, answers = {"Idempotency-Key": "k"}, []
    first = in_thread(alice, key, answers)
    assert there.wait(PATIENCE)
    impatient(alice.app, monkeypatch)
    answer = alice.post("/contacts", json=ADA, headers=key)
    with alice.app.app_context():
        lane().close()
    refused(answer, 409, "idempotency_in_progress")
    assert answer.headers["Retry-After"] == "2"
    go.set()
    first.join(PATIENCE)
    monkeypatch.undo()
    assert alice.post("/contacts", json=ADA, headers=key).headers[REPLAYED] == "true"
    assert book_state(alice).live == 1


# CC-5
def test_so_is_who_waited_for_another_process(alice, slow, monkeypatch, engine):
    """On SQLite nobody can know what that one is at."""
    there, go = slow
    key = {"Idempotency-Key": "k"}
    first = in_thread(alice, key, [])
    assert there.wait(PATIENCE)
    impatient(alice.app, monkeypatch)
    monkeypatch.setattr(idempotency, "_working", Counter())
    answer = alice.post("/contacts", json=ADA, headers=key)
    with alice.app.app_context():
        lane().close()
    if engine == "sqlite":
        refused(answer, 503, "unavailable")
    else:
        refused(answer, 409, "idempotency_in_progress")
    assert answer.headers["Retry-After"] == "2"
    monkeypatch.undo()
    go.set()
    first.join(PATIENCE)


def test_where_the_first_is_undone_the_second_does_it(alice, monkeypatch):
    routes = import_module("contactapp.contacts.routes")
    render, there, go = routes.answer_object, threading.Event(), threading.Event()

    def fail_once(*given):
        if there.is_set():
            return render(*given)
        there.set()
        assert go.wait(PATIENCE)
        raise LookupError

    monkeypatch.setattr(routes, "answer_object", fail_once)
    key, answers = {"Idempotency-Key": "k"}, []
    threads = [in_thread(alice, key, answers)]
    assert there.wait(PATIENCE)
    threads.append(in_thread(alice, key, answers))
    go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(answer.status_code for answer in answers) == [201, 500]
    assert not any(REPLAYED in answer.headers for answer in answers)
    assert book_state(alice).live == 1


def _die(settings, access, when):
    """In a process of its own: send a POST and be killed before or after its commit."""
    settle = Held.settle

    def kill(held):
        if when == "after":
            settle(held)
        os.kill(os.getpid(), signal.SIGKILL)

    Held.settle = kill
    headers = {"Authorization": f"Bearer {access}", "Idempotency-Key": "k"}
    app = create_app(load(settings, environ={}))
    app.test_client().post("/api/v1/contacts", json=ADA, headers=headers)


# CC-5
@pytest.mark.parametrize("when", ["before", "after"])
def test_kill_9_at_the_commit_leaves_one_effect_and_its_answer(app, alice, when):
    given = app.extensions["contactapp.settings"]
    place = {"DATABASE_URL": given.database_url, "INSTANCE_PATH": str(given.instance_path)}
    process = context.Process(target=_die, args=({**FAST, **place}, alice.access, when))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    assert book_state(alice).live == (when == "after")
    answer = alice.post("/contacts", json=ADA, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201
    assert (REPLAYED in answer.headers) == (when == "after")
    assert answer.json == alice.get(f"/contacts/{answer.json['id']}").json
    assert book_state(alice).live == 1
