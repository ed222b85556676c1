"""The threads that send, and real workers, also killed in the middle."""

import os
import threading
import time

from contactapp.database import Sql, lane, write_transaction
from contactapp.webhooks import senders, turns, wire
from tests.jobs.test_worker import settings_of, until
from tests.support.command import CONTACTAPP, finish, let_go, poised, start
from tests.support.engines import on_one_engine
from tests.support.stored import set_user
from tests.webhooks.conftest import INSIDE, deliveries, hook, rows, send

MANY = 1000
# A worker that is killed when the receiver has the message and nobody has marked it.
KILLED = """
import os, signal
from contactapp.webhooks import turns
def killed(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
turns.kept = killed
with app.app_context():
    turns.take_turn(int(os.environ["WEBHOOK"]))
"""
_EXPIRED = Sql("UPDATE webhook SET lease_until = 1 WHERE id = ? AND lease IS NOT NULL")


def create(person, count):
    operations = [{"op": "create", "contact": {"first_name": f"Ada {n}"}} for n in range(count)]
    answer = person.post("/contacts/bulk", json={"operations": operations})
    assert answer.status_code == 200, answer.text


def woken(person, *made):
    """Senders of the test's own, woken for these webhooks."""
    found = senders.Senders(person.app, 2)
    wake(person.app, found, *made)
    return found


def wake(app, sending, *made):
    """As jobs do."""
    with app.app_context():
        for one in made:
            due = turns.awaits(one["id"])
            sending.wake(due.id, due.user_id)


# WH-3
@on_one_engine
def test_a_thousand_messages_take_ten_seconds_at_most_and_a_dead_receiver_delays_nobody(
    people, receiver, other, monkeypatch
):
    monkeypatch.setattr(wire, "SECONDS", 1.5)
    for person in (people.alice, people.bob):
        set_user(people.app, person.id, contact_limit=0)
    dead, alive = hook(people.bob, other), hook(people.alice, receiver)
    other.answers = lambda *_: time.sleep(3)
    create(people.bob, 100)
    create(people.alice, MANY)
    began = time.monotonic()
    sending = woken(people.alice, dead, alive)
    receiver.wait(MANY, 60)
    took = time.monotonic() - began
    print(f"{MANY} messages: {took:.2f} s")
    assert [got.seq for got in receiver.got] == list(range(1, MANY + 1))
    until(sending.idle)
    sending.stop()
    assert took < 10
    assert len(other.got) == 1
    assert {one["status"] for one in deliveries(people.alice, alive, "?limit=500")} == {"delivered"}


# WH-3
@on_one_engine
def test_any_number_of_dead_receivers_delay_nobody_who_took_the_last_message(
    people, receiver, other
):
    alive = hook(people.alice, receiver)
    dead = [hook(person, other) for person in (people.bob, people.carol) for _ in range(3)]
    hold = threading.Event()
    other.answers = lambda _, handler: hold.wait(10) and handler.say(200)
    people.alice.contact()
    sending = woken(people.alice, alive)
    receiver.wait(1)
    until(sending.idle)
    people.bob.contact()
    people.carol.contact()
    wake(people.app, sending, *dead)
    other.wait(2)  # all threads for such are taken
    began = time.monotonic()
    people.alice.contact()
    wake(people.app, sending, alive)
    receiver.wait(2)
    assert time.monotonic() - began < 1
    hold.set()
    sending.stop()


# WH-3
@on_one_engine
def test_one_persons_dead_receivers_leave_threads_to_others(people, receiver, other):
    dead = [hook(people.bob, other) for _ in range(3)]
    new = hook(people.alice, receiver)  # nobody knows yet how quick it is
    hold = threading.Event()
    other.answers = lambda _, handler: hold.wait(10) and handler.say(200)
    people.bob.contact()
    people.alice.contact()
    sending = woken(people.bob, *dead)
    other.wait(1)
    wake(people.app, sending, new)
    receiver.wait(1, 5)
    assert len(other.got) == 1
    hold.set()
    other.wait(3)
    until(sending.idle)
    sending.stop()


@on_one_engine
def test_what_is_due_while_a_turn_ends_is_not_forgotten(owner, receiver, monkeypatch):
    made = hook(owner, receiver)
    sending = senders.Senders(owner.app, 1)
    real = turns._release

    def release(*given):
        found = real(*given)
        if len(receiver.got) == 1:
            owner.contact()  # committed when nobody looks any more
            wake(owner.app, sending, made)
        return found

    monkeypatch.setattr(turns, "_release", release)
    owner.contact()
    wake(owner.app, sending, made)
    receiver.wait(2)
    until(sending.idle)
    sending.stop()


@on_one_engine
def test_a_turn_does_not_last_and_the_rest_has_another(owner, receiver, monkeypatch):
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0.0)
    made = hook(owner, receiver)
    create(owner, 5)
    assert [send(owner, made) for _ in range(3)] == [(True, True)] * 3
    sending = woken(owner, made)
    receiver.wait(5)
    until(sending.idle)
    sending.stop()
    assert [got.seq for got in receiver.got] == [1, 2, 3, 4, 5]


def test_a_webhook_has_one_turn_at_a_time_over_all_processes(owner, receiver):
    made = hook(owner, receiver)
    hold, held = threading.Event(), threading.Event()

    def wait(_number, handler):
        held.set()
        hold.wait(10)
        handler.say(200)

    receiver.answers = wait
    owner.contact()
    first = threading.Thread(target=send, args=(owner, made))
    first.start()
    assert held.wait(10)
    owner.contact()
    assert send(owner, made) == (False, None)
    hold.set()
    first.join()
    assert [got.seq for got in receiver.got] == [1, 2]  # who held it looked once more


# WH-4, DU-3
@on_one_engine
def test_a_message_of_a_worker_that_was_killed_comes_again_with_the_same_id(
    owner, receiver, tmp_path
):
    made = hook(owner, receiver)
    for _ in range(3):
        owner.contact()
    environment = {**settings_of(owner.app), **INSIDE}
    os.environ["WEBHOOK"] = str(made["id"])
    [process] = poised(KILLED, 1, tmp_path, environment)
    let_go([process])
    process.communicate(timeout=60)
    assert process.returncode == -9
    assert len(receiver.got) == 1
    send(owner, made)
    assert len(receiver.got) == 1  # it is still held
    with owner.app.app_context():
        write_transaction(lane().run)(_EXPIRED, (made["id"],))
        assert made["id"] in [one.id for one in turns.waiting()]
    send(owner, made)
    ids = [got.id for got in receiver.got]
    assert [got.seq for got in receiver.got] == [1, 1, 2, 3]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert {one["status"] for one in deliveries(owner, made)} == {"delivered"}


def test_a_real_worker_sends_what_a_write_made_and_ends_in_good_order(owner, receiver, tmp_path):
    made = hook(owner, receiver)
    owner.contact()
    process = start((*CONTACTAPP, "worker"), tmp_path, {**settings_of(owner.app), **INSIDE})
    receiver.wait(1)
    hold, held = threading.Event(), threading.Event()

    def wait(_number, handler):
        held.set()
        hold.wait(10)
        handler.say(200)

    receiver.answers = wait
    owner.contact()
    assert held.wait(10)
    process.terminate()
    threading.Timer(0.3, hold.set).start()
    assert finish(process)[0] == 0
    assert [one["status"] for one in deliveries(owner, made)] == ["delivered"] * 2
    assert rows(owner.app, "SELECT lease FROM webhook WHERE id = ?", made["id"]) == [(None,)]
