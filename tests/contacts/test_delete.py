"""DELETE /contacts/{id}."""

import pytest

from tests.support.cast import refused
from tests.support.stored import book_state, contact_row


def test_it_moves_the_contact_to_the_trash(owner):
    made, other = owner.contact(), owner.contact()
    before = book_state(owner)
    answer = owner.delete(f"/contacts/{made['id']}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Content-Type" not in answer.headers
    after = book_state(owner)
    assert (after.charged, after.live) == (before.charged - 1, before.live - 1)
    listed = [item["id"] for item in owner.get("/contacts?limit=500").json["items"]]
    assert other["id"] in listed
    assert made["id"] not in listed
    assert contact_row(owner.app, made["id"]) is not None  # in the trash, not gone


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_what_is_in_the_trash_is_404(owner, method, warm):
    made = owner.contact()
    assert owner.delete(f"/contacts/{made['id']}").status_code == 204
    if warm:
        owner.get("/contacts?limit=1")
    row, state = contact_row(owner.app, made["id"]), book_state(owner)
    body = {"first_name": "Ada"} if method in {"PUT", "PATCH"} else None
    answer = owner.request(method, f"/contacts/{made['id']}", json=body)
    assert answer.status_code == 404
    if method != "HEAD":
        refused(answer, 404, "not_found")
    assert (contact_row(owner.app, made["id"]), book_state(owner)) == (row, state)


def test_an_editor_deletes_from_the_shared_book(cast):
    made = cast.alice.contact()
    answer = cast.carol.delete(f"/contacts/{made['id']}?book={cast.alice.book_id}")
    assert answer.status_code == 204
    refused(cast.alice.get(f"/contacts/{made['id']}"), 404, "not_found")
