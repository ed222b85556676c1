"""POST /contacts/bulk."""

import pytest

from contactapp.contacts import bulk as bulk_service
from tests.contacts.test_limit import limited
from tests.support.cast import refused
from tests.support.stored import book_state

ABSENT = 2**52


def bulk(person, *operations, query="", **fields):
    return person.post(f"/contacts/bulk{query}", json={"operations": operations, **fields})


def create(**contact):
    return {"op": "create", "contact": contact or {"first_name": "Ada"}}


def statuses(answer):
    assert answer.status_code == 200, answer.text
    return [item["status"] for item in answer.json["items"]]


@pytest.fixture
def mixed(owner):
    """One operation of each kind."""
    changed, deleted = owner.contact(nickname="old"), owner.contact(nickname="old too")
    return [
        create(first_name="Ada", phone_number="+49 151 123"),
        {"op": "update", "id": changed["id"], "version": 1, "contact": {"nickname": "new"}},
        {"op": "delete", "id": deleted["id"]},
    ]


def shown(owner, operations):
    """What the contacts that operations name are now: their nicknames, None for who is not."""
    ids = [operation["id"] for operation in operations if "id" in operation]
    return [(owner.get(f"/contacts/{id_}").json or {}).get("nickname") for id_ in ids]


# OB-2
@pytest.mark.parametrize("atomic", [True, False])
def test_each_operation_is_done_and_told(owner, mixed, atomic):
    before = book_state(owner)
    answer = bulk(owner, *mixed, atomic=atomic)
    assert statuses(answer) == [201, 200, 204]
    made, changed, deleted = (item["contact"] for item in answer.json["items"])
    assert [item["index"] for item in answer.json["items"]] == [0, 1, 2]
    assert owner.get(f"/contacts/{made['id']}").json == made
    assert owner.get(f"/contacts/{changed['id']}").json == changed
    assert (made["phone"], changed["nickname"], changed["version"]) == ("+49 151 123", "new", 2)
    assert deleted is None
    now = book_state(owner)
    assert (now.seq, now.charged, now.live) == (before.seq + 3, before.charged, before.live)
    told = owner.get("/changes?limit=500").json["items"][-3:]
    assert [change["op"] for change in told] == ["created", "updated", "deleted"]
    (newest, *_) = owner.get("/operations").json["items"]
    assert (newest["id"], newest["kind"], newest["count"]) == (
        answer.json["operation_id"],
        "bulk",
        3,
    )
    assert newest["can_undo"]


WRONG = [
    ({"op": "update", "id": ABSENT, "contact": {"nickname": "x"}}, 404, "/id"),
    ({"op": "delete", "id": ABSENT}, 404, "/id"),
    (create(email="no address"), 422, "/contact/email"),
    (create(middle_name="X"), 422, "/contact"),
    (create(name="x" * 101), 422, "/contact/name"),
    (create(first_name="Ada", unknown=1), 422, "/contact/unknown"),
    ({"op": "create"}, 422, "/contact"),
    ({"op": "create", "contact": None}, 422, "/contact"),
    ({"op": "update", "contact": {"nickname": "x"}}, 422, "/id"),
    ({"op": "update", "id": 1}, 422, "/contact"),
    ({"op": "delete", "id": 1, "contact": {}}, 422, "/contact"),
    ({"op": "create", "id": 1, "contact": {"nickname": "x"}}, 422, "/id"),
    ({"op": "upsert", "id": 1}, 422, "/op"),
    ({}, 422, "/op"),
    ({"op": "delete", "id": "1"}, 422, "/id"),
    ({"op": "delete", "id": 0}, 422, "/id"),
    ({"op": "delete", "id": 1, "version": True}, 422, "/version"),
]


def told_of(items, start):
    """Whether each of the WRONG ones is told, from an index on."""
    for index, (wrong, status, pointer) in enumerate(WRONG, start):
        error = items[index]["error"]
        assert (items[index]["status"], error["status"]) == (status, status), wrong
        assert f"/operations/{index}{pointer}" in {e["pointer"] for e in error["errors"]}
        assert "contact" not in items[index]
    return True


