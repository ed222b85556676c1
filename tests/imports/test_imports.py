"""POST /imports: small files, done in the request."""

import pytest

from tests.imports.conftest import card, counts, export, send, sent
from tests.support.cast import refused
from tests.support.stored import book_state, set_user

THREE = b"".join(map(card, range(3)))


def test_a_file_is_imported_as_one_operation_and_undone(owner):
    found = sent(owner, THREE)
    assert (found["status"], found["format"], found["mode"]) == ("done", "vcard", "commit")
    assert counts(found) == (3, 3, 0, 0, 0)
    items = owner.get("/contacts?sort=email").json["items"]
    assert [item["email"] for item in items] == [f"ada{n}@example.com" for n in range(3)]
    operation = owner.get(f"/operations/{found['operation_id']}").json
    assert (operation["kind"], operation["count"]) == ("import", 3)
    assert owner.post(f"/operations/{found['operation_id']}/undo").status_code == 200
    assert book_state(owner).live == 0


def test_the_same_file_again_changes_nothing(owner):
    sent(owner, THREE)
    before = book_state(owner)
    for policy in ("skip", "update", "create"):
        found = sent(owner, THREE, on_duplicate=policy)
        assert counts(found) == (3, 0, 0, 3, 0), policy
        assert found["operation_id"] is None
    assert book_state(owner) == before
