"""GET /notes/{id}/history and POST /notes/{id}/revert."""

import pytest

from tests.notes.conftest import work
from tests.support.cast import refused
from tests.support.stored import book_state


@pytest.fixture
def changed(owner, note):
    """A note of three versions, the second one about another contact too."""
    made = note("one")
    made["other"] = owner.contact(nickname="other")["id"]
    work(owner.app)
    owner.patch(f"/notes/{made['id']}", json={"body": "two", "contact": made["other"]})
    owner.patch(f"/notes/{made['id']}", json={"text": "three"})
    return made


def test_it_tells_every_version_field_by_field_and_not_what_a_job_did(owner, changed):
    items = owner.get(f"/notes/{changed['id']}/history").json["items"]
    assert [(item["version"], item["op"]) for item in items] == [
        (3, "updated"),
        (2, "updated"),
        (1, "created"),
    ]
    assert items[0]["changes"] == {"body": {"before": "two", "after": "three"}}
    assert items[1]["changes"] == {
        "body": {"before": "one", "after": "two"},
        "contact_id": {"before": changed["contact_id"], "after": changed["other"]},
    }
    assert {item["actor_id"] for item in items} == {owner.id}


def test_a_version_comes_back_as_a_new_one_and_is_read_again(owner, changed):
    answer = owner.post(f"/notes/{changed['id']}/revert", json={"version": 1})
    now = answer.json
    assert (now["body"], now["contact_id"]) == ("one", changed["contact_id"])
    assert (now["version"], now["processing_status"]) == (4, "pending")
    assert answer.headers["ETag"] == owner.get(f"/notes/{changed['id']}").headers["ETag"]
    work(owner.app)
    assert owner.get(f"/notes/{changed['id']}").json["word_count"] == 1
    assert owner.get(f"/notes/{changed['id']}/history").json["total"] == 4


def test_to_what_it_is_changes_nothing(owner, changed):
    before = book_state(owner)
    answer = owner.post(f"/notes/{changed['id']}/revert", json={"version": 3})
    assert (answer.status_code, answer.json["version"]) == (200, 3)
    assert book_state(owner) == before


def test_what_was_no_version_and_who_comes_too_late(owner, changed):
    before, path = book_state(owner), f"/notes/{changed['id']}/revert"
    for version in (4, 2**53 - 1):
        answer = owner.post(path, json={"version": version})
        refused(answer, 422, "invalid_fields", "/version")
    stale = owner.post(path, json={"version": 1}, headers={"If-Match": '"v2-0"'})
    refused(stale, 412, "version_mismatch")
    assert book_state(owner) == before


def test_the_contact_of_that_version_may_be_gone(owner, changed):
    owner.delete(f"/contacts/{changed['contact_id']}")
    answer = owner.post(f"/notes/{changed['id']}/revert", json={"version": 1})
    refused(answer, 404, "not_found", "/contact_id")
    assert owner.get(f"/notes/{changed['id']}").json["body"] == "three"


# AZ-2
def test_of_somebody_elses_note_nothing_is_told(cast):
    contact = cast.alice.contact()
    made = cast.alice.post(f"/contacts/{contact['id']}/notes", json={"body": "secret"}).json
    cast.alice.patch(f"/notes/{made['id']}", json={"body": "changed"})
    path, book = f"/notes/{made['id']}", f"?book={cast.alice.book_id}"
    for person, query in ((cast.bob, ""), (cast.bob, book), (cast.eve, ""), (cast.admin, book)):
        refused(person.get(f"{path}/history{query}"), 404, "not_found")
        refused(person.post(f"{path}/revert{query}", json={"version": 1}), 404, "not_found")
    assert cast.eve.get(f"{path}/history{book}").json["total"] == 2
    answer = cast.eve.post(f"{path}/revert{book}", json={"version": 1})
    refused(answer, 403, "read_only_book")
    cast.alice.delete(path)
    refused(cast.alice.get(f"{path}/history"), 404, "not_found")
