"""How long the file of an import is kept: as long as anybody may need it."""

from functools import partial

import pytest

from contactapp import clock
from contactapp.books.service import share_book, unshare_book
from contactapp.database import Sql, lane
from contactapp.imports import routes, running, service, storing
from contactapp.jobs import service as jobs
from contactapp.jobs.worker import do
from contactapp.worker import LAST_WORDS
from tests.imports.conftest import card, send, sent, work
from tests.support.cast import PASSWORD, Person, refused

_PARTS = Sql("SELECT count(*) FROM import_part WHERE kind = 'file' AND import_id = ?")
_WAITING = Sql("SELECT id FROM job WHERE kind = 'import.run' AND status = 'pending'")
_BY = Sql("SELECT count(*) FROM import WHERE user_id = ?")
WRONG = card(2, EMAIL="nobody")


@pytest.fixture(scope="module")
def app(engine, new_app):
    return new_app(engine)


def parts(person, found):
    with person.app.app_context():
        return lane().one(_PARTS, (found["id"],))[0]


def test_a_file_goes_when_all_of_it_is_in_the_book(owner):
    assert parts(owner, sent(owner, card(1))) == 0
    assert parts(owner, sent(owner, card(1) + WRONG)) == 1
    tried = sent(owner, card(2), mode="preview")
    assert parts(owner, tried) == 1
    assert owner.post(f"/imports/{tried['id']}/commit", json={}).status_code == 200
    assert parts(owner, tried) == 0


def test_a_file_goes_when_its_preview_is_cancelled(owner):
    tried = sent(owner, card(1) + WRONG, mode="preview")
    path = f"/imports/{tried['id']}"
    assert owner.get(f"{path}/rejected").data == WRONG
    owner.post(f"{path}/cancel")
    assert parts(owner, tried) == 0
    refused(owner.get(f"{path}/rejected"), 404, "not_found")


@pytest.fixture
def large(monkeypatch):
    """Every import is done by a job, one row at a time."""
    monkeypatch.setattr(service, "SMALL_BYTES", 0)
    monkeypatch.setattr(running, "ROWS", 1)


def test_a_file_goes_when_its_import_is_cancelled(owner, large, monkeypatch):
    found = send(owner, card(1)).json
    owner.post(f"/imports/{found['id']}/cancel")
    assert parts(owner, found) == 0
    inner = storing._go_on

    def cancelled(*arguments):
        [one] = owner.get("/imports?limit=1").json["items"]
        assert owner.post(f"/imports/{one['id']}/cancel").json["status"] == "cancelled"
        inner(*arguments)

    monkeypatch.setattr(storing, "_go_on", cancelled)
    monkeypatch.setattr(storing, "_AT_ONCE", 1)
    found = send(owner, card(1) * 3000).json  # more than a part
    assert (found["status"], parts(owner, found)) == ("cancelled", 0)
    work(owner.app)
    assert owner.get("/contacts").json["total"] == 0


def test_a_file_goes_when_its_import_fails(owner, large):
    found = send(owner, b'[{"nickname":"a"},{"nickname":"b"}', name="a.json").json
    work(owner.app)
    assert owner.get(f"/imports/{found['id']}").json["status"] == "failed"
    assert parts(owner, found) == 0
    found = send(owner, b'[{"nickname":"a"},{"email":"b"}', name="a.json").json
    work(owner.app)
    assert owner.get(f"/imports/{found['id']}/rejected").data == b'[\n{"email":"b"}\n]\n'


# DU-3
def test_a_file_goes_also_where_a_worker_is_killed_just_before(owner, large):
    found = send(owner, card(1)).json
    with owner.app.app_context():
        [job_id] = lane().one(_WAITING)
        job = jobs.claim(job_id)
        running._run(job, owner.book_id, owner.id, 15.0, lambda _: None)  # and no further
        assert parts(owner, found) == 1
        do(job, {running.JOB: running.run}, LAST_WORDS)
    assert parts(owner, found) == 0
    assert owner.get(f"/imports/{found['id']}").json["created"] == 1


# DU-3
def test_an_upload_that_was_interrupted_is_forgotten_after_an_hour(owner, large, monkeypatch):
    class Killed(BaseException):
        """As kill -9 ends a request."""

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(storing, "_enqueue", killed)
        with pytest.raises(Killed):
            send(owner, card(1))
    [found] = owner.get("/imports").json["items"]
    assert found["status"] == "uploading"
    now = clock.now_ms()
    with owner.app.app_context():
        for minutes, left in ((50, 1), (61, 0)):
            monkeypatch.setattr(clock, "now_ms", lambda ms=minutes * 60_000: now + ms)
            while service.purge_imports():
                pass
            assert lane().one(_BY, (owner.id,)) == (left,)


@pytest.fixture
def sending_slowly(monkeypatch):
    """A function that has something happen while a file is sent."""
    inner = routes.read_upload

    def after(deed):
        def read_upload(*arguments):
            deed()
            return inner(*arguments)

        monkeypatch.setattr(routes, "read_upload", read_upload)

    return after


# AZ-6
@pytest.mark.parametrize("mode", ["commit", "preview"])
@pytest.mark.parametrize("size", ["small", "large"])
def test_who_may_no_longer_write_when_the_file_is_there_stores_nothing(
    owner, app, sending_slowly, mode, size, monkeypatch
):
    if size == "large":
        monkeypatch.setattr(service, "SMALL_BYTES", 0)
    rita = Person(app, "rita")
    query = f"?book={owner.book_id}"
    for deed, status, code in (
        (partial(unshare_book, owner.id, rita.id), 404, "not_found"),
        (partial(share_book, owner.id, rita.id, "viewer"), 403, "read_only_book"),
    ):
        with app.app_context():
            share_book(owner.id, rita.id, "editor")
        sending_slowly(deed)
        refused(send(rita, card(1), query, mode=mode), status, code)
    with app.app_context():
        assert lane().one(_BY, (rita.id,)) == (0,)


# PR-2
def test_who_is_erased_meanwhile_leaves_no_file_in_anybodys_book(owner, app, sending_slowly):
    rita = Person(app, "rita")
    with app.app_context():
        share_book(owner.id, rita.id, "editor")
    sending_slowly(lambda: rita.post("/users/me/delete", json={"password": PASSWORD}))
    refused(send(rita, card(1), f"?book={owner.book_id}", mode="preview"), 404, "not_found")
    with app.app_context():
        assert lane().one(_BY, (rita.id,)) == (0,)


def test_what_shows_late_in_a_large_file_is_told_by_its_job(owner):
    """In the request only the beginning is looked at: 64 MiB of empty lines take a minute."""
    for name, data in (("a.json", b"[" + b" " * 2**20), ("a.csv", b"Name\n" + b"\n" * 2**20)):
        answer = send(owner, data, name=name)
        assert answer.status_code == 202, answer.text
        work(owner.app)
        found = owner.get(f"/imports/{answer.json['id']}").json
        assert (found["status"], found["read"]) == ("failed" if "json" in name else "done", 0)
    header = b"{" * 2**18 + b"\n" * 2**20
    refused(send(owner, header, name="a.csv", format="csv"), 422, "invalid_fields", "/file")
