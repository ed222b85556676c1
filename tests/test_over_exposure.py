"""No answer says more than the document promises, whatever is asked for."""

import base64
from contextlib import closing
from io import BytesIO
from urllib.parse import urlsplit

import orjson
import pyotp
import pytest
from jsonschema import Draft202012Validator

from contactapp.auth.models import Ticket
from contactapp.books.models import Book, BookMember
from contactapp.changes.models import Change, Stream
from contactapp.contacts.models import Contact, DuplicateDismissal, Photo
from contactapp.custom_fields.models import CustomField
from contactapp.data.models import DataEntry
from contactapp.database import Sql, lane
from contactapp.feeds.models import Feed
from contactapp.imports.models import Import, ImportPart
from contactapp.notes.models import Note
from contactapp.operations.models import Operation
from contactapp.users.models import User
from contactapp.webhooks.models import Webhook, WebhookDelivery
from tests.contacts.test_create import FULL
from tests.notes.conftest import work
from tests.support.cast import NOWHERE, PASSWORD, Person, refused
from tests.support.engines import on_one_engine
from tests.support.pictures import picture
from tests.support.stored import issue_link, newest_link

TABLES = (
    *(Book, BookMember, Change, Stream, Contact, Photo, CustomField, Note, Feed, DataEntry, User),
    *(DuplicateDismissal, Operation, Import, ImportPart, Ticket, Webhook, WebhookDelivery),
)
_SECRETS = Sql("SELECT password_hash, email_index, username_index, sealed FROM users WHERE id = ?")
_BLOBS = Sql("SELECT sealed FROM contact WHERE book_id = ?")


@pytest.fixture(scope="module")
def app(engine, new_app):
    """An application of the file's own: the tour does all jobs, and nobody else's may be due."""
    return new_app(engine)


