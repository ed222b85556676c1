"""POST /contacts/{id}/merge, and its undo."""

import pytest

from contactapp.database import Sql, lane
from tests.changes.test_change_log import log_of
from tests.contacts.test_bulk import bulk
from tests.contacts.test_limit import at_the_limit, limited
from tests.operations.test_undo import get, undo, undone
from tests.support.cast import refused
from tests.support.contract import check
from tests.support.ledger import read_ledger
from tests.support.pictures import picture
from tests.support.stored import book_state, contact_row
from tests.support.wire import at_once, process_of

ABSENT = 2**52
_SEALED = Sql("SELECT merged_into, deleted_at IS NULL FROM contact WHERE id = ?")
MOVING = {"version", "updated_at", "updated_by", "processing_status", "extracted", "word_count"}


def merge(person, contact_id, *source_ids, query="", headers=None, **fields):
    body = {"source_ids": list(source_ids), **fields}
    return person.post(f"/contacts/{contact_id}/merge{query}", json=body, headers=headers)


def merged(person, contact_id, *source_ids, **fields):
    answer = merge(person, contact_id, *source_ids, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json


def state_of(person, contact_id):
    """What a contact was merged into, and whether it is live."""
    with person.app.app_context():
        into, live = lane().one(_SEALED, (contact_id,))
    return into, bool(live)


def still(shown):
    return {key: value for key, value in shown.items() if key not in MOVING}


def live(person):
    """All that one sees of one's contacts and notes, without what every write moves on."""
    contacts = person.get("/contacts?limit=500").json["items"]
    notes = person.get("/notes?limit=500").json["items"]
    return [still(contact) for contact in contacts], [still(note) for note in notes]


@pytest.fixture
def three(alice):
    """A survivor and two sources, each with a note."""
    made = [
        alice.contact(first_name="Ada", emails=[{"value": "a@example.com", "label": "home"}]),
        alice.contact(first_name="Ada", last_name="Lovelace", email="b@example.com", starred=True),
        alice.contact(company="Acme", phone="+49 151 2345678", custom_fields={"size": 2}),
    ]
    for contact in made:
        body = {"body": f"about {contact['id']}"}
        assert alice.post(f"/contacts/{contact['id']}/notes", json=body).status_code == 201
    return [contact["id"] for contact in made]


# OB-2
def test_the_survivor_gets_all_and_the_sources_go_into_the_trash(alice, three):
    survivor, one, other = three
    before = book_state(alice)
    answer = merge(alice, survivor, one, other)
    assert answer.status_code == 200
    assert answer.headers["ETag"] == alice.get(f"/contacts/{survivor}").headers["ETag"]
    card = answer.json["contact"]
    assert card == alice.get(f"/contacts/{survivor}").json
    assert (card["name"], card["company"], card["starred"]) == ("Ada Lovelace", "Acme", True)
    assert [(e["value"], e["primary"]) for e in card["emails"]] == [
        ("a@example.com", True),
        ("b@example.com", False),
    ]
    assert (card["phone"], card["custom_fields"]) == ("+49 151 2345678", {"size": 2})
    assert [state_of(alice, id_) for id_ in three] == [(None, True), *[(survivor, False)] * 2]
    trash = alice.get("/contacts/trash").json["items"]
    assert {item["id"]: item["merged_into"] for item in trash} == dict.fromkeys(
        [one, other], survivor
    )
    notes = alice.get(f"/contacts/{survivor}/notes").json["items"]
    assert sorted(note["body"] for note in notes) == [f"about {id_}" for id_ in three]
    now = book_state(alice)
    assert (now.seq, now.charged, now.live) == (before.seq + 5, before.charged - 2, 1)
    operation = get(alice, answer.json["operation_id"])
    assert (operation["kind"], operation["count"]) == ("merge", 5)


def test_the_log_tells_of_notes_before_their_contacts_go(alice, three):
    before = book_state(alice).seq
    operation_id = merged(alice, *three)["operation_id"]
    told = log_of(alice)[before:]
    assert [(row["entity"], row["op"]) for row in told] == [
        ("note", "update"),
        ("note", "update"),
        ("contact", "update"),
        ("contact", "delete"),
        ("contact", "delete"),
    ]
    assert {row["operation_id"] for row in told} == {operation_id}
    assert [row.get("merged_into") for row in told] == [None] * 3 + [three[0]] * 2
    read_ledger(alice.app)


def test_a_source_that_adds_nothing_leaves_the_survivor_as_it_is(alice):
    survivor = alice.contact(first_name="Ada", email="a@example.com")
    source = alice.contact(email="A@example.com")
    answer = merged(alice, survivor["id"], source["id"])
    assert answer["contact"] == survivor
    assert state_of(alice, source["id"]) == (survivor["id"], False)


def test_a_field_is_chosen_from_a_source(alice, three):
    survivor, one, other = three
    choose = {"email": one, "first_name": other, "nickname": survivor, "custom_fields.size": one}
    alice.patch(f"/contacts/{one}", json={"nickname": "Countess"})
    card = merged(alice, *three, choose=choose)["contact"]
    assert (card["email"], card["first_name"], card["last_name"]) == (
        *("b@example.com", None),
        "Lovelace",
    )
    assert (card["nickname"], card["custom_fields"]) == (None, {})


def test_a_photo_is_taken_over_and_comes_back(alice, three):
    survivor, one, _ = three
    headers = {"Content-Type": "image/png"}
    assert alice.put(f"/contacts/{one}/photo", data=picture(), headers=headers).status_code == 201
    photo = alice.get(f"/contacts/{one}").json["photo_url"]
    made = merged(alice, *three)
    assert made["contact"]["photo_url"] == photo
    assert alice.delete(f"/contacts/{one}?permanent=true").status_code == 204
    assert alice.app.test_client().get(photo).status_code == 200


def test_a_dry_run_answers_the_same_and_changes_nothing(alice, three):
    before, state = live(alice), book_state(alice)
    rows = [contact_row(alice.app, id_) for id_ in three]
    answer = merge(alice, *three, query="?dry_run=true")
    assert answer.status_code == 200
    assert answer.json["operation_id"] is None
    assert (live(alice), book_state(alice)) == (before, state)
    assert [contact_row(alice.app, id_) for id_ in three] == rows
    assert alice.get("/operations").json["total"] == 0
    assert still(merged(alice, *three)["contact"]) == still(answer.json["contact"])


def test_undone_it_leaves_everything_as_it_was(alice, three):
    before = live(alice)
    state = book_state(alice)
    operation_id = merged(alice, *three)["operation_id"]
    after = live(alice)
    took_back = undone(alice, operation_id)
    assert live(alice) == before
    assert [state_of(alice, id_) for id_ in three] == [(None, True)] * 3
    assert book_state(alice)[2:] == state[2:]
    undone(alice, took_back["id"])
    assert live(alice) == after
    assert [state_of(alice, id_)[0] for id_ in three[1:]] == [three[0]] * 2
    read_ledger(alice.app)


# CC-2
def test_at_the_limit_it_is_undone_whole_or_not_at_all(alice, three):
    operation_id = merged(alice, *three)["operation_id"]
    limited(alice, 2)
    before, state = live(alice), book_state(alice)
    at_the_limit(undo(alice, operation_id), 2, 1)
    assert (live(alice), book_state(alice)) == (before, state)
    limited(alice, 3)
    undone(alice, operation_id)


def test_a_survivor_that_was_changed_since_is_not_undone(alice, three):
    operation_id = merged(alice, *three)["operation_id"]
    alice.patch(f"/contacts/{three[0]}", json={"nickname": "later"})
    problem = refused(undo(alice, operation_id), 409, "edited_since")
    assert [edited["id"] for edited in problem["edited"]] == [three[0]]


def test_a_source_is_restored_from_the_trash_by_itself(alice, three):
    before = alice.get(f"/contacts/{three[1]}").json
    merged(alice, *three)
    answer = alice.post(f"/contacts/{three[1]}/restore")
    assert (answer.status_code, still(answer.json)) == (200, still(before))
    assert state_of(alice, three[1]) == (None, True)
    assert alice.get(f"/contacts/{three[1]}").status_code == 200


# AZ-3
def test_a_source_that_is_not_in_the_book_is_404_by_its_place(cast, three):
    alice, before = cast.alice, live(cast.alice)
    foreign, gone = cast.bob.contact(nickname="marker")["id"], alice.contact()["id"]
    alice.delete(f"/contacts/{gone}")
    state = book_state(alice), book_state(cast.bob)
    absent = refused(merge(alice, three[0], three[1], ABSENT), 404, "not_found", "/source_ids/1")
    for wrong in (foreign, gone):
        answer = merge(alice, three[0], three[1], wrong)
        problem = refused(answer, 404, "not_found", "/source_ids/1")
        assert {**problem, "request_id": ""} == {**absent, "request_id": ""}
        assert "marker" not in answer.text
    problem = refused(merge(alice, three[0], foreign, three[1], gone), 404, "not_found")
    assert [e["pointer"] for e in problem["errors"]] == ["/source_ids/0", "/source_ids/2"]
    assert (live(alice), (book_state(alice), book_state(cast.bob))) == (before, state)


# AZ-2
def test_a_foreign_survivor_is_404_whoever_the_sources_are(cast, three):
    own = cast.bob.contact()["id"]
    before = book_state(cast.alice), book_state(cast.bob)
    for survivor in (three[0], ABSENT):
        problem = refused(merge(cast.bob, survivor, own, three[1]), 404, "not_found")
        assert problem["errors"] == []
    query = f"?book={cast.alice.book_id}"
    refused(merge(cast.eve, *three, query=query), 403, "read_only_book")
    assert (book_state(cast.alice), book_state(cast.bob)) == before
    assert merge(cast.carol, *three, query=query).status_code == 200


WRONG = {
    "itself": ([1], {}, "/source_ids/0"),
    "twice the same": ([2, 2], {}, "/source_ids/1"),
    "none": ([], {}, "/source_ids"),
    "too many": (list(range(2, 23)), {}, "/source_ids"),
    "a text": (["2"], {}, "/source_ids/0"),
    "no list": (2, {}, "/source_ids"),
    "a choice that is no id": ([2], {"choose": {"email": "2"}}, "/choose/email/value"),
    "choices that are no object": ([2], {"choose": [2]}, "/choose"),
    "a version of another": ([2], {"versions": {"3": 1}}, "/versions/3"),
    "a version of no id": ([2], {"versions": {"x": 1}}, "/versions/x"),
    "a version that is none": ([2], {"versions": {"2": "1"}}, "/versions/2/value"),
    "an unknown field": ([2], {"sources": [2]}, "/sources"),
}


@pytest.mark.parametrize(("source_ids", "fields", "pointer"), WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_is_422(owner, source_ids, fields, pointer):
    body = {"source_ids": source_ids, **fields}
    refused(owner.post("/contacts/1/merge", json=body), 422, "invalid_fields", pointer)


def test_what_the_union_is_too_large_for_is_named(alice):
    ids = [
        alice.contact(first_name="A", labels=[f"{name}{n}" for n in range(30)])["id"]
        for name in ("a", "b")
    ]
    before = book_state(alice)
    refused(merge(alice, *ids), 422, "invalid_fields", "/labels")
    refused(merge(alice, *ids, choose={"phone": ids[1]}), 422, "invalid_fields", "/choose/phone")
    assert book_state(alice) == before


# CC-3
def test_what_was_changed_meanwhile_is_412_and_nothing_is_done(alice, three):
    survivor, one, other = three
    alice.patch(f"/contacts/{one}", json={"nickname": "later"})
    before = book_state(alice)
    stale = {"If-Match": '"v9-00000000"'}
    refused(merge(alice, *three, headers=stale), 412, "version_mismatch")
    versions = {str(survivor): 1, str(one): 1, str(other): 1}
    problem = refused(merge(alice, *three, versions=versions), 412, "version_mismatch")
    assert [error["pointer"] for error in problem["errors"]] == [f"/versions/{one}"]
    assert problem["current_version"] == 2
    assert book_state(alice) == before
    fresh = {"If-Match": '"v1-00000000"'}
    versions[str(one)] = 2
    assert merge(alice, *three, versions=versions, headers=fresh).status_code == 200


def test_custom_fields_older_than_their_definition_are_merged_as_they_are(alice):
    survivor = alice.contact(first_name="Ada")["id"]
    source = alice.contact(first_name="Ada", custom_fields={"since": "long ago"})["id"]
    assert alice.post("/custom-fields", json={"key": "since", "type": "date"}).status_code == 201
    assert merged(alice, survivor, source)["contact"]["custom_fields"] == {"since": "long ago"}


def race(visitor, document, number):
    """A merge beside an edit of its source; the answers and the three addresses."""
    ids = [visitor.post("/contacts", json={"nickname": f"n{number}"}).json()["id"] for _ in "ab"]
    once = {"Connection": "close"}

    def ask(method, path, body, headers):
        answer = visitor.request(method, path, json=body, headers={**once, **headers})
        answer.get_data = lambda: answer.content
        check(document, method, f"/api/v1{path}", answer)
        return answer

    versions = {str(ids[1]): 1}
    body = {"source_ids": ids[1:], "versions": versions}
    edit = {"phone": "0151 2345678"}
    return ids, at_once(
        [
            lambda: ask("POST", f"/contacts/{ids[0]}/merge", body, {}),
            lambda: ask("PATCH", f"/contacts/{ids[1]}", edit, {"If-Match": '"v1-00000000"'}),
        ]
    )


# CC-3
def test_of_a_merge_and_an_edit_of_its_source_one_loses_and_is_told(live_server):
    """Until each was run by another process three times."""
    visitor = live_server.person()
    document = visitor.http.get(f"{live_server.url}/openapi.json").content
    apart = 0
    for number in range(40):
        ids, (merge_, edit) = race(visitor, document, number)
        survivor = visitor.get(f"/contacts/{ids[0]}").json()
        if merge_.status_code == 200:
            assert (edit.status_code, edit.json()["code"]) == (409, "merged")
            assert edit.json()["merged_into"] == ids[0]
            assert survivor["phone"] is None
        else:
            assert (merge_.status_code, edit.status_code) == (412, 200)
            assert merge_.json()["errors"][0]["pointer"] == f"/versions/{ids[1]}"
            assert survivor["version"] == 1
            assert visitor.get(f"/contacts/{ids[1]}").json()["phone"] == "0151 2345678"
        apart += process_of(merge_) != process_of(edit)
        if apart == 3:
            return
    raise AssertionError("one process answered everything")


def test_a_bulk_call_may_not_write_what_was_merged(alice, three):
    merged(alice, *three)
    patch = {"op": "update", "id": three[1], "contact": {"nickname": "x"}}
    answer = bulk(alice, patch, atomic=False)
    assert answer.json["items"][0]["error"]["code"] == "not_found"
