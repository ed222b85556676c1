"""Taking everything along, and leaving nothing behind."""

import json
import re
import sqlite3
import zipfile
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from contactapp.auth import erasure
from contactapp.books import service as books_service
from contactapp.database import Sql, database, lane, write_transaction
from contactapp.jobs import service as jobs
from contactapp.pictures.service import PHOTOS
from contactapp.worker import HANDLERS
from tests.contacts.test_create import FULL
from tests.imports.conftest import send
from tests.support.cast import NOWHERE, PASSWORD, Cast, Person, refused
from tests.support.pictures import PNG, Frame, files, picture

MARK = "Zanzibar"


def fill(person, mark):
    """Something in every place that a person can fill."""
    person.patch("/users/me", json={"full_name": f"{mark} name", "gender": f"{mark} gender"})
    contact = person.contact(**{**FULL, "first_name": f"{mark}-first", "company": f"{mark}-co"})
    person.patch(f"/contacts/{contact['id']}", json={"nickname": f"{mark}-nick"})
    note = person.post(f"/contacts/{contact['id']}/notes", json={"body": f"{mark}-note"}).json
    person.patch(f"/notes/{note['id']}", json={"body": f"{mark}-text"})
    gone = person.contact(first_name=f"{mark}-trash")
    field = {"key": f"{mark}-key", "type": "text", "label": f"{mark}-label"}
    person.post("/custom-fields", json=field)
    person.delete(f"/contacts/{gone['id']}")
    Frame(person, "avatar").put(picture())
    put_photo(person, contact)
    rows = f"First Name,E-mail\n{mark}-row,nobody\n".encode()
    assert send(person, rows, name=f"{mark}-upload.csv").json["rejected"] == 1
    person.put("/data/kept", json={"value": f"{mark}-data"})
    person.put("/data/kept", json={"value": [f"{mark}-value"]})
    person.post("/feeds", json={"kind": "birthdays", "label": f"{mark}-feed"})
    wanted = {"url": f"{NOWHERE}{mark}-path", "description": f"{mark}-hook"}
    made = person.post("/webhooks", json=wanted).json
    person.post(f"/webhooks/{made['id']}/test")
    person.post("/auth/api-tokens", json={"name": f"{mark}-token", "scopes": ["contacts:read"]})
    login = {"username": person.name, "password": PASSWORD}
    agent = {"User-Agent": f"{mark}-agent"}
    person.app.test_client().post("/api/v1/auth/token", json=login, headers=agent)


def put_photo(person, contact):
    path = f"/contacts/{contact['id']}/photo"
    assert person.put(path, data=picture(), headers=PNG).status_code == 201


def export(person, **body):
    return person.post("/users/me/export", json={"password": PASSWORD, **body})