def test_wrong_ones_are_told_and_the_others_are_done(owner, mixed):
    wrong = [operation for operation, _, _ in WRONG]
    answer = bulk(owner, mixed[0], *wrong, *mixed[1:], atomic=False)
    assert statuses(answer) == [201, *[status for _, status, _ in WRONG], 200, 204]
    assert told_of(answer.json["items"], 1)
    assert shown(owner, mixed) == ["new", None]


# CC-3
def test_of_an_atomic_call_none_is_done(owner, mixed):
    before = book_state(owner)
    problem = refused(bulk(owner, *mixed, *[wrong[0] for wrong in WRONG]), 422, "bulk_failed")
    assert [item["status"] for item in problem["items"][:3]] == [424, 424, 424]
    assert told_of(problem["items"], 3)
    assert {"/operations/3/id", "/operations/5/contact/email"} <= {
        error["pointer"] for error in problem["errors"]
    }
    assert book_state(owner) == before
    assert shown(owner, mixed) == ["old", "old too"]


def test_a_stale_version_is_412_and_says_the_present_one(owner, mixed):
    answer = bulk(owner, {**mixed[1], "version": 7}, atomic=False)
    assert statuses(answer) == [412]
    assert answer.json["items"][0]["error"]["current_version"] == 1
    assert answer.json["operation_id"] is None


def test_an_update_must_leave_a_contact_that_can_be_named(owner, mixed):
    wrong = {**mixed[1], "contact": {"nickname": None}}
    refused(bulk(owner, wrong), 422, "bulk_failed", "/operations/0/contact")


def test_operations_see_those_before_them(owner):
    made = owner.contact(nickname="one", custom_fields={"a": 1, "b": 2})
    update = {"op": "update", "id": made["id"], "contact": {"custom_fields": {"a": None}}}
    stale, again = {**update, "version": 1}, {**update, "version": 2, "contact": {"title": "T"}}
    answer = bulk(
        owner, update, stale, again, {"op": "delete", "id": made["id"]}, update, atomic=False
    )
    assert statuses(answer) == [200, 412, 200, 204, 404]
    first, third = answer.json["items"][0]["contact"], answer.json["items"][2]["contact"]
    assert (first["custom_fields"], first["title"], first["version"]) == ({"b": 2}, None, 2)
    assert (third["custom_fields"], third["title"], third["version"]) == ({"b": 2}, "T", 3)
    history = owner.post(f"/contacts/{made['id']}/restore").json
    assert (history["title"], history["version"]) == ("T", 5)


def test_what_changes_nothing_is_no_operation(owner):
    made = owner.contact(nickname="one")
    before = book_state(owner), owner.get("/operations").json["total"]
    answer = bulk(owner, {"op": "update", "id": made["id"], "contact": made})
    assert (statuses(answer), answer.json["operation_id"]) == ([200], None)
    assert answer.json["items"][0]["contact"] == made
    assert (book_state(owner), owner.get("/operations").json["total"]) == before


@pytest.mark.parametrize("atomic", [True, False])
def test_a_dry_run_tells_all_and_does_nothing(owner, mixed, atomic):
    before, operations = book_state(owner), owner.get("/operations").json
    answer = bulk(owner, *mixed, query="?dry_run=true", atomic=atomic)
    assert statuses(answer) == [201, 200, 204]
    assert answer.json["items"][1]["contact"]["nickname"] == "new"
    assert answer.json["operation_id"] is None
    assert (book_state(owner), owner.get("/operations").json) == (before, operations)
    assert shown(owner, mixed) == ["old", "old too"]
    wrong = bulk(owner, *mixed, {}, query="?dry_run=true", atomic=True)
    refused(wrong, 422, "bulk_failed", "/operations/3/op")


