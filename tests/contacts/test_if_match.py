"""If-Match on PUT, PATCH and DELETE of /contacts/{id}."""

import pytest

from contactapp.database import Sql, lane
from tests.support.cast import refused
from tests.support.contract import check
from tests.support.engines import on_one_engine
from tests.support.stored import book_state, contact_row
from tests.support.wire import at_once, process_of

METHODS = ["PUT", "PATCH", "DELETE"]


@pytest.fixture
def contact(owner):
    """A contact at version 2, and a function that writes it with an If-Match."""
    made = owner.contact(nickname="first")
    path = f"/contacts/{made['id']}"
    now = owner.patch(path, json={"nickname": "second"})

    def write(method, tag):
        body = None if method == "DELETE" else {"nickname": "third"}
        return owner.request(method, path, json=body, headers={"If-Match": tag})

    write.id, write.tag = made["id"], now.headers["ETag"]
    return write


# CC-3
@pytest.mark.parametrize("method", METHODS)
def test_a_stale_tag_is_412_with_the_current_version_and_changes_nothing(owner, contact, method):
    before, state = contact_row(owner.app, contact.id), book_state(owner)
    body = refused(contact(method, contact.tag.replace("v2", "v1")), 412, "version_mismatch")
    assert body["current_version"] == 2
    assert (contact_row(owner.app, contact.id), book_state(owner)) == (before, state)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", ["{}", '"other", {}', '{} , W/"v1-0"', "*", " * "])
def test_the_current_tag_alone_or_in_a_list_lets_the_write_through(contact, method, form):
    assert contact(method, form.format(contact.tag)).status_code in {200, 204}


@pytest.mark.parametrize("method", METHODS)
def test_the_build_does_not_count_so_that_an_upgrade_refuses_no_edit(contact, method):
    assert contact(method, '"v2-0123abcd"').status_code in {200, 204}


@on_one_engine
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "tag",
    ["W/{}", "", "v2", "2", '"2"', '"v02-00000000"', '"v2"', '"v٢-00000000"', '"l0123"', '"v2-x"'],
)
def test_weak_and_foreign_tags_never_match(owner, contact, method, tag):
    before = contact_row(owner.app, contact.id)
    refused(contact(method, tag.format(contact.tag)), 412, "version_mismatch")
    assert contact_row(owner.app, contact.id) == before


def test_the_tag_of_the_list_is_no_tag_of_a_contact(owner, contact):
    tag = owner.get("/contacts").headers["ETag"]
    refused(contact("PUT", tag), 412, "version_mismatch")


@pytest.mark.parametrize("method", METHODS)
def test_without_it_the_last_write_wins(owner, contact, method):
    body = None if method == "DELETE" else {"nickname": "third"}
    assert owner.request(method, f"/contacts/{contact.id}", json=body).status_code in {200, 204}


def test_a_refused_stale_write_that_would_change_nothing_is_412_too(contact):
    assert contact("PATCH", contact.tag).status_code == 200
    assert contact("PATCH", contact.tag).status_code == 412


def test_what_is_absent_is_404_with_a_right_tag(owner, contact):
    assert contact("DELETE", contact.tag).status_code == 204
    for method in METHODS:
        refused(contact(method, '"v3-00000000"'), 404, "not_found")


def race(visitor, document, path, tag, number):
    """Two PUTs with one If-Match at the same moment, on connections of their own."""

    def put(name):
        answer = visitor.request(
            "PUT",
            path,
            json={"nickname": name},
            headers={"If-Match": tag, "Connection": "close"},
        )
        answer.get_data = lambda: answer.content
        check(document, "PUT", f"/api/v1{path}", answer)
        return answer

    return at_once([lambda: put(f"left {number}"), lambda: put(f"right {number}")])


# CC-3
def test_of_two_writers_with_one_tag_exactly_one_gets_through(live_server):
    """Until three of the races were run by two different server processes."""
    visitor = live_server.person()
    document = visitor.http.get(f"{live_server.url}/openapi.json").content
    made = visitor.post("/contacts", json={"nickname": "start"})
    path, tag, version = f"/contacts/{made.json()['id']}", made.headers["ETag"], 1
    apart = 0
    for number in range(200):
        answers = race(visitor, document, path, tag, number)
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        assert (won.status_code, lost.status_code) == (200, 412)
        version += 1
        assert won.json()["version"] == lost.json()["current_version"] == version
        assert visitor.get(path).json() == won.json()
        tag = won.headers["ETag"]
        apart += process_of(won) != process_of(lost)
        if apart == 3:
            return
    raise AssertionError("one process answered everything")


def test_a_stale_tag_is_judged_under_the_lock(owner, contact):
    """The version in the database decides, not the one that this process remembers."""
    assert owner.get("/contacts?limit=1").status_code == 200  # the view is in memory
    assert contact("PUT", contact.tag).status_code == 200
    with owner.app.app_context():
        sql = Sql("SELECT version FROM contact WHERE id = ?")
        assert lane().one(sql, (contact.id,)) == (3,)
    refused(contact("PUT", contact.tag), 412, "version_mismatch")
