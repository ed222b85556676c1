"""GET and HEAD of /contacts/{id}."""

import pytest

from tests.support.cast import refused
from tests.support.stored import book_state


def test_it_shows_the_same_whether_the_book_is_in_memory_or_not(owner):
    made = owner.contact(first_name="Grace", custom_fields={"ship": "Hopper"})
    path = f"/contacts/{made['id']}"
    cold = owner.get(path)
    assert owner.get("/contacts?limit=1").status_code == 200  # loads the book
    warm = owner.get(path)
    assert cold.json == warm.json == made
    assert cold.headers["ETag"] == warm.headers["ETag"]


def test_an_etag_that_still_holds_is_304_without_a_body(owner):
    path = f"/contacts/{owner.contact()['id']}"
    tag = owner.get(path).headers["ETag"]
    assert tag.startswith('"')  # strong
    for sent in (tag, f'"other", {tag}', f"W/{tag}", f'W/"other" ,W/{tag}', "*"):
        answer = owner.get(path, headers={"If-None-Match": sent})
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == tag
    assert owner.get(path, headers={"If-None-Match": '"v1-00000000"'}).status_code == 200


def test_a_change_makes_the_old_etag_stale(owner):
    path = f"/contacts/{owner.contact()['id']}"
    tag = owner.get(path).headers["ETag"]
    changed = owner.patch(path, json={"first_name": "Ada"})
    answer = owner.get(path, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json) == (200, changed.json)
    assert answer.headers["ETag"] == changed.headers["ETag"] != tag


def test_head_is_get_without_the_body(owner):
    path = f"/contacts/{owner.contact()['id']}"
    head, get = owner.request("HEAD", path), owner.get(path)
    assert (head.status_code, head.data) == (200, b"")
    for name in ("ETag", "Content-Type", "Content-Length"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("query", ["?limit=1", "?fields=id", "?x", "?if_match=1"])
def test_a_parameter_it_does_not_know_is_400(owner, query):
    path = f"/contacts/{owner.contact()['id']}"
    refused(owner.get(path + query), 400, "unknown_parameter")


@pytest.mark.parametrize("id_", ["0", "-1", "007", "1e3", "٣", str(2**63), "me"])
def test_what_is_no_id_is_404(owner, id_):
    refused(owner.get(f"/contacts/{id_}"), 404, "not_found")


def test_reading_writes_nothing(owner):
    path = f"/contacts/{owner.contact()['id']}"
    before = book_state(owner)
    for way in (owner.get(path), owner.request("HEAD", path), owner.get("/contacts")):
        assert way.status_code == 200
    assert book_state(owner) == before
