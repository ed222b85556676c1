"""The lists of the earlier systems: plain arrays, whole or in parts."""

import re

import pytest

from contactapp.compat.schemas import MOST
from tests.compat.test_contacts import LISTS, ask, told
from tests.support.books import fill, opened
from tests.support.engines import on_one_engine
from tests.support.stored import set_user


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_tagged(alice, path):
    alice.contact(first_name="Grace", birthday="--02-29")
    tag = ask(alice, "GET", path).headers["ETag"]
    assert ask(alice, "GET", path, {"If-None-Match": tag}).status_code == 304
    alice.contact(first_name="Grace")
    again = ask(alice, "GET", path, {"If-None-Match": tag})
    assert (again.status_code, again.headers["ETag"] == tag) == (200, False)


def walk(person, path):
    """What the pages hold, following the Link header."""
    found = []
    while path:
        answer = ask(person, "GET", path)
        assert answer.status_code == 200, answer.text
        found.append([contact["id"] for contact in answer.json])
        link = answer.headers.get("Link")
        path = link and re.fullmatch('<(.*)>; rel="next"', link)[1]
    return found


@pytest.mark.parametrize("path", ["/contacts", "/api/contacts/", "/contacts/search?q=a"])
def test_all_contacts_come_and_a_link_leads_to_what_one_answer_cannot_hold(
    alice, path, monkeypatch
):
    assert MOST == 1000
    set_user(alice.app, alice.id, contact_limit=0)
    fill(alice.app, alice.book_id, 1203)
    whole = [contact["id"] for contact in alice.get("/contacts?limit=500").json["items"]]
    pages = walk(alice, path)
    assert [len(page) for page in pages][:-1] == [1000]
    if "search" not in path:
        assert len(pages[1]) == 203
        assert pages[0][:500] == whole
        mark = f"{path}?"
        assert [len(page) for page in walk(alice, f"{mark}limit=5000")] == [1000, 203]
        assert walk(alice, f"{mark}skip=1&limit=601") == [
            (pages[0] + pages[1])[1:602],
            (pages[0] + pages[1])[602:],
        ]
        assert walk(alice, f"{mark}skip=5000") == [[]]
    assert opened(alice, lambda: walk(alice, path))[0] == 0


@on_one_engine
@pytest.mark.parametrize("path", ["/contacts", "/contacts/search?q=a", "/contacts/birthdays"])
@pytest.mark.parametrize("query", ["limit=0", "limit=a", "skip=-1", "limit=1e3", "skip=٣"])
def test_a_wrong_number_is_422(alice, path, query):
    query = query.replace("٣", "%D9%A3")
    mark = "&" if "?" in path else "?"
    told(ask(alice, "GET", f"{path}{mark}{query}"), 422, "invalid_fields")


def test_what_a_query_has_besides_is_ignored(alice):
    made = alice.contact(first_name="Ada")["id"]
    for path in ("/contacts?sort=x&book=7", "/contacts/search?q=ada&page=2", f"/contacts/{made}?a"):
        assert ask(alice, "GET", path).status_code == 200, path


def test_a_secret_in_a_query_is_refused(alice):
    for path in ("/contacts?password=x", "/api/contacts?a&current_password="):
        told(ask(alice, "GET", path), 400, "unknown_parameter")


def test_two_different_searches_at_once_are_422(alice):
    answer = ask(alice, "GET", "/contacts/search?q=a&query=b")
    told(answer, 422, "invalid_fields")


def test_birthdays_take_other_days_too(alice):
    alice.contact(first_name="Ada", birthday="1815-12-10")
    path = "/contacts/birthdays?date=2026-12-01"
    assert ask(alice, "GET", path).json == []
    assert [one["name"] for one in ask(alice, "GET", f"{path}&days=9").json] == ["Ada"]
