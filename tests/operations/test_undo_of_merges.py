"""POST /operations/{id}/undo where contacts were merged: nobody is left only in the trash."""

import pytest

from tests.contacts.test_bulk import bulk
from tests.contacts.test_trash import destroy
from tests.operations.test_undo import undo, undone
from tests.support.cast import refused

TWIN = {"first_name": "Ada", "company": "Engines"}


def merge(person, survivor, source):
    answer = person.post(f"/contacts/{survivor['id']}/merge", json={"source_ids": [source["id"]]})
    assert answer.status_code == 200, answer.text
    return answer.json["operation_id"]


def edited(answer):
    return [(e["entity"], e["id"]) for e in refused(answer, 409, "edited_since")["edited"]]


@pytest.fixture
def twins(alice):
    """Two contacts that are the same, so that merging changes nothing of the survivor."""
    return alice.contact(**TWIN), alice.contact(**TWIN)


@pytest.fixture
def separated(alice, twins):
    """What undid that the first was merged into the second."""
    return undone(alice, merge(alice, twins[1], twins[0]))["id"]


def test_a_merge_is_not_done_again_into_what_was_merged_the_other_way(alice, twins, separated):
    first, second = twins
    the_other_way = merge(alice, first, second)
    assert edited(undo(alice, separated)) == [("contact", second["id"])]
    assert alice.get(f"/contacts/{first['id']}").status_code == 200
    undone(alice, the_other_way)
    undone(alice, separated)
    assert alice.get(f"/contacts/{first['id']}").status_code == 308


@pytest.mark.parametrize("away", ["trash", "for good"])
def test_a_merge_is_not_done_again_into_what_was_deleted(alice, twins, separated, away):
    first, second = twins
    if away == "trash":
        alice.delete(f"/contacts/{second['id']}")
    else:
        destroy(alice, second)
    assert edited(undo(alice, separated)) == [("contact", second["id"])]
    assert alice.get(f"/contacts/{first['id']}").status_code == 200


def test_what_others_were_merged_into_does_not_go(alice):
    known = alice.contact(**TWIN)
    told = bulk(alice, {"op": "create", "contact": TWIN}).json
    made = told["items"][0]["contact"]
    merged = merge(alice, made, known)
    assert edited(undo(alice, told["operation_id"])) == [("contact", known["id"])]
    undone(alice, merged)
    undone(alice, told["operation_id"])
    assert [item["id"] for item in alice.get("/contacts").json["items"]] == [known["id"]]


def test_a_chain_of_merges_is_done_again(alice, twins):
    last = alice.contact(**TWIN)
    merge(alice, twins[1], twins[0])
    undone(alice, undone(alice, merge(alice, last, twins[1]))["id"])
    for twin in twins:
        assert alice.get(f"/contacts/{twin['id']}").headers["Location"].endswith(f"/{last['id']}")


def test_what_was_merged_before_does_not_keep_a_contact(alice, twins):
    merge(alice, twins[1], twins[0])
    told = bulk(alice, {"op": "delete", "id": twins[1]["id"]}).json
    undone(alice, undone(alice, told["operation_id"])["id"])
    assert alice.get("/contacts").json["total"] == 0
