"""POST /notes/bulk."""

import pytest

from tests.notes.conftest import work
from tests.support.cast import refused
from tests.support.stored import book_state

ABSENT = 2**52


def bulk(person, *operations, query="", **fields):
    return person.post(f"/notes/bulk{query}", json={"operations": operations, **fields})


@pytest.fixture
def mixed(contact, note):
    """One operation of each kind and the notes they are about."""
    changed, deleted = note("old"), note("old too")
    return [
        {"op": "create", "note": {"contact": contact["id"], "noteText": "new"}},
        {"op": "update", "id": changed["id"], "version": 1, "note": {"text": "changed"}},
        {"op": "delete", "id": deleted["id"]},
    ]


@pytest.mark.parametrize("atomic", [True, False])
def test_each_operation_is_done_and_told(owner, contact, mixed, atomic):
    before = book_state(owner).seq
    answer = bulk(owner, *mixed, atomic=atomic)
    assert answer.status_code == 200, answer.text
    items = answer.json["items"]
    assert [(item["index"], item["status"]) for item in items] == [(0, 201), (1, 200), (2, 204)]
    assert [item["note"] and item["note"]["body"] for item in items] == ["new", "changed", None]
    assert book_state(owner).seq == before + 3
    now = owner.get(f"/contacts/{contact['id']}/notes").json["items"]
    assert {item["body"] for item in now} == {"new", "changed"}
    work(owner.app)
    now = owner.get(f"/contacts/{contact['id']}/notes").json["items"]
    assert {item["processing_status"] for item in now} == {"processed"}


WRONG = [
    ({"op": "update", "id": ABSENT, "note": {"body": "x"}}, 404, "/id"),
    ({"op": "delete", "id": ABSENT}, 404, "/id"),
    ({"op": "create", "note": {"contact_id": ABSENT, "body": "x"}}, 404, "/note/contact_id"),
    ({"op": "create", "note": {"body": "x"}}, 422, "/note/contact_id"),
    ({"op": "create", "note": {"contact_id": 1, "body": "", "text": "x"}}, 422, "/note/body"),
    ({"op": "create"}, 422, "/note"),
    ({"op": "update", "note": {"body": "x"}}, 422, "/id"),
    ({"op": "delete", "id": 1, "note": {}}, 422, "/note"),
    ({"op": "create", "id": 1, "note": {"body": "x"}}, 422, "/id"),
    ({"op": "upsert", "id": 1}, 422, "/op"),
    ({}, 422, "/op"),
    ({"op": "delete", "id": "1"}, 422, "/id"),
]


@pytest.mark.parametrize(("wrong", "status", "pointer"), WRONG)
def test_a_wrong_one_is_told_and_the_others_are_done(owner, mixed, wrong, status, pointer):
    items = bulk(owner, mixed[0], wrong, mixed[1]).json["items"]
    assert [item["status"] for item in items] == [201, status, 200]
    assert items[1]["error"]["status"] == status
    assert status == 404 or pointer in {e["pointer"] for e in items[1]["error"]["errors"]}


@pytest.mark.parametrize(("wrong", "status", "pointer"), WRONG)
def test_of_an_atomic_call_none_is_done(owner, contact, mixed, wrong, status, pointer):
    before = book_state(owner)
    answer = bulk(owner, *mixed, wrong, {"op": "delete", "id": ABSENT}, atomic=True)
    refused(answer, 422, "invalid_fields", f"/operations/3{pointer}")
    assert "/operations/4/id" in {e["pointer"] for e in answer.json["errors"]}
    assert book_state(owner) == before
    now = owner.get(f"/contacts/{contact['id']}/notes").json["items"]
    assert [(item["body"], item["version"]) for item in now] == [("old too", 1), ("old", 1)]


def test_a_stale_version_is_412(owner, mixed):
    stale = {**mixed[1], "version": 7}
    assert bulk(owner, stale).json["items"][0]["status"] == 412
    refused(bulk(owner, stale, atomic=True), 422, "invalid_fields", "/operations/0/version")


def test_operations_see_those_before_them(owner, note):
    made = note("one")
    update = {"op": "update", "id": made["id"], "note": {"body": "two"}}
    items = bulk(owner, update, {"op": "delete", "id": made["id"]}, update).json["items"]
    assert [item["status"] for item in items] == [200, 204, 404]


@pytest.mark.parametrize("atomic", [True, False])
def test_a_dry_run_tells_all_and_does_nothing(owner, contact, mixed, atomic):
    before, notes = book_state(owner), owner.get(f"/contacts/{contact['id']}/notes").json
    answer = bulk(owner, *mixed, query="?dry_run=true", atomic=atomic)
    assert [item["status"] for item in answer.json["items"]] == [201, 200, 204]
    assert answer.json["items"][1]["note"]["body"] == "changed"
    assert book_state(owner) == before
    assert owner.get(f"/contacts/{contact['id']}/notes").json == notes


# IV-4
def test_a_thousand_are_the_most(owner, contact):
    one = {"op": "create", "note": {"contact_id": contact["id"], "body": "x"}}
    refused(bulk(owner, *[one] * 1001), 422, "invalid_fields", "/operations")
    refused(bulk(owner), 422, "invalid_fields", "/operations")
    assert {item["status"] for item in bulk(owner, *[one] * 1000).json["items"]} == {201}
    assert owner.get(f"/contacts/{contact['id']}/notes").json["total"] == 1000


# AZ-2, AZ-3
def test_what_is_somebody_elses_is_not_there(cast):
    contact = cast.alice.contact()
    made = cast.alice.post(f"/contacts/{contact['id']}/notes", json={"body": "secret"}).json
    state = book_state(cast.alice)
    answer = bulk(
        cast.bob,
        {"op": "create", "note": {"contact_id": contact["id"], "body": "x"}},
        {"op": "update", "id": made["id"], "note": {"body": "x"}},
        {"op": "delete", "id": made["id"]},
    )
    assert [item["status"] for item in answer.json["items"]] == [404, 404, 404]
    assert "secret" not in answer.text
    refused(
        bulk(cast.eve, {"op": "delete", "id": made["id"]}, query=f"?book={cast.alice.book_id}"),
        403,
        "read_only_book",
    )
    assert book_state(cast.alice) == state
