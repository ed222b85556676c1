"""Every write of a book leaves exactly one change row, and nothing else leaves any."""

import hashlib
import re
from urllib.parse import urlsplit

import orjson
import pytest

from contactapp import clock
from contactapp.changes.service import ChangeLog, next_head
from contactapp.database import Sql, lane
from contactapp.keyring import keyring
from tests.support.cast import refused
from tests.support.stored import book_state, contact_row, set_user

COLUMNS = (
    "stream_id, seq, at, actor_id, token_id, request_id, operation_id, entity, entity_id, op, "
    "version, changed_fields, sealed_hash"
)
_BOOK = Sql("SELECT stream_id, key_id FROM book WHERE id = ?")
_CHANGES = Sql(f"SELECT {COLUMNS}, sealed, head FROM change WHERE stream_id = ? ORDER BY seq")
START = {"first_name": "Grace", "company": "Navy", "custom_fields": {"secret key": "x"}}

# Every mutating route of a book: the request, and what the one row must then say.
DEEDS = {
    ("POST", "/contacts"): (
        {"first_name": "Ada", "starred": True, "custom_fields": {"secret key": 1}},
        ("create", 1, "custom_fields first_name starred"),
    ),
    ("PUT", "/contacts/<id:contact_id>"): (
        {"first_name": "Grace", "last_name": "Hopper", "custom_fields": {"secret word": 2}},
        ("update", 2, "company custom_fields last_name"),
    ),
    ("PATCH", "/contacts/<id:contact_id>"): (
        {"company": None, "nickname": "G", "custom_fields": {"secret key": None}},
        ("update", 2, "company custom_fields nickname"),
    ),
    ("DELETE", "/contacts/<id:contact_id>"): (
        None,
        ("delete", 2, "company custom_fields first_name"),
    ),
    ("POST", "/contacts/<id:contact_id>/revert"): (
        {"version": 1},
        ("update", 3, "company nickname"),
    ),
}
# What must have been changed before, for a deed to change something.
BEFORE = {("POST", "/contacts/<id:contact_id>/revert"): {"company": None, "nickname": "G"}}

_NOTE_DEEDS = {
    "POST": ({"body": "new"}, ("create", 1, "body contact_id")),
    "PUT": ({"text": "other"}, ("update", 2, "body")),
    "PATCH": ({"text": "other"}, ("update", 2, "body")),
    "DELETE": (None, ("delete", 2, "body contact_id")),
}
NOTES = {
    (method, start + ("" if method == "POST" else "/<id:note_id>")): deed
    for start in ("/notes", "/contacts/<id:contact_id>/notes")
    for method, deed in _NOTE_DEEDS.items()
}
# Of a definition, whose version is the number of its change; there was one before.
FIELDS = {
    ("POST", "/custom-fields"): (
        {"key": "secret word", "type": "choice", "choices": ["secret"], "position": 1},
        ("create", 2, "choices key position type"),
    ),
    ("PATCH", "/custom-fields/<key:key>"): (
        {"label": "secret", "position": None},
        ("update", 2, "label position"),
    ),
    ("DELETE", "/custom-fields/<key:key>"): (None, ("delete", 2, "key position type")),
}
# What these write belongs to an account, and to no book; tests/data sweeps the log of its data.
OF_ACCOUNTS = tuple(
    f"/api/v1/{name}" for name in ("auth/", "users/", "feeds", "webhooks", "data", "changes")
)


def log_of(person):
    """The rows of a person's book, each checked against the chain and opened."""
    with person.app.app_context():
        stream_id, key_id = lane().one(_BOOK, (person.book_id,))
        chain, cipher = keyring().purpose("chain"), keyring().cipher(key_id)
        rows, head = [], b"\0" * 32
        for *values, sealed, head_here in lane().all(_CHANGES, (stream_id,)):
            row = dict(zip(COLUMNS.split(", "), values, strict=True))
            assert row["seq"] == len(rows) + 1
            assert hashlib.sha256(sealed).digest() == row["sealed_hash"]
            head = next_head(chain, head, row)
            assert head == head_here
            opened = cipher.open(sealed, "change", "sealed", stream_id, row["seq"])
            rows.append({**row, **orjson.loads(opened)})
    assert book_state(person)[:2] == (len(rows), head)
    return rows


def do(deed, person, contact, body=None, **kwargs):
    """Ask for a deed on a contact; `body` instead of the one that changes something."""
    return person.request(deed[0], path_of(deed, contact), json=body or DEEDS[deed][0], **kwargs)


def path_of(deed, contact):
    return re.sub("<id:.*>", str(contact["id"]), deed[1])


