"""Imports a few rows at a time: whatever the batches, and whatever comes between two of them."""

import base64
from functools import partial

import pytest

from contactapp import clock
from contactapp.books.service import actor_in
from contactapp.database import Sql, lane, write_transaction
from contactapp.imports import running, service
from contactapp.imports.batch import Overtaken
from contactapp.imports.stored import read_import
from contactapp.jobs import service as jobs
from contactapp.jobs.worker import do
from contactapp.worker import HANDLERS, LAST_WORDS
from tests.imports.conftest import card, counts, send, sent, work
from tests.support.engines import on_one_engine
from tests.support.pictures import picture
from tests.support.stored import book_state, set_user

_ALL_FREE = Sql("UPDATE job SET next_at = 0, lease = NULL WHERE kind = 'import.run'")
_WAITING = Sql("SELECT id FROM job WHERE kind = 'import.run' AND status = 'pending'")
_DONE = Sql("SELECT count(*) FROM job WHERE kind = 'import.run' AND status = 'done' AND ref = ?")


@pytest.fixture(scope="module")
def app(engine, new_app):
    return new_app(engine)


@pytest.fixture
def by_two(monkeypatch):
    """Every import is done by jobs, two rows at a time."""
    monkeypatch.setattr(service, "SMALL_BYTES", 0)
    monkeypatch.setattr(running, "ROWS", 2)


def path_of(answer):
    return answer.headers["Location"].removeprefix("/api/v1")


def finished(person, answer):
    """What became of an import that jobs do."""
    work(person.app)
    return person.get(f"{path_of(answer)}?action=create,update,skip,reject&limit=500").json


def photo(colour):
    return base64.b64encode(picture(colour=colour)).decode()


PNG = "PHOTO;ENCODING=b;TYPE=PNG"
RED, BLUE = photo((200, 0, 0)), photo((0, 0, 200))
FIELD = {"key": "floor", "type": "number", "label": "Floor"}


def row_of(n, **more):
    return card(n, NOTE="old", **more)


def prepare(person):
    """A book that some rows of `MIXED` are about."""
    person.post("/custom-fields", json=FIELD)
    known = row_of(10, **{PNG: RED}) + row_of(11, **{PNG: RED}) + row_of(12) + row_of(13)
    assert sent(person, known)["created"] == 4
    set_user(person.app, person.id, contact_limit=8)


WRONG = 'X-CONTACTAPP-FIELD:["floor"\\, "high"]\r\nNOTE:'
MIXED = b"".join([
    row_of(1, EMAIL="nobody"),  # and again below
    row_of(2),
    row_of(1),
    row_of(2, TITLE="repeated"),
    row_of(10, **{PNG: RED}),  # as it is there
    row_of(11, **{PNG: BLUE}),
    row_of(12, **{PNG: "bm9uZQ=="}),  # no picture
    row_of(13, TITLE="new"),
    row_of(3).replace(b"NOTE:", WRONG.encode()),  # what the book's field does not take
    row_of(5),
    row_of(3),
    row_of(6),  # one too many
    row_of(7),
])  # fmt: skip
FATES = "reject create create skip skip update skip update reject create create reject reject"


def test_a_preview_tells_exactly_what_a_commit_does(owner, monkeypatch):
    prepare(owner)
    tried = sent(owner, MIXED, mode="preview", on_duplicate="update")
    told = [(row["action"], row["reason"], row["problems"]) for row in tried["rows"]]
    assert [action for action, _, _ in told] == FATES.split()
    [about_photo] = told[6][2]
    assert about_photo["pointer"] == "/photo"
    monkeypatch.setattr(service, "SMALL_BYTES", 0)
    monkeypatch.setattr(running, "ROWS", 2)
    large = finished(owner, send(owner, MIXED, mode="preview", on_duplicate="update"))
    assert large["rows"] == tried["rows"]
    done = finished(owner, owner.post(f"/imports/{large['id']}/commit", json={}))
    assert [(row["action"], row["reason"], row["problems"]) for row in done["rows"]] == told
    assert counts(done) == counts(tried)
    assert book_state(owner)[2:] == (8, 8)


def test_a_row_that_found_no_room_does_not_hide_the_next_with_its_uid(owner, by_two):
    set_user(owner.app, owner.id, contact_limit=1)
    file = card(1) + card(2) + card(2) + card(3)
    tried = finished(owner, send(owner, file, mode="preview"))
    assert [row["action"] for row in tried["rows"]] == ["create", "reject", "reject", "reject"]
    done = finished(owner, owner.post(f"/imports/{tried['id']}/commit", json={}))
    fates = [[(row["action"], row["reason"]) for row in one["rows"]] for one in (tried, done)]
    assert fates[0] == fates[1]


def test_the_same_rows_are_never_done_twice(owner, by_two):
    found = send(owner, card(1) + card(2) + card(3)).json
    with owner.app.app_context():
        actor = actor_in(owner.id, owner.book_id, "tests")
        one = read_import(actor.book, owner.id, found["id"])
        some = next(running.Reading(actor.book, one).some())
        running.commit_some(actor, one, some, set(), lambda: None)
        with pytest.raises(Overtaken):
            running.commit_some(actor, one, some, set(), lambda: None)
    assert book_state(owner).live == 2
    work(owner.app)
    assert book_state(owner).live == 3


