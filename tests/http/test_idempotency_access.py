"""An answer that is kept is given to who may have it now."""

import uuid

import pytest

from contactapp.books import service as books
from contactapp.database import Sql, lane, write_transaction
from tests.support.cast import refused
from tests.support.stored import book_state, set_user

MARKED = {"first_name": "Zaphod-marker"}
_ROWS = Sql("SELECT key_hash, fingerprint, sealed FROM idempotent_answer WHERE user_id = ?")


@pytest.fixture
def key():
    """The header with a new key."""
    return {"Idempotency-Key": f"key-marker-{uuid.uuid4()}"}


@pytest.fixture
def send(cast, key):
    """Make a contact in Alice's book as Carol, who edits it, always with the same key."""

    def send(token=None):
        headers = {**key, **({"Authorization": f"Bearer {token}"} if token else {})}
        return cast.carol.post(f"/contacts?book={cast.alice.book_id}", json=MARKED, headers=headers)

    return send


def kept_from(cast, answer, status, code):
    """Refused, without a word of what was answered before, and with nothing done."""
    refused(answer, status, code)
    assert "marker" not in answer.text
    assert "Idempotency-Replayed" not in answer.headers
    assert "ETag" not in answer.headers
    assert book_state(cast.alice).live == 1


# AZ-2, CC-5
def test_who_was_removed_from_the_book_finds_nothing(cast, send):
    assert send().status_code == 201
    with cast.app.app_context():
        books.unshare_book(cast.alice.id, cast.carol.id)
    kept_from(cast, send(), 404, "not_found")


# AZ-2
def test_who_may_only_read_the_book_by_now_is_told_so(cast, send):
    assert send().status_code == 201
    with cast.app.app_context():
        books.share_book(cast.alice.id, cast.carol.id, "viewer")
    kept_from(cast, send(), 403, "read_only_book")


# AZ-2
def test_a_feed_that_a_viewer_made_is_answered_again(cast, key):
    path = f"/feeds?book={cast.alice.book_id}"
    first, again = (cast.eve.post(path, json={"kind": "birthdays"}, headers=key) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json == again.json


# AZ-2
def test_a_token_that_has_ended_is_401(cast, send):
    assert send().status_code == 201
    cast.carol.post("/auth/logout")
    kept_from(cast, send(), 401, "invalid_token")


# AZ-2
def test_an_account_that_was_disabled_is_401(cast, send):
    assert send().status_code == 201
    set_user(cast.app, cast.carol.id, active=False)
    kept_from(cast, send(), 401, "invalid_token")


# AZ-2
def test_an_api_token_counts_as_its_user_and_needs_the_scope(cast, send):
    tokens = {}
    for scope in ("contacts:write", "contacts:read"):
        made = {"name": scope, "scopes": [scope]}
        tokens[scope] = cast.carol.post("/auth/api-tokens", json=made).json
    assert send().status_code == 201
    replayed = send(tokens["contacts:write"]["token"])
    assert replayed.headers["Idempotency-Replayed"] == "true"
    kept_from(cast, send(tokens["contacts:read"]["token"]), 403, "insufficient_scope")
    cast.carol.delete(f"/auth/api-tokens/{tokens['contacts:write']['id']}")
    kept_from(cast, send(tokens["contacts:write"]["token"]), 401, "invalid_token")


# AZ-2
def test_a_stranger_with_the_key_and_the_path_finds_nothing(cast, send, key):
    assert send().status_code == 201
    answer = cast.bob.post(f"/contacts?book={cast.alice.book_id}", json=MARKED, headers=key)
    kept_from(cast, answer, 404, "not_found")


# PR-3
def test_neither_key_nor_request_nor_answer_lies_there_readable(cast, send, key):
    assert send().status_code == 201
    with cast.app.app_context():
        [row] = lane().all(_ROWS, (cast.carol.id,))
    assert not any(b"marker" in column for column in row)
    assert [len(column) for column in row[:2]] == [32, 32]
    cast.bob.post("/contacts", json=MARKED, headers=key)
    with cast.app.app_context():
        [other] = lane().all(_ROWS, (cast.bob.id,))
    assert other[0] != row[0]  # nor does it say that two people's keys are the same


# PR-3
def test_an_answer_put_into_another_row_does_not_open(cast, alice, key):
    other = {"Idempotency-Key": "other"}
    alice.post("/contacts", json=MARKED, headers=key)
    alice.post("/contacts", json=MARKED, headers=other)

    @write_transaction
    def swap():
        [first, second] = lane().all(_ROWS, (alice.id,))
        sql = Sql("UPDATE idempotent_answer SET sealed = ? WHERE key_hash = ?")
        lane().run(sql, (first[2], second[0]))
        lane().run(sql, (second[2], first[0]))

    with cast.app.app_context():
        swap()
    answer = alice.post("/contacts", json=MARKED, headers=key)
    refused(answer, 500, "internal_error")
    assert "marker" not in answer.text
