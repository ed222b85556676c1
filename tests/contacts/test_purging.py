"""The job that empties the trash."""

import pytest

from contactapp import clock
from contactapp.contacts import purging
from contactapp.database import Sql, lane
from tests.changes.test_retention import Clock
from tests.contacts.test_trash import deleted, restore, trash
from tests.support.cast import Person, refused
from tests.support.chains import do_job
from tests.support.ledger import read_ledger
from tests.support.stored import book_state, set_user

LONG = {"SESSION_SECONDS": str(3650 * 86400), "SESSION_IDLE_SECONDS": str(3650 * 86400)}
_OPERATIONS = Sql("SELECT count(*) FROM operation")


@pytest.fixture
def time(monkeypatch):
    turned = Clock()
    monkeypatch.setattr(clock, "now_ms", lambda: turned.now)
    return turned


@pytest.fixture
def new_person(engine, new_app):
    """A function that makes somebody in an application of their own."""

    def make(**settings):
        return Person(new_app(engine, **LONG, **settings), "olga")

    return make


def names(person):
    person.sign_in()
    return {item["nickname"] for item in trash(person, "?limit=500")["items"]}


def purge(person):
    do_job(person.app, "purge.trash")
    read_ledger(person.app)


# OB-2
def test_what_was_deleted_a_month_ago_goes_and_the_log_tells_it(new_person, time):
    person = new_person()
    kept = person.contact(nickname="live")
    made = person.contact(nickname="old")
    person.post(f"/contacts/{made['id']}/notes", json={"body": "a note"})
    person.delete(f"/contacts/{made['id']}")
    time.turn(1)
    person.sign_in()
    deleted(person, nickname="young")
    time.turn(29.9)
    purge(person)
    assert names(person) == {"old", "young"}
    time.turn(30.1)
    seq = book_state(person).seq
    purge(person)
    assert names(person) == {"young"}
    told = person.get("/changes?limit=500").json["items"]
    assert [(c["type"], c["op"], c["actor_id"]) for c in told if c["seq"] > seq] == [
        ("note", "purged", 0),
        ("contact", "purged", 0),
    ]
    assert book_state(person)[2:] == (1, 1)
    refused(restore(person, made), 404, "not_found")
    assert person.get("/contacts").json["items"] == [kept]
    purge(person)
    assert book_state(person).seq == seq + 2


def test_operations_are_forgotten_at_the_same_age(new_person, time):
    person = new_person()
    made = {"operations": [{"op": "create", "contact": {"nickname": "a"}}]}
    old = person.post("/contacts/bulk", json=made).json["operation_id"]
    time.turn(2)
    person.sign_in()
    young = person.post("/contacts/bulk", json=made).json["operation_id"]
    time.turn(31)
    purge(person)
    person.sign_in()
    assert [item["id"] for item in person.get("/operations").json["items"]] == [young]
    refused(person.post(f"/operations/{old}/undo"), 404, "not_found")
    assert person.get("/contacts").json["total"] == 2


def test_nothing_goes_where_all_is_kept(new_person, time):
    person = new_person(TRASH_DAYS="0", TRASH_LIMIT="0")
    deleted(person, nickname="old")
    time.turn(3000)
    purge(person)
    assert names(person) == {"old"}


def test_of_more_than_a_trash_holds_the_oldest_go(new_person, time, monkeypatch):
    monkeypatch.setattr(purging, "_BATCH", 2)
    person = new_person(TRASH_LIMIT="3")
    other = Person(person.app, "other")
    for number in range(8):
        time.turn(number / 1000)
        deleted(person, nickname=f"n{number}")
    deleted(other, nickname="theirs")
    person.contact(nickname="live")
    purge(person)
    assert names(person) == {"n5", "n6", "n7"}
    assert names(other) == {"theirs"}
    assert person.get("/contacts").json["total"] == 1


def test_an_account_that_is_being_erased_is_passed_over(new_person, time):
    person = new_person()
    leaver = Person(person.app, "leaver")
    for one in (leaver, person):
        deleted(one, nickname="old")
    answer = leaver.post("/users/me/delete", json={"password": "correct horse battery staple"})
    assert answer.status_code == 204
    set_user(person.app, person.id, contact_limit=5)
    time.turn(31)
    do_job(person.app, "purge.trash")
    assert names(person) == set()


def test_erasing_an_account_takes_its_operations_along(new_person):
    from contactapp.jobs import service as jobs
    from contactapp.worker import HANDLERS

    person = new_person()
    person.post(
        "/contacts/bulk", json={"operations": [{"op": "create", "contact": {"phone": "123"}}]}
    )
    body = {"password": "correct horse battery staple"}
    assert person.post("/users/me/delete", json=body).status_code == 204
    with person.app.app_context():
        while job := jobs.claim():
            if job.kind in {"account.erase"}:
                jobs.finish(job, HANDLERS[job.kind](job))
        assert lane().one(_OPERATIONS) == (0,)
