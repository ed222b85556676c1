"""Imports that are too large for a request, done by workers."""

import threading

import pytest

from contactapp import clock
from contactapp.books.service import share_book, unshare_book
from contactapp.database import Sql, lane, write_transaction
from contactapp.imports import running, service
from contactapp.imports.service import purge_imports
from contactapp.jobs import service as jobs
from contactapp.jobs.worker import do
from contactapp.worker import HANDLERS, LAST_WORDS
from tests.imports.conftest import card, counts, send, work
from tests.jobs.test_worker import settings_of, until
from tests.support.cast import Person, refused
from tests.support.command import let_go, poised
from tests.support.stored import book_state, set_user

MANY = 600
FILE = b"".join(map(card, range(MANY)))
# A worker that says when each batch is done, and then waits to be killed or let on.
KILLED = """
import os, signal, sys, time
from contactapp.imports import running
from contactapp.jobs import service as jobs
from contactapp.jobs.worker import do
from contactapp.worker import HANDLERS, LAST_WORDS
inner = running.commit_some
def one_more(*arguments):
    found = inner(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
    return found
running.commit_some = one_more
print("works", flush=True)
with app.app_context():
    while job := jobs.claim():
        do(job, HANDLERS, LAST_WORDS)
"""
_FREE = Sql("UPDATE job SET next_at = 0 WHERE kind = ?")
_PARTS = Sql("SELECT count(*) FROM import_part WHERE kind = 'file'")


@pytest.fixture
def app(engine, new_app):
    """An application whose jobs are this test's alone."""
    return new_app(engine)


def accepted(person, data, **form):
    answer = send(person, data, **form)
    assert answer.status_code == 202, answer.text
    assert answer.json["status"] == "queued"
    path = answer.headers["Location"].removeprefix("/api/v1")
    return path


def test_a_large_file_is_done_by_a_job_and_undone_as_one(owner):
    path = accepted(owner, FILE)
    assert book_state(owner).live == 0  # never in the request
    work(owner.app)
    found = owner.get(path).json
    assert (found["status"], counts(found)) == ("done", (MANY, MANY, 0, 0, 0))
    assert owner.get(f"{path}?action=create&skip=599").json["rows"][0]["name"] == "Ada 599"
    operation = owner.get(f"/operations/{found['operation_id']}").json
    assert (operation["count"], operation["can_undo"]) == (MANY, True)
    with owner.app.app_context():
        assert lane().one(_PARTS) == (0,)  # nothing was rejected, so nobody needs the file
    assert owner.post(f"/operations/{found['operation_id']}/undo").status_code == 200
    assert book_state(owner)[2:] == (0, 0)


def test_both_say_where_it_is_under_the_path_that_they_came_by(owner):
    mounted = {"environ_overrides": {"SCRIPT_NAME": "/people"}}
    tried = send(owner, FILE, mode="preview", **mounted)
    assert tried.headers["Location"] == f"/people/api/v1/imports/{tried.json['id']}"
    work(owner.app)
    done = owner.post(f"/imports/{tried.json['id']}/commit", json={}, **mounted)
    assert (done.status_code, done.headers["Location"]) == (202, tried.headers["Location"])


def test_a_file_of_many_photos_is_large_too(owner, monkeypatch):
    monkeypatch.setattr(service, "SMALL_PHOTOS", 1)
    photo = {"PHOTO;ENCODING=b;TYPE=PNG": "bm9uZQ=="}
    path = accepted(owner, card(1, **photo) + card(2, **photo))
    assert owner.post(f"{path}/cancel").status_code == 200


def test_a_large_preview_is_committed_with_decisions(owner):
    set_user(owner.app, owner.id, contact_limit=500)
    path = accepted(owner, FILE, mode="preview")
    work(owner.app)
    found = owner.get(f"{path}?limit=3").json
    assert (found["status"], found["rows_total"]) == ("previewed", MANY)
    assert counts(found) == (MANY, 500, 0, 0, 100)
    assert book_state(owner).live == 0
    answer = owner.post(f"{path}/commit", json={"decisions": [{"row": 2, "action": "skip"}]})
    assert answer.status_code == 202
    work(owner.app)
    found = owner.get(path).json
    assert counts(found) == (MANY, 500, 0, 1, 99)
    assert book_state(owner)[2:] == (500, 500)
    assert owner.get(f"{path}/rejected").data == b"".join(map(card, range(501, MANY)))


# DU-3
def test_the_import_of_a_killed_worker_is_finished_and_nothing_is_twice_or_lost(owner, tmp_path):
    path = accepted(owner, FILE)
    for kill in range(1, 3):
        [process] = poised(KILLED, 1, tmp_path, settings_of(owner.app))
        let_go([process])
        process.communicate(timeout=60)
        assert book_state(owner).live == 250 * kill
        assert owner.get(path).json["status"] == "running"
        free_the_job(owner.app)
    work(owner.app)
    found = owner.get(path).json
    assert (found["status"], counts(found)) == ("done", (MANY, MANY, 0, 0, 0))
    emails = [c["email"] for c in everybody(owner)]
    assert sorted(emails) == sorted(f"ada{n}@example.com" for n in range(MANY))
    assert len(owner.get(f"{path}?action=create&limit=500").json["rows"]) == 500
    assert owner.get(f"/operations/{found['operation_id']}").json["count"] == MANY


def free_the_job(app):
    """As if the lease of the worker that was killed were over."""
    free = write_transaction(lambda: lane().run(_FREE, ("import.run",)))
    with app.app_context():
        free()


