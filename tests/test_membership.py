"""Sharing, downgrading, ending and disabling hold from the next request on."""

import pytest

from contactapp.books import service as books
from tests.support.cast import refused
from tests.support.stored import book_state, set_user


@pytest.fixture
def shared(cast):
    """Alice's contact, and its path for who has her book shared."""
    made = cast.alice.contact(nickname="shared")
    return made, f"/contacts/{made['id']}?book={cast.alice.book_id}"


def share(cast, person, role):
    with cast.app.app_context():
        books.share_book(cast.alice.id, person.id, role)


def roles(person):
    return {book["id"]: book["role"] for book in person.get("/books").json["items"]}


# AZ-6
def test_an_editor_made_a_viewer_reads_but_writes_no_more(cast, shared):
    made, path = shared
    assert cast.carol.patch(path, json={"nickname": "by Carol"}).status_code == 200
    share(cast, cast.carol, "viewer")
    state = book_state(cast.alice)
    for method in ("PUT", "PATCH", "DELETE"):
        body = None if method == "DELETE" else {"nickname": "again"}
        refused(cast.carol.request(method, path, json=body), 403, "read_only_book")
    answer = cast.carol.post(f"/contacts?book={cast.alice.book_id}", json={"nickname": "new"})
    refused(answer, 403, "read_only_book")
    assert cast.carol.get(path).json["nickname"] == "by Carol"
    assert roles(cast.carol)[cast.alice.book_id] == "viewer"
    assert book_state(cast.alice) == state


# AZ-6
@pytest.mark.parametrize("name", ["carol", "eve"])
def test_a_removed_member_finds_nothing(cast, shared, name):
    made, path = shared
    person, listing = getattr(cast, name), f"/contacts?book={cast.alice.book_id}&limit=1"
    cast.alice.contact()
    page = person.get(listing)
    assert page.json["items"] == [made]
    tag, cursor = page.headers["ETag"], page.json["next_cursor"]
    with cast.app.app_context():
        books.unshare_book(cast.alice.id, person.id)
    state = book_state(cast.alice)
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        body = {"nickname": "again"} if method in {"PUT", "PATCH"} else None
        assert person.request(method, path, json=body).status_code == 404
    # Not even that nothing has changed since, or where the next page starts.
    refused(person.get(listing, headers={"If-None-Match": tag}), 404, "not_found")
    refused(person.get(f"{listing}&cursor={cursor}"), 404, "not_found")
    assert roles(person) == {person.book_id: "owner"}
    assert book_state(cast.alice) == state
    share(cast, person, "viewer")
    assert person.get(path).json == made


# AZ-6
def test_a_viewer_made_an_editor_writes(cast, shared):
    _, path = shared
    refused(cast.eve.patch(path, json={"nickname": "by Eve"}), 403, "read_only_book")
    share(cast, cast.eve, "editor")
    assert cast.eve.patch(path, json={"nickname": "by Eve"}).status_code == 200


# AZ-6
def test_a_disabled_user_is_out_and_an_enabled_one_back_in(cast, shared):
    _, path = shared
    set_user(cast.app, cast.carol.id, active=False)
    state = book_state(cast.alice)
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = {"nickname": "again"} if method in {"PUT", "PATCH"} else None
        refused(cast.carol.request(method, path, json=body), 401, "invalid_token")
    assert book_state(cast.alice) == state
    set_user(cast.app, cast.carol.id, active=True)
    assert cast.carol.get(path).status_code == 200


# AZ-6
def test_sharing_gives_one_book_and_not_the_others_of_its_members(cast, shared):
    made = cast.eve.contact()
    assert cast.carol.get("/contacts").json["total"] == 0
    refused(cast.carol.get(f"/contacts?book={cast.eve.book_id}"), 404, "not_found")
    refused(cast.alice.get(f"/contacts/{made['id']}?book={cast.eve.book_id}"), 404, "not_found")