# CC-2
def test_the_limit_is_exact_within_one_call(alice):
    limited(alice, 3)
    kept, gone = alice.contact(), alice.contact()
    delete = {"op": "delete", "id": gone["id"]}
    answer = bulk(alice, create(), create(), delete, create(), create(), atomic=False)
    assert statuses(answer) == [201, 403, 204, 201, 403]
    error = answer.json["items"][1]["error"]
    assert (error["code"], error["limit"], error["used"]) == ("contact_limit_reached", 3, 3)
    assert book_state(alice)[2:] == (3, 3)
    before = book_state(alice)
    problem = refused(bulk(alice, create(), create()), 403, "contact_limit_reached")
    assert (problem["limit"], problem["used"]) == (3, 3)
    assert [item["status"] for item in problem["items"]] == [403, 403]
    problem = refused(bulk(alice, create(), {}), 422, "bulk_failed")
    assert [item["status"] for item in problem["items"]] == [403, 422]
    assert book_state(alice) == before
    assert statuses(bulk(alice, {"op": "delete", "id": kept["id"]}, create())) == [204, 201]
    assert book_state(alice)[2:] == (3, 3)


# IV-4
def test_a_thousand_are_the_most_and_their_bodies_are_let_in(alice):
    limited(alice, 0)
    full = create(first_name="Ada", custom_fields={"about": "x" * 3000})
    refused(bulk(alice, *[full] * 1001), 422, "invalid_fields", "/operations")
    refused(bulk(alice), 422, "invalid_fields", "/operations")
    answer = bulk(alice, *[full] * 1000)
    assert set(statuses(answer)) == {201}
    assert len({item["contact"]["id"] for item in answer.json["items"]}) == 1000
    assert alice.get("/contacts?limit=1").json["total"] == 1000
    huge = create(first_name="Ada", custom_fields={"about": "x" * 4500})
    refused(bulk(alice, *[huge] * 1000), 413, "body_too_large")
    deletes = [{"op": "delete", "id": i["contact"]["id"]} for i in answer.json["items"]]
    assert set(statuses(bulk(alice, *deletes))) == {204}
    assert book_state(alice)[2:] == (0, 0)


# IV-4
def test_a_thousand_mistakes_are_told_in_a_bounded_answer(owner):
    wrong = create(**{f"unknown{n}": 1 for n in range(60)})
    answer = bulk(owner, *[wrong] * 1000, atomic=False)
    assert set(statuses(answer)) == {422}
    assert len(answer.data) < 2 * 2**20


# AZ-2, AZ-3
def test_small_updates_of_large_contacts_end_in_bounded_time_and_memory(owner, monkeypatch):
    contact = owner.contact(first_name="Ada", custom_fields={"life": "x" * 5000})
    monkeypatch.setattr(bulk_service, "MAX_TOUCHED", 3 * 5200)
    for fields in ({"first_name": "Ada"}, {"starred": True}):
        updates = [{"op": "update", "id": contact["id"], "contact": fields}] * 5
        answer = bulk(owner, *updates, create(), atomic=False)
        assert statuses(answer) == [200, 200, 200, 413, 413, 201]
        refused(bulk(owner, *updates), 422, "bulk_failed")
    assert owner.get(f"/contacts/{contact['id']}").json["version"] == 2


def test_what_is_somebody_elses_is_not_there(cast):
    made = cast.alice.contact(first_name="Zaphod-marker")
    state = book_state(cast.alice)
    foreign = [
        {"op": "update", "id": made["id"], "contact": {"nickname": "x"}},
        {"op": "delete", "id": made["id"]},
        {"op": "update", "id": made["id"], "version": 9, "contact": {"nickname": "x"}},
    ]
    absent = [{**operation, "id": ABSENT} for operation in foreign]
    answers = [bulk(cast.bob, *operations, atomic=False) for operations in (foreign, absent)]
    assert answers[0].json == answers[1].json
    assert statuses(answers[0]) == [404, 404, 404]
    book = f"?book={cast.alice.book_id}"
    refused(bulk(cast.eve, *foreign, query=book), 403, "read_only_book")
    refused(bulk(cast.bob, *foreign, query=book), 404, "not_found")
    assert book_state(cast.alice) == state
    read_only = {"id": 1, "book_id": cast.bob.book_id, "created_by": cast.bob.id, "version": 9}
    made = bulk(cast.carol, create(first_name="Ada", **read_only), query=book).json
    contact = made["items"][0]["contact"]
    assert (contact["book_id"], contact["created_by"], contact["version"]) == (
        cast.alice.book_id,
        cast.carol.id,
        1,
    )
