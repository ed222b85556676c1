"""A stale If-Match is told what has come in between, and by whom."""

import re

import pytest

from contactapp import clock
from contactapp.database import Sql, lane, write_transaction
from tests.support.cast import refused
from tests.test_authorisation_matrix import path_of

EMPTY = Sql("UPDATE change SET sealed = NULL WHERE stream_id = ?")
STREAM = Sql("SELECT stream_id FROM book WHERE id = ?")
WITHOUT = {("delete", "/api/v1/users/me"): "erases an account, whatever its profile says by now"}
OLD, CHANGING = {"If-Match": '"v1-00000000"'}, ("put", "patch", "delete")


@pytest.fixture
def contact(cast):
    """Alice's contact, which Carol has changed twice since: the path for each, and what it is."""
    made = cast.alice.contact(first_name="Grace", nickname="Amazing", email="g@example.com")
    path = f"/contacts/{made['id']}"
    shared = f"{path}?book={cast.alice.book_id}"
    cast.carol.patch(shared, json={"company": "Navy", "email": "grace@example.com"})
    now = cast.carol.patch(shared, json={"nickname": None, "starred": True})
    assert now.json["version"] == 3
    return path, now.json


def told(answer):
    """The members of a 412, by field."""
    body = refused(answer, 412, "version_mismatch")
    fields = [item.pop("field") for item in body["changed_fields"]]
    assert fields == sorted(set(fields))
    return body, dict(zip(fields, body["changed_fields"], strict=True))


def entries(value):
    return [{"value": value, "primary": True}]


# CC-3
def test_a_put_is_told_theirs_its_own_and_what_was(cast, contact):
    path, now = contact
    mine = {"first_name": "Grace", "nickname": "Amazing", "company": "Yale"}
    body, fields = told(cast.alice.put(path, json=mine, headers=OLD))
    assert fields == {
        "company": {"theirs": "Navy", "yours": "Yale", "base": None},
        "email": {"theirs": "grace@example.com", "yours": None, "base": "g@example.com"},
        "emails": {
            "theirs": entries("grace@example.com"),
            "yours": None,
            "base": entries("g@example.com"),
        },
        "nickname": {"theirs": None, "yours": "Amazing", "base": "Amazing"},
        "starred": {"theirs": True, "yours": None, "base": None},
    }
    assert body["current_version"] == 3
    assert (body["changed_by"], body["changed_at"]) == (cast.carol.id, now["updated_at"])
    assert cast.alice.get(path).json == now


# CC-3
def test_a_patch_is_told_its_own_of_what_it_sent(cast, contact):
    path, _ = contact
    mine = {"company": "Yale", "email": "grace@example.com", "prefix": "Dr."}
    _, fields = told(cast.alice.patch(path, json=mine, headers=OLD))
    assert {name: item.get("yours", ...) for name, item in fields.items()} == {
        "company": "Yale",
        "email": "grace@example.com",
        "emails": ...,
        "nickname": ...,
        "starred": ...,
    }
    _, fields = told(cast.alice.patch(path, json={"email": "mine@example.com"}, headers=OLD))
    assert fields["emails"]["yours"] == entries("mine@example.com")


# CC-3
@pytest.mark.parametrize(
    ("method", "end", "body"),
    [
        ("DELETE", "", None),
        ("DELETE", "?permanent=true", None),
        ("POST", "/revert", {"version": 1}),
        ("POST", "/restore", None),
    ],
)
def test_who_sends_no_fields_is_told_none_of_their_own(cast, contact, method, end, body):
    path, _ = contact
    _, fields = told(cast.alice.request(method, f"{path}{end}", json=body, headers=OLD))
    assert fields["company"] == {"theirs": "Navy", "base": None}
    assert fields.keys() == {"company", "email", "emails", "nickname", "starred"}


def test_the_newest_version_that_they_know_is_what_is_compared(cast, contact):
    path, _ = contact
    tags = {"If-Match": '"v1-00000000", "v2-00000000", "v9-00000000"'}
    _, fields = told(cast.alice.delete(path, headers=tags))
    assert fields.keys() == {"nickname", "starred"}


# CC-3
@pytest.mark.parametrize("why", ["erased", "no tag of ours", "create only"])
def test_where_their_version_is_unknown_the_request_is_compared(cast, contact, why):
    path, _ = contact
    if why == "erased":
        with cast.app.app_context():
            stream = lane().one(STREAM, (cast.alice.book_id,))
            write_transaction(lambda: lane().run(EMPTY, stream))()
    tag = {"erased": OLD, "no tag of ours": {"If-Match": 'W/"v3-00000000"'}}
    headers = tag.get(why, {"If-None-Match": "*"})
    body, fields = told(cast.alice.patch(path, json={"company": "Yale"}, headers=headers))
    assert fields == {"company": {"theirs": "Navy", "yours": "Yale"}}
    assert body["current_version"] == 3
    _, fields = told(cast.alice.delete(path, headers=headers))
    assert fields == {}


def test_what_else_is_wrong_with_it_comes_later(cast, contact):
    path, _ = contact
    body, fields = told(cast.alice.put(path, json={"prefix": "Dr."}, headers=OLD))
    assert "yours" not in fields["company"]
    tag = {"If-Match": f'"v{body["current_version"]}-00000000"'}
    refused(cast.alice.put(path, json={"prefix": "Dr."}, headers=tag), 422, "invalid_fields")