def closed(schema):
    """The schema with every object refusing what it does not list."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema:
        found["additionalProperties"] = False
    return found


def document(app):
    return orjson.loads(app.extensions["contactapp.openapi"])


def tour(alice):
    """Every operation once, as it succeeds: (method, path in the document, answer)."""
    client = alice.app.test_client()
    login = {"username": alice.name, "password": PASSWORD}
    fresh = {"email": f"new-{alice.name}@example.com", "password": PASSWORD, "username": None}
    yield "post", "/auth/register", client.post("/api/v1/auth/register", json=fresh)
    for path in ("/auth/token", "/auth/login"):
        answer = client.post(f"/api/v1{path}", json=login)
        yield "post", path, answer
    body = {"refresh_token": answer.json["refresh_token"]}
    yield "post", "/auth/refresh", client.post("/api/v1/auth/refresh", json=body)
    for path in ("/auth/me", "/users/me", "/books", "/auth/sessions"):
        answer = alice.get(path)
        yield "get", path, answer
    session = next(s["id"] for s in answer.json["items"] if not s["is_current"])
    answer = alice.delete(f"/auth/sessions/{session}")
    yield "delete", "/auth/sessions/{session_id}", answer
    yield "patch", "/users/me", alice.patch("/users/me", json={"full_name": "Alice", "age": 40})
    yield from tour_of_contacts(alice)
    yield from tour_of_feeds(alice, client)
    yield from tour_of_webhooks(alice)
    yield from tour_of_api_tokens(alice)
    yield from tour_of_codes(Person(alice.app, "ann"))
    yield from tour_of_pictures(alice)
    yield from tour_of_accounts(alice)
    yield from tour_of_recovery(alice, client)
    yield "post", "/auth/logout", alice.post("/auth/logout")
    yield from tour_of_leaving(alice)


def tour_of_pictures(alice):
    path, headers = "/users/me/avatar", {"Content-Type": "image/png"}
    yield "put", path, alice.put(path, data=picture(), headers=headers)
    yield "delete", path, alice.delete(path)
    contact = alice.contact()["id"]
    path, one = f"/contacts/{contact}/photo", "/contacts/{contact_id}/photo"
    yield "put", one, alice.put(path, data=picture(), headers=headers)
    yield "get", one, alice.get(path)
    yield "get", "/contacts", alice.get("/contacts?fields=id,photo_url")
    yield "get", "/contacts/{contact_id}/history", alice.get(f"/contacts/{contact}/history")
    yield "delete", one, alice.delete(path)
    yield "get", "/audit", alice.get("/audit")


def tour_of_feeds(alice, client):
    made = alice.post("/feeds", json={"kind": "birthdays", "label": "Ours"})
    yield "post", "/feeds", made
    yield "get", "/feeds", alice.get("/feeds")
    yield "get", "/feeds/{token}.ics", client.get(urlsplit(made.json["url"]).path)
    yield "delete", "/feeds/{feed_id}", alice.delete(f"/feeds/{made.json['id']}")


def tour_of_webhooks(alice):
    path, one = "/webhooks", "/webhooks/{webhook_id}"
    made = alice.post(path, json={"url": NOWHERE, "types": ["contact.restored"]})
    yield "post", path, made
    yield "get", path, alice.get(path)
    own, delivery = f"{path}/{made.json['id']}", f"{one}/deliveries/{{delivery_id}}"
    yield "get", one, alice.get(own)
    yield "patch", one, alice.patch(own, json={"description": "Ours"})
    yield "post", f"{one}/secret", alice.post(f"{own}/secret")
    tried = alice.post(f"{own}/test")
    yield "post", f"{one}/test", tried
    yield "get", f"{one}/deliveries", alice.get(f"{own}/deliveries")
    yield "get", delivery, alice.get(f"{own}/deliveries/{tried.json['id']}")
    yield "post", f"{delivery}/replay", alice.post(f"{own}/deliveries/{tried.json['id']}/replay")
    yield "delete", one, alice.delete(own)


def tour_of_api_tokens(alice):
    path = "/auth/api-tokens"
    made = alice.post(path, json={"name": "Ours", "scopes": ["contacts:read"]})
    yield "post", path, made
    yield "get", path, alice.get(path)
    yield "delete", f"{path}/{{token_id}}", alice.delete(f"{path}/{made.json['id']}")


def tour_of_codes(ann):
    path, body = "/auth/totp", {"password": PASSWORD}
    begun = ann.post(path, json=body)
    yield "post", path, begun
    code = pyotp.TOTP(begun.json["secret"]).now()
    yield "post", f"{path}/confirm", ann.post(f"{path}/confirm", json={"code": code})
    yield "get", path, ann.get(path)
    yield "delete", path, ann.delete(path, json=body)


def tour_of_accounts(alice):
    admin = Person(alice.app, "admin", "admin")
    one, path = f"/users/{alice.id}", "/users/{user_id}"
    yield "get", "/users", admin.get("/users?limit=500")
    yield "get", path, admin.get(one)
    yield "patch", path, admin.patch(one, json={"contact_limit": 90})


def tour_of_leaving(alice):
    body = {"password": PASSWORD}
    yield "post", "/users/me/export", Person(alice.app, "ann").post("/users/me/export", json=body)
    yield "post", "/users/me/delete", Person(alice.app, "ann").post("/users/me/delete", json=body)
    yield "delete", "/users/me", Person(alice.app, "ann").delete("/users/me", json=body)


def tour_of_recovery(alice, client):
    email, new = {"email": alice.email}, "a quite different phrase"
    for path in ("/auth/verify-email/resend", "/auth/password/forgot"):
        yield "post", path, client.post(f"/api/v1{path}", json=email)
    token = {"token": newest_link(alice.app, alice.id, "verify")}
    yield "post", "/auth/verify-email", alice.post("/auth/verify-email", json=token)
    body = {"current_password": PASSWORD, "new_password": new}
    answer = alice.post("/auth/password/change", json=body)
    yield "post", "/auth/password/change", answer
    alice.access = answer.json["access_token"]
    body = {"email": f"x{alice.email}", "password": new}
    yield "post", "/auth/email/change", alice.post("/auth/email/change", json=body)
    token = {"token": newest_link(alice.app, alice.id, "email")}
    yield "post", "/auth/email/confirm", client.post("/api/v1/auth/email/confirm", json=token)
    body = {"token": issue_link(alice.app, alice.id, "reset"), "new_password": PASSWORD}
    yield "post", "/auth/password/reset", client.post("/api/v1/auth/password/reset", json=body)
    answer = client.post("/api/v1/auth/token", json={"username": alice.name, "password": PASSWORD})
    alice.access = answer.json["access_token"]


def tour_of_contacts(alice):
    answer = alice.post("/contacts", json=FULL)
    yield "post", "/contacts", answer
    path, one = f"/contacts/{answer.json['id']}", "/contacts/{contact_id}"
    for query in ("", "?sort=-name&limit=1", "?fields=id,email,custom_fields"):
        yield "get", "/contacts", alice.get(f"/contacts{query}")
    for query in ("q=a", "q=a&fields=id&sort=-email"):
        yield "get", "/contacts/search", alice.get(f"/contacts/search?{query}")
    alice.contact(first_name="Ada", birthday="--12-10")
    yield "get", "/contacts/birthdays", alice.get("/contacts/birthdays?days=366")
    yield "get", one, alice.get(path)
    yield "put", one, alice.put(path, json={**FULL, "nickname": "G"})
    yield "patch", one, alice.patch(path, json={"nickname": None})
    yield from tour_of_notes(alice, answer.json["id"])
    yield "get", f"{one}/history", alice.get(f"{path}/history")
    yield "post", f"{one}/revert", alice.post(f"{path}/revert", json={"version": 1})
    yield "delete", one, alice.delete(path)
    yield "get", "/contacts/trash", alice.get("/contacts/trash")
    yield "post", f"{one}/restore", alice.post(f"{path}/restore")
    yield from tour_of_merges(alice, answer.json["id"])
    yield from tour_of_operations(alice, answer.json["id"])
    yield from tour_of_imports(alice)
    yield from tour_of_data(alice)
    yield from tour_of_custom_fields(alice)
    yield from tour_of_labels(alice)
    yield "get", "/changes", alice.get("/changes")
    with closing(alice.get("/changes/stream")) as answer:
        yield "get", "/changes/stream", answer
    yield "post", "/changes/tickets", alice.post("/changes/tickets")


def tour_of_merges(alice, contact_id):
    others = [alice.contact(**FULL)["id"] for _ in range(2)]
    path = "/contacts/duplicates"
    yield "get", path, alice.get(path)
    dismissal = {"contact_ids": others}
    yield "post", f"{path}/dismiss", alice.post(f"{path}/dismiss", json=dismissal)
    body = {"source_ids": others}
    answer = alice.post(f"/contacts/{contact_id}/merge", json=body)
    yield "post", "/contacts/{contact_id}/merge", answer


def tour_of_operations(alice, contact_id):
    wrong = {"op": "update", "id": contact_id, "version": 99, "contact": {}}
    operations = [{"op": "create", "contact": FULL}, {"op": "delete", "id": contact_id}, wrong]
    body = {"operations": operations, "atomic": False}
    yield "post", "/contacts/bulk", alice.post("/contacts/bulk", json=body)
    answer = alice.get("/operations")
    yield "get", "/operations", answer
    path, one = f"/operations/{answer.json['items'][0]['id']}", "/operations/{operation_id}"
    yield "get", one, alice.get(path)
    yield "post", f"{one}/undo", alice.post(f"{path}/undo")


def tour_of_imports(alice):
    path, one = "/imports", "/imports/{import_id}"
    cards = b"BEGIN:VCARD\nFN:Ada Lovelace\nEND:VCARD\nBEGIN:VCARD\nFN:Eve\nEMAIL:eve\nEND:VCARD"
    for end in ("cancel", "commit"):  # the last one keeps its rejected rows
        form = {"file": (BytesIO(cards), "cards.vcf"), "mode": "preview"}
        answer = alice.post(path, data=form)
        yield "post", path, answer
        made = f"{path}/{answer.json['id']}"
        body = {"json": {}} if end == "commit" else {}
        yield "post", f"{one}/{end}", alice.post(f"{made}/{end}", **body)
    yield "get", path, alice.get(path)
    yield "get", one, alice.get(f"{made}?action=create,reject")
    yield "get", f"{one}/rejected", alice.get(f"{made}/rejected")
    yield "get", "/exports", alice.get("/exports")


def tour_of_data(alice):
    one, value = "/data/{key}", {"a": [1, None, "text"], "b": {}}
    yield "post", "/data", alice.post("/data", json={"key": "a/b", "value": value, "ttl": 60})
    for query in ("", "?prefix=a&limit=1", "?fields=key,value"):
        yield "get", "/data", alice.get(f"/data{query}")
    yield "get", one, alice.get("/data/a/b")
    yield "put", one, alice.put("/data/a/b", json={"value": value})
    yield "patch", one, alice.patch("/data/a/b", json={"value": {"a": None}})
    yield "get", "/data-history/{key}", alice.get("/data-history/a/b")
    yield "delete", one, alice.delete("/data/a/b")
    yield "post", f"{one}/increment", alice.post("/data/n/increment", json={})


def tour_of_custom_fields(alice):
    alice.contact(first_name="Ada", custom_fields={"size": 5})
    path, one = "/custom-fields", "/custom-fields/{key}"
    body = {"key": "size", "type": "choice", "choices": ["5", "6"], "label": "Size"}
    yield "post", path, alice.post(path, json=body)
    yield "get", path, alice.get(f"{path}?limit=1")
    yield "get", one, alice.get(f"{path}/size")
    yield "patch", one, alice.patch(f"{path}/size", json={"type": "number", "choices": None})
    yield "delete", one, alice.delete(f"{path}/size?values=delete")


def tour_of_labels(alice):
    alice.contact(first_name="Ada", labels=["Navy", "Friends"])
    yield "get", "/labels", alice.get("/labels?limit=1")
    one = "/labels/{name}"
    yield "patch", one, alice.patch("/labels/navy", json={"name": "friends"})
    yield "delete", one, alice.delete("/labels/friends")


def tour_of_notes(alice, contact_id):
    body = {"contact_id": contact_id, "body": "call +49 151 7654321"}
    for path, shown in (
        ("/notes", "/notes"),
        (f"/contacts/{contact_id}/notes", "/contacts/{contact_id}/notes"),
    ):
        answer = alice.post(path, json=body)
        yield "post", shown, answer
        yield "get", shown, alice.get(f"{path}?limit=1&q=call")
        one, name = f"{path}/{answer.json['id']}", f"{shown}/{{note_id}}"
        work(alice.app)
        yield "get", name, alice.get(one)
        yield "put", name, alice.put(one, json=body)
        yield "patch", name, alice.patch(one, json={"body": "call 0151 1234567"})
        if path == "/notes":
            yield "get", f"{name}/history", alice.get(f"{one}/history")
            yield "post", f"{name}/revert", alice.post(f"{one}/revert", json={"version": 1})
        yield "delete", name, alice.delete(one)
    operations = [{"op": "create", "note": body}, {"op": "delete", "id": contact_id, "note": body}]
    yield "post", "/notes/bulk", alice.post("/notes/bulk", json={"operations": operations})
    work(alice.app)
    path, shown = f"/contacts/{contact_id}/suggestions", "/contacts/{contact_id}/suggestions"
    answer = alice.get(path)
    yield "get", shown, answer
    ids = {"ids": [answer.json["items"][0]["id"]]}
    yield "post", f"{shown}/accept", alice.post(f"{path}/accept", json=ids)


@pytest.fixture
def answers(alice):
    """The tour's answers, each checked to be a success."""
    found = [(method, f"/api/v1{path}", answer) for method, path, answer in tour(alice)]
    for method, path, answer in found:
        assert answer.status_code in {200, 201, 202, 204}, (method, path, answer.text)
    return found


