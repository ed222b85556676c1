"""GET /contacts/duplicates and POST /contacts/duplicates/dismiss."""

import pytest

from contactapp.books import service as books
from contactapp.bounded import Bounded
from contactapp.contacts import dismissals, duplicates_page
from contactapp.contacts.duplicates import Pairs
from contactapp.database import Sql, lane
from tests.contacts.test_trash import destroy
from tests.support.cast import refused
from tests.support.stored import book_state

URL = "/contacts/duplicates"
ABSENT = 2**52
_ROWS = Sql("SELECT low_id, high_id FROM duplicate_dismissal WHERE book_id = ? ORDER BY 1, 2")


def duplicates(person, query=""):
    answer = person.get(f"{URL}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def groups(person, query=""):
    return [[c["id"] for c in item["contacts"]] for item in duplicates(person, query)["items"]]


def dismiss(person, *ids, query=""):
    return person.post(f"{URL}/dismiss{query}", json={"contact_ids": list(ids)})


def rows(person):
    with person.app.app_context():
        return [tuple(row) for row in lane().all(_ROWS, (person.book_id,))]


@pytest.fixture
def twins(alice):
    """Two contacts that look alike, and one that does not."""
    one = alice.contact(first_name="Ada", last_name="Lovelace", email="ada@example.com")
    other = alice.contact(first_name="ada", last_name="Lovelace", email="ADA@example.com")
    alice.contact(first_name="Grace", last_name="Hopper")
    return one["id"], other["id"]


def test_it_tells_who_looks_alike_and_why(alice, twins):
    [item] = duplicates(alice)["items"]
    assert item["key"] == "{}-{}".format(*twins)
    assert item["score"] == 0.9
    assert item["reasons"] == [
        {"code": "same_email", "values": ["ada@example.com", "ADA@example.com"]},
        {"code": "same_name", "values": ["Ada Lovelace", "ada Lovelace"]},
    ]
    shown = [alice.get(f"/contacts/{contact_id}").json for contact_id in twins]
    wanted = {"id", "name", "email", "phone", "company", "birthday", "photo_url"}
    wanted |= {"version", "updated_at"}
    assert item["contacts"] == [{name: one[name] for name in wanted} for one in shown]


def test_the_fields_of_its_contacts_can_be_chosen(alice, twins):
    [item] = duplicates(alice, "?fields=id,emails")["items"]
    assert [set(contact) for contact in item["contacts"]] == [{"id", "emails"}] * 2
    refused(alice.get(f"{URL}?fields=sealed"), 400, "unknown_parameter")


def test_only_groups_of_a_score_are_shown_and_the_surest_first(alice, twins):
    namesake = alice.contact(first_name="Grace", last_name="Hopper")
    assert [item["score"] for item in duplicates(alice)["items"]] == [0.9, 0.5]
    assert groups(alice, "?min_score=0.51") == [list(twins)]
    alice.patch(f"/contacts/{namesake['id']}", json={"birthday": "1906-12-09"})
    other = alice.contact(first_name="Grace", last_name="Hopper", birthday="1907-12-09")
    assert [item["score"] for item in duplicates(alice)["items"]] == [0.9, 0.5, 0.5]
    assert [namesake["id"], other["id"]] not in groups(alice)
    [_, three] = duplicates(alice, "?min_score=0.3")["items"]
    assert [contact["id"] for contact in three["contacts"]][1:] == [namesake["id"], other["id"]]
    assert [reason["code"] for reason in three["reasons"]] == ["same_name", "different_birthday"]


@pytest.mark.parametrize(
    "score", ["-0.1", "1.1", "nan", "1e0", ".5", "0,5", "%D9%A0", "", "0." + "1" * 9]
)
def test_a_score_is_a_plain_number_from_0_to_1(owner, score):
    refused(owner.get(f"{URL}?min_score={score}"), 422, "invalid_fields", "?min_score")


# AZ-7
def test_a_cursor_is_of_its_score(alice, twins):
    alice.contact(first_name="Grace", last_name="Hopper")
    cursor = duplicates(alice, "?limit=1")["next_cursor"]
    assert len(groups(alice, f"?cursor={cursor}")) == 1
    refused(alice.get(f"{URL}?cursor={cursor}&min_score=0.4"), 400, "cursor_mismatch")


def test_a_page_of_large_groups_ends_early(alice, twins, monkeypatch):
    alice.contact(first_name="Grace", last_name="Hopper")
    monkeypatch.setattr(duplicates_page, "PAGE_BYTES", 100)
    first = duplicates(alice)
    assert (len(first["items"]), first["total"]) == (1, 2)
    last = duplicates(alice, f"?cursor={first['next_cursor']}")
    assert (len(last["items"]), last["next_cursor"]) == (1, None)


def test_it_follows_what_is_changed(alice, twins):
    assert groups(alice) == [list(twins)]
    alice.patch(f"/contacts/{twins[1]}", json={"first_name": "Grace", "email": "g@example.com"})
    assert groups(alice) == []
    alice.patch(f"/contacts/{twins[1]}", json={"email": "Ada@Example.com"})
    assert groups(alice, "?min_score=0.3") == [list(twins)]
    alice.delete(f"/contacts/{twins[0]}")
    assert groups(alice, "?min_score=0.3") == []


def test_what_was_dismissed_stays_so_for_everybody(cast):
    a, b, c = (cast.alice.contact(first_name="Ada", email="ada@example.com")["id"] for _ in "abc")
    query = f"?book={cast.alice.book_id}"
    assert groups(cast.alice) == [[a, b, c]]
    before, first = book_state(cast.alice), cast.alice.get(URL)
    answer = dismiss(cast.carol, c, a, query=query)
    assert (answer.status_code, answer.data) == (204, b"")
    assert groups(cast.alice) == groups(cast.eve, query) == [[a, b], [b, c]]
    assert book_state(cast.alice) == before  # of a contact nothing has changed
    again = cast.alice.get(URL, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.headers["ETag"] != first.headers["ETag"]
    assert dismiss(cast.alice, a, c).status_code == 204  # again
    cast.alice.patch(f"/contacts/{a}", json={"nickname": "later"})
    assert groups(cast.alice) == [[a, b], [b, c]]
    assert dismiss(cast.alice, a, b, c).status_code == 204
    assert groups(cast.alice) == []
    assert rows(cast.alice) == [(a, b), (a, c), (b, c)]


def test_a_dismissal_goes_with_one_of_its_contacts(alice, twins):
    assert dismiss(alice, *twins).status_code == 204
    alice.delete(f"/contacts/{twins[0]}")
    assert rows(alice) == [twins]
    alice.post(f"/contacts/{twins[0]}/restore")
    assert groups(alice) == []
    assert destroy(alice, {"id": twins[1]}).status_code == 204
    assert rows(alice) == []


# AZ-3
def test_only_contacts_of_the_book_can_be_dismissed(cast, twins):
    foreign = cast.bob.contact()["id"]
    gone = cast.alice.contact()["id"]
    cast.alice.delete(f"/contacts/{gone}")
    for wrong in (foreign, ABSENT, gone):
        problem = refused(dismiss(cast.alice, twins[0], wrong), 404, "not_found")
        assert [error["pointer"] for error in problem["errors"]] == ["/contact_ids/1"]
    refused(dismiss(cast.bob, *twins), 404, "not_found")
    refused(dismiss(cast.eve, *twins, query=f"?book={cast.alice.book_id}"), 403, "read_only_book")
    assert rows(cast.alice) == rows(cast.bob) == []


WRONG = {
    "one": [1],
    "none": [],
    "too many": list(range(1, 23)),
    "twice the same": [1, 1],
    "a text": ["1", 2],
    "true": [True, 2],
    "null": [None, 2],
    "a number": 7,
    "a fraction": [1.5, 2],
    "too large": [2**53, 1],
}


@pytest.mark.parametrize("ids", WRONG.values(), ids=WRONG)
def test_what_is_no_list_of_ids_is_422(owner, ids):
    refused(owner.post(f"{URL}/dismiss", json={"contact_ids": ids}), 422, "invalid_fields")


def test_a_book_keeps_so_many_pairs_and_no_more(alice, twins, monkeypatch):
    monkeypatch.setattr(dismissals, "MAX_DISMISSED", 1)
    assert dismiss(alice, *twins).status_code == 204
    other = alice.contact()["id"]
    problem = refused(dismiss(alice, twins[0], other), 403, "dismissal_limit_reached")
    assert problem["limit"] == 1
    assert rows(alice) == [twins]


def test_large_books_are_looked_through_by_few_at_a_time(alice, twins, monkeypatch):
    monkeypatch.setattr(books, "LARGE", 40)
    taken, place = [], Bounded.place
    monkeypatch.setattr(Bounded, "place", lambda self: taken.append(1) or place(self))
    assert groups(alice) == [list(twins)]
    assert taken == [1]


def test_a_book_is_compared_once_for_all_pages_and_scores(alice, twins, monkeypatch):
    made, of = [], Pairs.of
    monkeypatch.setattr(Pairs, "of", lambda rows: made.append(len(rows)) or of(rows))
    for query in ("", "?limit=1", "?min_score=0.7", ""):
        duplicates(alice, query)
    assert made == [3]
    alice.contact(first_name="Grace", last_name="Hopper")
    assert len(groups(alice)) == 2
    assert made == [3, 4]