def everybody(person):
    page, found = person.get("/contacts?limit=500").json, []
    while True:
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        page = person.get(f"/contacts?limit=500&cursor={page['next_cursor']}").json


def stopping_after(monkeypatch, batches, then):
    """Have something done after so many batches of an import."""
    inner, left = running.commit_some, [batches]

    def some(*arguments):
        found = inner(*arguments)
        left[0] -= 1
        if left[0] == 0:
            then()
        return found

    monkeypatch.setattr(running, "commit_some", some)


def test_a_cancelled_import_stops_and_keeps_what_it_did(owner, monkeypatch):
    path = accepted(owner, FILE)
    stopping_after(monkeypatch, 1, lambda: owner.post(f"{path}/cancel"))
    work(owner.app)
    found = owner.get(path).json
    assert (found["status"], found["created"]) == ("cancelled", 250)
    assert book_state(owner).live == 250
    assert owner.post(f"/operations/{found['operation_id']}/undo").status_code == 200
    assert book_state(owner).live == 0


def test_what_is_undone_meanwhile_stays_undone(owner, monkeypatch):
    path = accepted(owner, FILE)

    def undo():
        operation = owner.get(path).json["operation_id"]
        assert owner.post(f"/operations/{operation}/undo").status_code == 200

    stopping_after(monkeypatch, 1, undo)
    work(owner.app)
    assert owner.get(path).json["status"] == "cancelled"
    assert book_state(owner).live == 0


# AZ-3
def test_who_may_no_longer_write_imports_no_more(cast, app, monkeypatch):
    set_user(app, cast.alice.id, contact_limit=0)
    book = f"?book={cast.alice.book_id}"
    path = send(cast.carol, FILE, book).headers["Location"].removeprefix("/api/v1")

    def leave():
        with app.app_context():
            unshare_book(cast.alice.id, cast.carol.id)

    stopping_after(monkeypatch, 1, leave)
    work(app)
    assert book_state(cast.alice).live == 250
    refused(cast.carol.get(path), 404, "not_found")
    with app.app_context():
        assert lane().one(Sql("SELECT status FROM import")) == ("failed",)
        share_book(cast.alice.id, cast.carol.id, "viewer")
    assert cast.carol.get(path).json["created"] == 250
    refused(send(cast.carol, FILE, book), 403, "read_only_book")


def test_a_file_that_ends_too_soon_fails_and_says_why(owner):
    broken = b"[" + b",".join(b'{"first_name":"Ada %d"}' % n for n in range(MANY))
    path = accepted(owner, broken, name="a.json")
    work(owner.app)
    found = owner.get(path).json
    assert (found["status"], found["created"]) == ("failed", 500)
    assert found["problem"] == {"code": "unreadable", "detail": "The file ends too soon."}


def test_no_more_than_some_wait(owner):
    for _ in range(5):
        accepted(owner, FILE)
    refused(send(owner, FILE), 409, "import_limit_reached")
    refused(send(owner, card(1)), 409, "import_limit_reached")


# CC-2
def test_the_limit_is_exact_beside_creates(new_server, engine, new_app):
    server = new_server(engine, JOB_WORKER="false")
    app = new_app(engine, database=server.database, INSTANCE_PATH=str(server.instance))
    visitor = server.person()
    boundary = "x" * 20
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.vcf"\r\n\r\n'
    body = head.encode() + FILE + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = visitor.post("/imports", data=body, headers=kind)
    assert answer.status_code == 202
    made, done = [], threading.Event()

    def create():
        while not done.is_set():
            made.append(visitor.post("/contacts", json={"nickname": "n"}).status_code)

    thread = threading.Thread(target=create)
    thread.start()
    until(lambda: len(made) > 3)
    work(app)  # in another process than the server's
    done.set()
    thread.join()
    found = visitor.get(answer.headers["Location"].removeprefix("/api/v1")).json()
    assert found["status"] == "done"
    assert found["created"] + made.count(201) == 100
    assert found["created"] + found["rejected"] == MANY
    assert visitor.get("/contacts?limit=1").json()["total"] == 100


# PR-3
def test_nothing_of_a_file_is_readable_in_the_database(owner, new_app):
    marker = "zaphodmarker"
    file = FILE + card(9999, FN=marker, EMAIL=f"{marker}@example.com", NOTE=marker, ROLE=marker)
    path = accepted(owner, file, name=f"{marker}.vcf", mode="preview")
    work(owner.app)
    assert owner.get(path).json["file_name"] == f"{marker}.vcf"
    with owner.app.app_context():
        for table in ("import", "import_part", "job", "operation", "change", "contact"):
            for row in lane().all(Sql(f"SELECT * FROM {table}")):
                for value in row:
                    raw = value if isinstance(value, bytes) else str(value).encode()
                    assert marker.encode() not in bytes(raw), table


def test_imports_are_forgotten_with_the_trash_and_with_the_account(app, monkeypatch):
    ann, ben = Person(app, "ann"), Person(app, "ben")
    for person in (ann, ben):
        send(person, card(1), mode="preview")
    ben.delete("/users/me", json={"password": "correct horse battery staple"})
    _all_jobs(app)
    with app.app_context():
        assert lane().one(Sql("SELECT count(*) FROM import")) == (1,)
        assert purge_imports() == 0
        now = clock.now_ms()
        monkeypatch.setattr(clock, "now_ms", lambda: now + 31 * 86_400_000)
        assert purge_imports() == 1
        assert lane().one(Sql("SELECT count(*) FROM import_part")) == (0,)


def _all_jobs(app):
    with app.app_context():
        while job := jobs.claim():
            do(job, HANDLERS, LAST_WORDS)