def test_the_tour_visits_every_operation(app, answers):
    documented = {
        (method, path)
        for path, operations in document(app)["paths"].items()
        for method in operations.keys() & {"get", "post", "put", "patch", "delete"}
    }
    assert {(method, path) for method, path, _ in answers} == documented


# AZ-5
def test_every_successful_answer_has_only_listed_keys(app, answers):
    whole = closed(document(app))
    for method, path, answer in answers:
        if answer.status_code == 204:
            assert answer.data == b""
            continue
        # test_leaving, test_calendar and test_stream look into them
        files = {"application/zip", "text/calendar", "text/vcard", "text/event-stream"}
        if answer.mimetype in files:
            continue
        responses = whole["paths"][path][method]["responses"]
        schema = responses[str(answer.status_code)]["content"]["application/json"]["schema"]
        validator = Draft202012Validator({**schema, "components": whole["components"]})
        problems = [error.message for error in validator.iter_errors(answer.json)]
        assert not problems, (method, path, problems)


# AZ-5
def test_only_custom_fields_and_problems_are_open_in_the_document(app):
    """Every object lists its keys, so that the test above compares with something."""
    schemas = document(app)["components"]["schemas"]
    assert all(schema.get("properties") for schema in schemas.values())
    opened = {name for name, schema in schemas.items() if schema.get("additionalProperties")}
    assert opened <= {"Problem", "VersionMismatch"}