@pytest.fixture(params=DEEDS, ids=" ".join)
def deed(request):
    return request.param


@pytest.fixture
def contact(alice, request):
    made = alice.contact(**START)
    deed = request.getfixturevalue("deed") if "deed" in request.fixturenames else None
    if deed not in BEFORE:
        return made
    return alice.patch(f"/contacts/{made['id']}", json=BEFORE[deed]).json


def test_every_mutating_route_of_a_book_is_swept(app):
    rules = {
        (method, rule.rule.removeprefix("/api/v1"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods & {"POST", "PUT", "PATCH", "DELETE"}
        if rule.rule.startswith("/api/v1/") and not rule.rule.startswith(OF_ACCOUNTS)
    }
    # The first are in tests/contacts and tests/operations, the last in tests/notes: they end in a
    # contact's PATCH, and in the other notes' routes. The earlier systems' are in tests/compat.
    elsewhere = {
        ("PATCH", "/labels/<key:name>"),
        ("DELETE", "/labels/<key:name>"),
        ("POST", "/contacts/duplicates/dismiss"),
        ("POST", "/contacts/<id:contact_id>/merge"),
        ("POST", "/contacts/<id:contact_id>/restore"),
        ("POST", "/contacts/bulk"),
        ("POST", "/imports"),
        ("POST", "/imports/<id:import_id>/commit"),
        ("POST", "/imports/<id:import_id>/cancel"),
        ("PUT", "/contacts/<id:contact_id>/photo"),
        ("DELETE", "/contacts/<id:contact_id>/photo"),
        ("POST", "/operations/<id:operation_id>/undo"),
        ("POST", "/contacts/<id:contact_id>/suggestions/accept"),
        ("POST", "/notes/bulk"),
        ("POST", "/notes/<id:note_id>/revert"),
    }
    assert rules == {*DEEDS, *NOTES, *elsewhere, *FIELDS}


def test_a_write_leaves_exactly_one_row_that_tells_it(alice, contact, deed, monkeypatch):
    now = clock.now_ms() + 1000
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    answer = do(deed, alice, contact, headers={"X-Request-ID": "a-request-of-alice"})
    assert answer.status_code in {200, 201, 204}
    *_, made, row = log_of(alice)
    op, version, fields = DEEDS[deed][1]
    assert (row["op"], row["version"], row["changed_fields"]) == (op, version, fields)
    assert row["seq"] == 2 + (deed in BEFORE)
    assert (row["actor_id"], row["request_id"], row["at"]) == (alice.id, "a-request-of-alice", now)
    target = answer.json["id"] if op == "create" else contact["id"]
    assert (row["entity"], row["entity_id"]) == ("contact", target)
    assert row["before"] == (None if op == "create" else made["after"])
    shown = answer.json if answer.data else None
    assert (row["after"] is None) == (op == "delete")
    assert row["after"] is None or all(shown[key] == row["after"][key] for key in row["after"])


def test_the_names_of_custom_fields_are_not_in_the_plain_columns(app, alice, contact, deed):
    do(deed, alice, contact)
    with app.app_context():
        stream_id, _ = lane().one(_BOOK, (alice.book_id,))
        for row in lane().all(_CHANGES, (stream_id,)):
            assert "secret" not in str(row[:-2])  # all but the blob and the head
            assert b"secret" not in row[-2]


def test_a_row_is_attributed_to_who_wrote_and_chained_in_the_owners_book(cast):
    made = cast.alice.contact(**START)
    query = f"?book={cast.alice.book_id}"
    cast.carol.patch(f"/contacts/{made['id']}{query}", json={"nickname": "G"})
    cast.carol.post(f"/contacts{query}", json={"nickname": "H"})
    cast.alice.patch(f"/contacts/{made['id']}", json={"nickname": "I"})
    actors = [row["actor_id"] for row in log_of(cast.alice)]
    assert actors == [cast.alice.id, cast.carol.id, cast.carol.id, cast.alice.id]
    assert log_of(cast.carol) == []


def test_a_long_story_is_one_chain(alice):
    for n in range(8):
        made = alice.contact(nickname=f"n{n}")
        alice.patch(f"/contacts/{made['id']}", json={"nickname": f"m{n}"})
        alice.delete(f"/contacts/{made['id']}")
    ops = [(row["op"], row["version"]) for row in log_of(alice)]
    assert ops == [("create", 1), ("update", 2), ("delete", 3)] * 8


def unchanged(person, contact_id, act):
    """Assert that an act leaves the log, the counts and the row alone, and return its answer."""
    before = book_state(person), contact_row(person.app, contact_id)
    answer = act()
    assert (book_state(person), contact_row(person.app, contact_id)) == before
    assert len(log_of(person)) == before[0].seq
    return answer


def test_a_refused_write_leaves_none(cast, deed):
    alice = cast.alice
    contact = alice.contact(**START)
    path, book = path_of(deed, contact), {"book": alice.book_id}
    attempts = {
        403: lambda: do(deed, cast.eve, contact, query_string=book),
        404: lambda: do(deed, cast.bob, contact, query_string=book),
        400: lambda: do(deed, alice, contact, query_string={"unknown": "1"}),
    }
    if DEEDS[deed][0]:
        attempts[422] = lambda: do(deed, alice, contact, {"first_name": "x" * 101})
        attempts[415] = lambda: alice.request(deed[0], path, data="first_name=Ada")
    if path != "/contacts":
        stale = {"If-Match": '"v9-00000000"'}
        attempts[412] = lambda: do(deed, alice, contact, headers=stale)
    for status, attempt in attempts.items():
        assert unchanged(alice, contact["id"], attempt).status_code == status


def test_a_write_over_the_limit_leaves_none(alice, contact):
    set_user(alice.app, alice.id, contact_limit=1)
    answer = unchanged(alice, contact["id"], lambda: do(("POST", "/contacts"), alice, contact))
    refused(answer, 403, "contact_limit_reached")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_write_that_changes_nothing_leaves_none(alice, contact, method):
    rule = (method, "/contacts/<id:contact_id>")
    answer = unchanged(alice, contact["id"], lambda: do(rule, alice, contact, contact))
    assert (answer.status_code, answer.json) == (200, contact)
    assert len(log_of(alice)) == 1


def test_a_write_that_fails_on_its_last_line_is_rolled_back_whole(
    alice, contact, deed, monkeypatch
):
    append = ChangeLog.append

    def append_and_fail(self, *args):
        append(self, *args)
        raise RuntimeError("after everything was written")

    monkeypatch.setattr(ChangeLog, "append", append_and_fail)
    answer = unchanged(alice, contact["id"], lambda: do(deed, alice, contact))
    refused(answer, 500, "internal_error")
    monkeypatch.undo()
    assert alice.get("/contacts").json["items"] == [contact]
    assert do(deed, alice, contact).status_code in {200, 201, 204}  # and no lock is left behind
    assert len(log_of(alice)) == 2 + (deed in BEFORE)


def test_reading_leaves_none(alice, contact):
    one = f"/contacts/{contact['id']}"
    about = (one, f"{one}/history", f"{one}/notes", f"{one}/suggestions")
    for path in ("/contacts", *about, "/notes", "/changes", "/books", "/feeds", "/users/me"):
        answer = unchanged(alice, contact["id"], lambda path=path: alice.get(path))
        assert answer.status_code == 200


def test_making_reading_and_deleting_a_feed_leaves_none(alice, contact, client):
    made = unchanged(alice, contact["id"], lambda: alice.post("/feeds", json={"kind": "birthdays"}))
    path = urlsplit(made.json["url"]).path
    assert unchanged(alice, contact["id"], lambda: client.get(path)).status_code == 200
    one = f"/feeds/{made.json['id']}"
    assert unchanged(alice, contact["id"], lambda: alice.delete(one)).status_code == 204


def test_a_head_covers_the_one_before_and_every_column():
    names = COLUMNS.split(", ")
    row = {name: number for number, name in enumerate(names)} | {"sealed_hash": b"hash"}
    others = [{**row, name: 99} for name in names if name != "sealed_hash"]
    others.append({**row, "sealed_hash": b"another"})
    heads = {next_head(b"key", b"previous", other) for other in [row, *others]}
    heads |= {next_head(b"key", b"another", row), next_head(b"another", b"previous", row)}
    assert len(heads) == len(others) + 3


@pytest.fixture(params=NOTES, ids=" ".join)
def about_notes(request, alice, contact):
    """A deed on a note: `about_notes(body)` does it, with `note` and `told`, what the row says."""
    (method, rule), (body, told) = request.param, NOTES[request.param]
    note = alice.post(f"/contacts/{contact['id']}/notes", json={"body": "old"}).json
    path = rule.replace("<id:contact_id>", str(contact["id"]))
    path = path.replace("<id:note_id>", str(note["id"]))

    def act(body=body, person=alice, **kwargs):
        if rule == "/notes" and body:
            body = {**body, "contact_id": contact["id"]}
        return person.request(method, path, json=body, **kwargs)

    act.note, act.told, act.method = note, told, method
    return act


def test_a_write_of_a_note_leaves_exactly_one_row_that_tells_it(alice, about_notes):
    before = len(log_of(alice))
    answer = about_notes(headers={"X-Request-ID": "a-request-of-alice"})
    assert answer.status_code in {200, 201, 204}
    *_, row = log_of(alice)
    assert row["seq"] == before + 1
    assert (row["op"], row["version"], row["changed_fields"]) == about_notes.told
    assert (row["actor_id"], row["request_id"]) == (alice.id, "a-request-of-alice")
    target = answer.json["id"] if row["op"] == "create" else about_notes.note["id"]
    assert (row["entity"], row["entity_id"]) == ("note", target)
    assert (row["before"] or {}).get("body") == (None if row["op"] == "create" else "old")
    assert (row["after"] or {}).get("body") == (answer.json["body"] if answer.data else None)


def test_a_refused_write_of_a_note_leaves_none(cast, about_notes):
    book = {"book": cast.alice.book_id}
    attempts = {
        403: lambda: about_notes(person=cast.eve, query_string=book),
        404: lambda: about_notes(person=cast.bob, query_string=book),
        400: lambda: about_notes(query_string={"unknown": "1"}),
    }
    if about_notes.method != "DELETE":
        attempts[422] = lambda: about_notes({"body": ""})
    if about_notes.method != "POST":
        attempts[412] = lambda: about_notes(headers={"If-Match": '"v9-00000000"'})
    before = book_state(cast.alice)
    for status, attempt in attempts.items():
        assert attempt().status_code == status
    assert book_state(cast.alice) == before


def test_a_write_of_a_note_that_fails_on_its_last_line_is_rolled_back_whole(
    alice, about_notes, monkeypatch
):
    append, before = ChangeLog.append, book_state(alice)

    def append_and_fail(self, *args):
        append(self, *args)
        raise RuntimeError("after everything was written")

    monkeypatch.setattr(ChangeLog, "append", append_and_fail)
    refused(about_notes(), 500, "internal_error")
    monkeypatch.undo()
    assert book_state(alice) == before
    assert alice.get("/notes").json["items"] == [about_notes.note]


@pytest.fixture(params=FIELDS, ids=" ".join)
def about_fields(request, alice):
    """A deed on a custom field's definition, as `about_notes` does one on a note."""
    (method, rule), (body, told) = request.param, FIELDS[request.param]
    field = {"key": "secret key", "type": "date", "position": 5}
    assert alice.post("/custom-fields", json=field).status_code == 201
    path = rule.replace("<key:key>", "secret%20key")

    def act(body=body, person=alice, **kwargs):
        return person.request(method, path, json=body, **kwargs)

    act.told, act.method = told, method
    return act


def test_a_write_of_a_definition_leaves_exactly_one_row_that_tells_it(alice, about_fields):
    answer = about_fields(headers={"X-Request-ID": "a-request-of-alice"})
    assert answer.status_code in {200, 201, 204}
    first, row = log_of(alice)
    assert (row["op"], row["version"], row["changed_fields"]) == about_fields.told
    assert (row["entity"], row["request_id"]) == ("custom_field", "a-request-of-alice")
    assert (row["entity_id"] == first["entity_id"]) == (row["op"] != "create")
    told = row["after"] or row["before"]
    assert told["key"] == ("secret word" if row["op"] == "create" else "secret key")
    assert "secret" not in row["changed_fields"]


def test_a_refused_write_of_a_definition_leaves_none(cast, about_fields):
    book = {"book": cast.alice.book_id}
    attempts = {
        403: lambda: about_fields(person=cast.eve, query_string=book),
        404: lambda: about_fields(person=cast.bob, query_string=book),
        400: lambda: about_fields(query_string={"unknown": "1"}),
    }
    if about_fields.method != "DELETE":
        attempts[422] = lambda: about_fields({"position": "first"})
    if about_fields.method != "POST":
        attempts[412] = lambda: about_fields(headers={"If-Match": '"v9-00000000"'})
    before = book_state(cast.alice)
    for status, attempt in attempts.items():
        assert attempt().status_code == status
    assert book_state(cast.alice) == before


def test_a_write_of_a_definition_that_fails_on_its_last_line_is_rolled_back_whole(
    alice, about_fields, monkeypatch
):
    """In the memory of this process too."""
    append, before = ChangeLog.append, book_state(alice)
    kept = alice.get("/custom-fields").json["items"]

    def append_and_fail(self, *args):
        append(self, *args)
        raise RuntimeError("after everything was written")

    monkeypatch.setattr(ChangeLog, "append", append_and_fail)
    refused(about_fields(), 500, "internal_error")
    monkeypatch.undo()
    assert book_state(alice) == before
    assert alice.get("/custom-fields").json["items"] == kept
    assert about_fields().status_code in {200, 201, 204}