# CC-3
def test_a_note_tells_its_text_and_its_contact(cast):
    first, second = cast.alice.contact(), cast.alice.contact()
    made = cast.alice.post("/notes", json={"contact_id": first["id"], "body": "was"}).json
    path = f"/notes/{made['id']}"
    shared = f"{path}?book={cast.alice.book_id}"
    now = cast.carol.patch(shared, json={"body": "theirs", "contact_id": second["id"]}).json
    ids = {"theirs": second["id"], "base": first["id"]}
    for method, own in (("PUT", True), ("PATCH", True), ("DELETE", False)):
        sent = {"body": "mine"} if own else None
        body, fields = told(cast.alice.request(method, path, json=sent, headers=OLD))
        yours = {"yours": "mine"} if own else {}
        assert fields == {"body": {"theirs": "theirs", "base": "was", **yours}, "contact_id": ids}
        assert (body["changed_by"], body["changed_at"]) == (cast.carol.id, now["updated_at"])


# CC-3
def test_an_entry_of_data_tells_its_value_and_expiry(alice, monkeypatch):
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    tag = {"If-Match": alice.put("/data/k", json={"value": {"a": 1}}).headers["ETag"]}
    theirs = alice.patch("/data/k", json={"value": {"b": 2}, "ttl": 60}).json
    value = {"theirs": {"a": 1, "b": 2}, "base": {"a": 1}}
    expiry = {"theirs": theirs["expires_at"], "base": None}
    for method, sent, of_value, of_expiry in (
        ("PUT", {"value": 3}, {"yours": 3}, {"yours": None}),
        ("PATCH", {"value": {"a": None}}, {"yours": {"b": 2}}, {}),
        ("PATCH", {"ttl": 60}, {}, {"yours": theirs["expires_at"]}),
        ("DELETE", None, {}, {}),
    ):
        body, fields = told(alice.request(method, "/data/k", json=sent, headers=tag))
        assert fields == {"value": {**value, **of_value}, "expires_at": {**expiry, **of_expiry}}
        assert (body["changed_by"], body["changed_at"]) == (alice.id, theirs["updated_at"])
    answer = alice.post("/data/k/increment", json={}, headers=tag)
    assert told(answer)[1] == {"value": value, "expires_at": expiry}


# CC-3
@pytest.mark.parametrize("weak", ["", "W/"])
def test_if_none_match_refuses_the_version_that_it_names(alice, weak):
    first = alice.put("/data/k", json={"value": 1}).headers["ETag"]
    named = {"If-None-Match": f'"x", {weak}{first}'}
    answer = alice.put("/data/k", json={"value": 2}, headers=named)
    assert refused(answer, 412, "version_mismatch")["current_version"] == 1
    second = alice.put("/data/k", json={"value": 2})
    answer = alice.put("/data/k", json={"value": 3}, headers=named)
    assert answer.status_code == 200
    assert second.headers["ETag"] != first
    both = {"If-Match": answer.headers["ETag"], "If-None-Match": f"{weak}{answer.headers['ETag']}"}
    refused(alice.put("/data/k", json={"value": 4}, headers=both), 412, "version_mismatch")
    assert alice.put("/data/new", json={"value": 1}, headers=named).status_code == 201


def test_if_none_match_star_makes_no_contact_and_no_note(alice):
    made = alice.contact()
    note = alice.post("/notes", json={"contact_id": made["id"], "body": "x"}).json
    only = {"If-None-Match": "*"}
    for place, body in (
        (f"/contacts/{made['id']}", {"nickname": "x"}),
        (f"/notes/{note['id']}", {"body": "y"}),
    ):
        for method in ("PUT", "PATCH", "DELETE"):
            sent = None if method == "DELETE" else body
            answer = alice.request(method, place, json=sent, headers=only)
            assert "current_version" in refused(answer, 412, "version_mismatch")
            absent = re.sub(r"\d+$", str(2**52), place)
            refused(alice.request(method, absent, json=sent, headers=only), 404, "not_found")


# CC-3
def test_every_change_of_what_has_a_version_takes_if_match(cast):
    """What has one says so in the tag of its GET."""
    document = cast.app.test_client().get("/openapi.json").json
    asked = set()
    for path, operations in document["paths"].items():
        if "get" not in operations or not set(CHANGING) & operations.keys():
            continue
        rule = re.sub(r"\{\w+_id\}", "<id>", path).replace("{key}", "<key:key>")
        place = path_of("GET", rule, cast.alice, cast.alice).removeprefix("/api/v1")
        who = cast.admin if path.startswith("/api/v1/users/{") else cast.alice
        if not who.get(place).headers.get("ETag", "").startswith('"v'):
            continue
        for method in set(CHANGING) & operations.keys():
            taken = {p["name"] for p in operations[method].get("parameters", ())}
            assert ("If-Match" in taken) != ((method, path) in WITHOUT), (method, path)
            if (method, path) in WITHOUT:
                continue
            assert "412" in operations[method]["responses"]
            asked.add((method, path))
    assert len(asked) >= 14