def keys_in(value):
    if isinstance(value, dict):
        return set(value).union(*map(keys_in, value.values()))
    return set().union(*map(keys_in, value)) if isinstance(value, list) else set()


def internal_columns(app):
    """Columns of our tables that no schema shows."""
    shown = keys_in(document(app)["components"]["schemas"])
    return {column.name for table in TABLES for column in table.__table__.columns} - shown


# AZ-5
def test_no_answer_has_an_internal_column(app, client, answers):
    internal = internal_columns(app)
    assert {"password_hash", "sealed", "email_index", "username_index", "key_id"} <= internal
    failures = [client.get("/api/v1/contacts"), client.get("/api/v1/nothing")]
    for answer in [answer for _, _, answer in answers] + failures:
        if answer.is_json:
            assert not keys_in(answer.json) & internal
    text = client.get("/openapi.json").text
    assert not any(name in text for name in ("password_hash", "sealed", "_index", "key_id"))


# AZ-5
def test_no_answer_holds_what_is_stored_about_the_account(alice, answers):
    with alice.app.app_context():
        password_hash, *blobs = lane().one(_SECRETS, (alice.id,))
        blobs += [row[0] for row in lane().all(_BLOBS, (alice.book_id,))]
    needles = [password_hash.encode(), PASSWORD.encode()]
    for blob in map(bytes, blobs):
        needles += [blob.hex()[:24].encode(), base64.b64encode(blob)[:24], blob[:16]]
    for method, path, answer in answers:
        assert not any(needle in answer.data for needle in needles), (method, path)