def test_who_has_lost_the_lease_writes_nothing(owner, by_two):
    answer = send(owner, card(1) + card(2) + card(3))
    with owner.app.app_context():
        job = jobs.claim(lane().one(_WAITING)[0])
        with pytest.raises(jobs.LeaseLost):
            running.run(job._replace(lease="somebody else's"))
        assert book_state(owner).live == 0
        write_transaction(lambda: lane().run(_ALL_FREE, ()))()
    assert finished(owner, answer)["created"] == 3


# DU-3
@on_one_engine
@pytest.mark.parametrize(("batches", "mode"), [(1, "commit"), (5, "commit"), (2, "preview")])
def test_an_import_that_is_interrupted_ends_as_if_it_was_not(
    owner, by_two, monkeypatch, batches, mode
):
    monkeypatch.setattr(service, "SMALL_BYTES", 10**6)
    prepare(owner)
    monkeypatch.setattr(service, "SMALL_BYTES", 0)
    answer = send(owner, MIXED, mode=mode, on_duplicate="update")
    left = [batches]

    def told(_):
        left[0] -= 1
        if left[0] == 0:
            raise RuntimeError("killed")

    with owner.app.app_context():
        [job_id] = lane().one(_WAITING)
        do(jobs.claim(job_id), {running.JOB: partial(running.run, told=told)}, LAST_WORDS)
        assert owner.get(path_of(answer)).json["status"] == "running"
        write_transaction(lambda: lane().run(_ALL_FREE, ()))()
    found = finished(owner, answer)
    assert [row["action"] for row in found["rows"]] == FATES.split()
    assert [row["row"] for row in found["rows"]] == list(range(1, 14))
    assert book_state(owner)[2:] == ((8, 8) if mode == "commit" else (4, 4))


@on_one_engine
def test_a_slice_is_as_long_however_far_the_import_is(owner, by_two, monkeypatch):
    """What was done before is read again: in each slice more of it."""
    now = [0.0]
    inner = running.read

    def slowly(*arguments):
        for found in inner(*arguments):
            now[0] += 1
            yield found

    monkeypatch.setattr(running, "read", slowly)
    monkeypatch.setattr(running.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(running.run, "__defaults__", (3.0, None))
    answer = send(owner, b"".join(map(card, range(24))))
    found = finished(owner, answer)
    assert found["created"] == 24
    with owner.app.app_context():
        assert lane().one(_DONE, (found["id"],)) == (5,)


@on_one_engine
def test_contacts_that_are_alike_are_made_whatever_the_clock_does(owner, by_two, monkeypatch):
    alike = [card(n, EMAIL="a@example.com", FN="A", N="A;;;;") for n in range(6)]
    answer = send(owner, b"".join(alike))
    real, hours = clock.now_ms, [0]

    def stepping_back():
        hours[0] += 1
        return real() - hours[0]

    monkeypatch.setattr(clock, "now_ms", stepping_back)
    with owner.app.app_context():
        write_transaction(lambda: lane().run(_ALL_FREE, ()))()
    assert finished(owner, answer)["created"] == 6


def test_what_came_after_a_preview_was_there_before_its_commit(owner):
    found = sent(owner, card(1), mode="preview")
    twin = card(1).replace(b"UID:1", b"UID:2")
    assert counts(sent(owner, twin))[1] == 1
    done = owner.post(f"/imports/{found['id']}/commit", json={}).json
    assert counts(done) == (1, 0, 0, 1, 0)


def test_an_import_whose_job_was_given_up_goes_on_when_that_is_replayed(owner, by_two, monkeypatch):
    answer = send(owner, b"".join(map(card, range(6))))
    inner, left = running.commit_some, [1]

    def failing(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("the disk is full")
        return inner(*arguments)

    with monkeypatch.context() as patch, owner.app.app_context():
        patch.setattr(running, "commit_some", failing)
        [job_id] = lane().one(_WAITING)
        for _ in range(jobs.ATTEMPTS):
            write_transaction(lambda: lane().run(_ALL_FREE, ()))()
            do(jobs.claim(job_id), HANDLERS, LAST_WORDS)
    found = owner.get(path_of(answer)).json
    assert (found["status"], found["created"]) == ("failed", 2)
    with owner.app.app_context():
        assert jobs.replay() == 1
    found = finished(owner, answer)
    assert (found["status"], counts(found)) == ("done", (6, 6, 0, 0, 0))
    assert owner.get(f"/operations/{found['operation_id']}").json["count"] == 6


def test_what_is_more_than_may_be_is_told_once_and_not_read(owner, by_two, monkeypatch):
    monkeypatch.setattr(running, "MAX_ROWS", 3)
    found = finished(owner, send(owner, b"".join(map(card, range(9)))))
    assert (found["status"], counts(found)) == ("done", (4, 3, 0, 0, 1))
    assert (found["rows"][-1]["line"], found["rows"][-1]["reason"]) == (22, "too_many_rows")


def test_photos_are_drawn_some_megabytes_at_a_time(owner, by_two, monkeypatch):
    monkeypatch.setattr(running, "ROWS", 100)
    monkeypatch.setattr(running, "_PHOTOS", 2 * len(base64.b64decode(RED)))
    found = send(owner, b"".join(row_of(n, **{PNG: RED}) for n in range(7))).json
    with owner.app.app_context():
        actor = actor_in(owner.id, owner.book_id, "tests")
        one = read_import(actor.book, owner.id, found["id"])
        assert [len(some.rows) for some in running.Reading(actor.book, one).some()] == [3, 3, 1]
    owner.post(f"/imports/{found['id']}/cancel")