def members(answer):
    with zipfile.ZipFile(BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


# PR-1
def test_the_export_has_everything_and_nothing_of_others(alice, bob):
    fill(alice, MARK)
    fill(bob, "Timbuktu")
    answer = export(alice)
    assert answer.headers["Content-Type"] == "application/zip"
    found = members(answer)
    whole = b"".join(found.values())
    parts = "name gender first co nick note text trash agent feed path hook token data value key "
    parts += "label row"
    for part in parts.split():
        assert re.search(rf"{MARK}[ -]{part}".encode(), whole), part
    assert b"Timbuktu" not in whole
    contacts = json.loads(found["contacts.json"])
    assert [bool(c.get("deleted_at")) for c in contacts] == [False, True]
    assert contacts[0]["nickname"] == f"{MARK}-nick"
    changes = json.loads(found["changes.json"])
    told = [f"{change['op']} {change['entity']}" for change in changes]
    assert told[:2] == ["create data", "update data"]
    assert told[2:6] == ["create contact", "update contact", "create note", "update note"]
    end = ["create contact", "create custom_field", "delete contact", "update contact"]
    assert told[6:] == end
    [entry] = json.loads(found["data.json"])
    assert (entry["key"], entry["value"]) == ("kept", [f"{MARK}-value"])
    [imported] = json.loads(found["imports.json"])
    assert (imported["file_name"], imported["rejected"]) == (f"{MARK}-upload.csv", 1)
    [row] = json.loads(found["import_rows.json"])
    assert (row["import_id"], row["problems"][0]["pointer"]) == (imported["id"], "/emails/0/value")
    assert f"{MARK}-row".encode() in found[f"imports/{imported['id']}.csv"]
    [field] = json.loads(found["fields.json"])
    assert (field["key"], field["label"]) == (f"{MARK}-key", f"{MARK}-label")
    [note] = json.loads(found["notes.json"])
    assert (note["body"], note["author"]) == (f"{MARK}-text", alice.id)
    assert json.loads(found["profile.json"])["email"] == alice.email
    assert {"avatar/64.webp", "avatar/256.webp", "avatar/512.webp"} <= set(found)
    assert [name for name in found if name.startswith("photos/")] == [
        f"photos/{contacts[0]['id']}.webp"
    ]
    assert len(json.loads(found["sessions.json"])) == 2
    assert json.loads(found["tokens.json"]) == alice.get("/auth/api-tokens").json["items"]
    [feed] = alice.get("/feeds").json["items"]
    address = feed.pop("url")
    assert json.loads(found["feeds.json"]) == [feed]
    assert address.rpartition("/")[2].partition("-")[2][:20].encode() not in whole
    [webhook] = json.loads(found["webhooks.json"])
    assert webhook == alice.get(f"/webhooks/{webhook['id']}").json
    [delivery] = json.loads(found["deliveries.json"])
    assert (delivery["webhook_id"], delivery["type"]) == (webhook["id"], "webhook.test")
    assert json.loads(found["audit.json"])[-1]["kind"] == "registered"


# PR-1
def test_the_export_has_what_was_done_as_one_and_who_was_told_apart(alice, bob):
    for person in (bob, alice):
        ids = [person.contact(first_name="Ada", last_name="Lovelace")["id"] for _ in range(2)]
        person.post("/contacts/duplicates/dismiss", json={"contact_ids": ids})
        deed = {"op": "delete", "id": ids[0]}
        done = person.post("/contacts/bulk", json={"operations": [deed]}).json["operation_id"]
    undo = alice.post(f"/operations/{done}/undo").json["id"]
    found = members(export(alice))
    assert json.loads(found["dismissed.json"]) == [{"contact_ids": ids}]
    operations = json.loads(found["operations.json"])
    assert [(one["id"], one["kind"], one["undoes"]) for one in operations] == [
        (done, "bulk", None),
        (undo, "undo", done),
    ]
    changes = json.loads(found["changes.json"])
    assert [change["operation_id"] for change in changes] == [None, None, done, undo]


# PR-1
def test_the_export_wants_the_password(alice):
    refused(export(alice, password="a guess"), 403, "wrong_password")
    refused(alice.post("/users/me/export", json={}), 422, "invalid_fields", "/password")


# RL-1
def test_exports_have_a_limit_of_each_account(engine, new_app):
    app = new_app(engine, EXPORT_RATE_LIMITS="2 per hour")
    ann, bob = Person(app, "ann"), Person(app, "bob")
    assert [export(ann).status_code for _ in range(4)] == [200, 200, 429, 429]
    refusal = export(ann)
    assert 3500 < int(refusal.headers["Retry-After"]) <= 3600
    assert "2 per 3600 second" in refusal.json["detail"]
    assert export(bob).status_code == 200


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_an_export_of_many_contacts_is_streamed(engine, new_app):
    app = new_app(engine, CONTACT_LIMIT="0")
    ann = Person(app, "ann")
    for number in range(1100):
        ann.contact(first_name=f"n{number}")
    request = app.test_client().post(
        "/api/v1/users/me/export",
        json={"password": PASSWORD},
        headers={"Authorization": f"Bearer {ann.access}"},
        buffered=False,
    )
    parts = list(request.response)
    assert len(parts) > 3
    with zipfile.ZipFile(BytesIO(b"".join(parts))) as archive:
        contacts = json.loads(archive.read("contacts.json"))
    assert [contact["first_name"] for contact in contacts] == [f"n{n}" for n in range(1100)]


@pytest.fixture
def leaving(engine, new_app):
    """An application of the test's own with Alice, who shares with Carol and uses Bob's book."""
    cast = Cast(new_app(engine))
    assert cast.carol.get(f"/contacts?book={cast.alice.book_id}").status_code == 200
    with cast.app.app_context():
        books_service.share_book(cast.bob.id, cast.alice.id, "editor")
    return cast


def work(app):
    """Do the jobs that are due, as the worker would."""
    with app.app_context():
        while job := jobs.claim():
            jobs.finish(job, HANDLERS[job.kind](job))


def count(app, sql, *parameters):
    with app.app_context():
        return lane().one(Sql(sql), parameters)[0]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/users/me/delete"), ("DELETE", "/users/me")]
)
# PR-2, TK-6
def test_nothing_is_left(leaving, method, path):
    app, alice, bob = leaving.app, leaving.alice, leaving.bob
    fill(alice, MARK)
    theirs = bob.contact(first_name="Bobs")
    changed = alice.patch(f"/contacts/{theirs['id']}?book={bob.book_id}", json={"title": "T"})
    paths = []
    for person, book in ((alice, alice), (alice, bob), (leaving.carol, alice)):
        feed = person.post(f"/feeds?book={book.book_id}", json={"kind": "birthdays"}).json
        paths.append(urlsplit(feed["url"]).path)
    assert [app.test_client().get(path).status_code for path in paths] == [200] * 3
    assert changed.status_code == 200
    refused(alice.request(method, path, json={"password": "a guess"}), 403, "wrong_password")
    answer = alice.request(method, path, json={"password": PASSWORD})
    assert answer.status_code == 204, answer.text
    # At once: no session, no sign-in, no share, no picture.
    refused(alice.get("/contacts"), 401, "invalid_token")
    client = app.test_client()
    body = {"refresh_token": alice.refresh}
    refused(client.post("/api/v1/auth/refresh", json=body), 401, "invalid_token")
    login = {"username": alice.name, "password": PASSWORD}
    refused(client.post("/api/v1/auth/token", json=login), 401, "invalid_credentials")
    refused(leaving.carol.get(f"/contacts?book={alice.book_id}"), 404, "not_found")
    assert [client.get(path).status_code for path in paths] == [404] * 3
    assert count(app, "SELECT count(*) FROM feed WHERE user_id = ?", alice.id) == 0
    assert files(app) == set()
    emptied = "SELECT count(*) FROM key WHERE purpose IS NULL AND length(wrapped) = 0"
    assert count(app, emptied) == 2  # hers and her book's
    work(app)
    # And then no row, and no photo.
    assert files(app, PHOTOS) == set()
    assert count(app, "SELECT count(*) FROM photo") == 0
    tables = ("session", "api_token", "link", "known_place", "book_member", "data_entry", "webhook")
    for table in tables:
        assert count(app, f"SELECT count(*) FROM {table} WHERE user_id = ?", alice.id) == 0
    assert count(app, "SELECT count(*) FROM users WHERE id = ?", alice.id) == 0
    assert count(app, "SELECT count(*) FROM book WHERE owner_id = ?", alice.id) == 0
    assert count(app, "SELECT count(*) FROM webhook_delivery") == 0
    assert count(app, "SELECT count(*) FROM import WHERE user_id = ?", alice.id) == 0
    parts = "SELECT count(*) FROM import_part p LEFT JOIN import i ON i.id = p.import_id "
    assert count(app, f"{parts} WHERE i.id IS NULL") == 0
    for table in ("contact", "note", "feed", "webhook"):
        assert count(app, f"SELECT count(*) FROM {table} WHERE book_id = ?", alice.book_id) == 0
    sealed = "SELECT count(*) FROM audit_event WHERE user_id = ? AND sealed IS NOT NULL"
    assert count(app, sealed, alice.id) == 0
    assert count(app, "SELECT count(*) FROM key WHERE purpose IS NULL") == 2 * 2  # Bob's, Carol's
    assert count(app, "SELECT count(*) FROM stream") == 2 * 2
    # What is others' is untouched, and the address is free.
    shown = bob.get(f"/contacts/{theirs['id']}").json
    assert (shown["title"], shown["updated_by"]) == ("T", alice.id)
    fields = {"email": alice.email, "username": alice.name, "password": PASSWORD}
    again = client.post("/api/v1/auth/register", json=fields)
    assert again.status_code == 201
    assert again.json["id"] != alice.id