# AZ-5
@on_one_engine
@pytest.mark.parametrize(
    "query",
    [
        "fields=password_hash",
        "fields=id,sealed",
        "fields=*",
        "fields=deleted_at",
        "fields=photo",
        "sort=photo_url",
        "fields=owner_id",
        "fields=__class__",
        "sort=password_hash",
        "sort=-sealed",
        "sort=deleted_at",
        "sort=created_by",
        "filter[owner_id]=2",
        "filter=owner_id",
        "owner_id=2",
        "book_id=2",
        "user_id=2",
        "include=user",
        "deleted_at=",
        "has=sealed",
        "has=id,password_hash",
        "sealed_like=a",
        "created_by=1",
        "customer=1",
        "uid=1",
    ],
)
def test_an_unlisted_name_is_400(alice, query):
    alice.contact()
    problem = refused(alice.get(f"/contacts?{query}"), 400, "unknown_parameter")
    assert problem["parameter"] in {"fields", "sort", "has"} or query.startswith(
        problem["parameter"]
    )


# AZ-5
def test_the_closed_schema_would_see_one_key_too_many(app):
    """The check itself, on an answer with a key that is not listed."""
    whole = closed(document(app))
    schema = {"$ref": "#/components/schemas/Contact", "components": whole["components"]}
    properties = whole["components"]["schemas"]["Contact"]["properties"]
    errors = list(Draft202012Validator(schema).iter_errors(dict.fromkeys(properties, 1) | {"x": 1}))
    assert any("'x' was unexpected" in error.message for error in errors)
