"""Bulk calls that are small themselves and would write and answer much."""

from contactapp.notes import bulk as notes_bulk
from tests.contacts.test_bulk import bulk, create
from tests.support.cast import refused
from tests.support.stored import book_state

LARGE = {"first_name": "Ada", "custom_fields": {f"k{i}": "v" * 5000 for i in range(100)}}
HALF_A_MEGABYTE = 100 * 5000


def test_one_call_changes_sixteen_mebibytes_of_contacts(alice):
    """IV-4."""
    made = alice.contact(**LARGE)
    updates = [
        {"op": "update", "id": made["id"], "contact": {"title": f"No. {i}"}} for i in range(40)
    ]
    before = book_state(alice)
    problem = refused(bulk(alice, *updates), 422, "bulk_failed", "/operations/39")
    assert book_state(alice) == before
    assert {item["status"] for item in problem["items"]} == {424, 413}
    answer = bulk(alice, *updates, create(), atomic=False)
    assert 16 * 2**20 - HALF_A_MEGABYTE <= len(answer.data) <= 16 * 2**20
    statuses = [item["status"] for item in answer.json["items"]]
    assert statuses == [200] * 33 + [413] * 7 + [201]
    assert alice.get(f"/contacts/{made['id']}").json["title"] == "No. 32"


def test_one_call_shows_so_much_of_notes(alice, monkeypatch):
    """IV-4."""
    monkeypatch.setattr(notes_bulk, "MAX_SHOWN", 25)
    contact = alice.contact()
    operation = {"op": "create", "note": {"contact_id": contact["id"], "body": "ten  signs"}}
    answer = alice.post("/notes/bulk", json={"operations": [operation] * 5})
    assert [item["status"] for item in answer.json["items"]] == [201, 201, 201, 413, 413]
    assert alice.get("/notes").json["total"] == 3