# PR-2
def test_the_files_hold_nothing_that_opens(leaving):
    app, alice = leaving.app, leaving.alice
    fill(alice, MARK)
    with app.app_context():
        blobs = [bytes(row[0]) for row in lane().all(_WRAPPED, (alice.id,))]
        for sql in (_SEALED, _NOTES, _FILES):
            blobs += [bytes(row[0]) for row in lane().all(sql, (alice.book_id,))]
        blobs += [bytes(row[0]) for row in lane().all(_ENTRIES, (alice.id,))]
        sqlite = database().is_sqlite
        path = database().engine.url.database
    alice.delete("/users/me", json={"password": PASSWORD})
    work(app)
    if not sqlite:
        with app.app_context(), database().engine.connect() as connection:
            for table in ("key", "contact", "note", "import_part", "data_entry", "change", "users"):
                rows = connection.execute(text(f"SELECT * FROM {table}")).all()
                held = b"".join(bytes(v) for row in rows for v in row if isinstance(v, bytes))
                assert not any(blob in held for blob in blobs), table
        return
    held = b"".join(
        Path(f"{path}{ending}").read_bytes()
        for ending in ("", "-wal")
        if Path(f"{path}{ending}").exists()
    )
    assert MARK.encode() not in held
    assert not any(blob in held for blob in blobs)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


_WRAPPED = Sql("SELECT k.wrapped FROM key k JOIN users u ON u.key_id = k.id WHERE u.id = ?")
_ENTRIES = Sql("SELECT sealed FROM data_entry WHERE user_id = ?")
_NOTES = Sql("SELECT sealed FROM note WHERE book_id = ?")
_FILES = Sql(
    "SELECT p.sealed FROM import_part p JOIN import i ON i.id = p.import_id WHERE i.book_id = ?"
)
_SEALED = Sql("SELECT sealed FROM contact WHERE book_id = ?")


def test_what_came_in_while_the_account_was_shut_goes_too(leaving, monkeypatch):
    app, alice, carol = leaving.app, leaving.alice, leaving.carol
    alice.delete("/users/me", json={"password": PASSWORD})
    late = {"created_at": 1, "updated_at": 1, "next_at": 1, "attempts": 0, "status": "done"}
    row = {"book_id": alice.book_id, "user_id": carol.id, "role": "editor", "created_at": 1}
    feed = {"kind": "birthdays", "sealed": b"", "created_at": 1}
    entry = {"key": "k", "size": 1, "sealed": b"", "version": 1, "created_at": 1, "updated_at": 1}
    with app.app_context():
        insert = lambda table, values: lane().insert(table, values, returning="")  # noqa: E731
        write_transaction(insert)("job", {"kind": "auth.forgot", "user_id": alice.id, **late})
        write_transaction(insert)("book_member", row)
        write_transaction(insert)("data_entry", {"user_id": alice.id, **entry})
        for person, book in ((alice, leaving.bob), (carol, alice)):
            ids = {"uid": f"{person.id}", "user_id": person.id, "book_id": book.book_id}
            write_transaction(insert)("feed", {**feed, **ids})
        photo = {"contact_id": 1, "token": "t", "created_at": 1}
        write_transaction(insert)("photo", {"book_id": alice.book_id, **photo})
    monkeypatch.setattr(erasure, "erase_photos", lambda _: 0)  # as if it had come after that
    work(app)
    assert count(app, "SELECT count(*) FROM users WHERE id = ?", alice.id) == 0


def test_erasing_goes_on_where_it_stopped(leaving, monkeypatch):
    app, alice = leaving.app, leaving.alice
    for number in range(7):
        alice.contact(first_name=f"n{number}")
    alice.delete("/users/me", json={"password": PASSWORD})
    monkeypatch.setattr(erasure, "_BATCH", 2)
    genuine, calls = erasure._remove, []

    def stops(sql, parameters):
        calls.append(sql)
        if len(calls) == 3:
            raise RuntimeError("killed")
        return genuine(sql, parameters)

    monkeypatch.setattr(erasure, "_remove", stops)
    with app.app_context():
        job = jobs.claim()
        while job.kind != "account.erase":
            jobs.finish(job)
            job = jobs.claim()
        with pytest.raises(RuntimeError):
            erasure.erase(job)
        assert lane().one(_SEALED, (alice.book_id,)) is not None
        jobs.finish(job, erasure.erase(job))
    assert count(app, "SELECT count(*) FROM users WHERE id = ?", alice.id) == 0
