"""The limit of contacts: exact, the owner's, and freed by deleting."""

import pytest

from tests.support.cast import refused
from tests.support.contract import check
from tests.support.stored import book_state, set_user
from tests.support.wire import at_once, process_of


def crowd(visitor, document, count):
    """So many creates at the same moment, on connections of their own."""

    def create():
        answer = visitor.post(
            "/contacts", json={"nickname": "one more"}, headers={"Connection": "close"}
        )
        answer.get_data = lambda: answer.content
        check(document, "POST", "/api/v1/contacts", answer)
        return answer

    return at_once([create] * count)


# CC-2
def test_of_twenty_at_once_exactly_the_hundredth_gets_in(live_server):
    """Over two server processes; repeated until both took part in one crowd."""
    visitor = live_server.person()
    document = visitor.http.get(f"{live_server.url}/openapi.json").content
    for n in range(99):
        assert visitor.post("/contacts", json={"nickname": f"n{n}"}).status_code == 201
    for _ in range(20):
        answers = crowd(visitor, document, 20)
        made = [answer for answer in answers if answer.status_code == 201]
        refusals = [answer.json() for answer in answers if answer.status_code == 403]
        assert (len(made), len(refusals)) == (1, 19)
        assert {problem["code"] for problem in refusals} == {"contact_limit_reached"}
        assert {(problem["limit"], problem["used"]) for problem in refusals} == {(100, 100)}
        assert visitor.get("/contacts?limit=1").json()["total"] == 100
        if len(set(map(process_of, answers))) == 2:
            return
        assert visitor.request("DELETE", f"/contacts/{made[0].json()['id']}").status_code == 204
    raise AssertionError("one process answered everything")


def limited(person, limit):
    set_user(person.app, person.id, contact_limit=limit)
    return person


def at_the_limit(answer, limit, used):
    problem = refused(answer, 403, "contact_limit_reached")
    assert (problem["limit"], problem["used"]) == (limit, used)


# CC-2
@pytest.mark.parametrize("limit", [1, 3])
def test_a_users_own_limit_goes_before_the_setting(alice, limit):
    limited(alice, limit)
    for _ in range(limit):
        alice.contact()
    before = book_state(alice)
    at_the_limit(alice.post("/contacts", json={"nickname": "more"}), limit, limit)
    assert book_state(alice) == before
    assert alice.get("/users/me").json["contact_limit"] == limit
    assert alice.get("/users/me").json["contact_count"] == limit


# CC-2
def test_the_setting_counts_where_a_user_has_no_limit_of_their_own(new_app, engine):
    from tests.support.cast import Cast

    alice = Cast(new_app(engine, CONTACT_LIMIT="2")).alice
    alice.contact()
    alice.contact()
    at_the_limit(alice.post("/contacts", json={"nickname": "more"}), 2, 2)
    limited(alice, 0).contact()  # 0 is none
    limited(alice, None)
    at_the_limit(alice.post("/contacts", json={"nickname": "more"}), 2, 3)


# CC-2
def test_deleting_frees_a_place_and_only_once(alice):
    limited(alice, 2)
    first, _ = alice.contact(), alice.contact()
    path = f"/contacts/{first['id']}"
    assert alice.delete(path, headers={"If-Match": '"v9-00"'}).status_code == 412
    at_the_limit(alice.post("/contacts", json={"nickname": "more"}), 2, 2)
    assert alice.delete(path).status_code == 204
    refused(alice.delete(path), 404, "not_found")
    alice.contact()
    at_the_limit(alice.post("/contacts", json={"nickname": "more"}), 2, 2)


# CC-2
def test_a_limit_lowered_below_the_count_keeps_what_is_there(alice):
    made = [alice.contact() for _ in range(3)]
    limited(alice, 1)
    at_the_limit(alice.post("/contacts", json={"nickname": "more"}), 1, 3)
    answer = alice.patch(f"/contacts/{made[0]['id']}", json={"nickname": "still editable"})
    assert answer.status_code == 200
    assert alice.get("/contacts").json["total"] == 3


# CC-2
def test_a_shared_book_charges_its_owner(cast):
    path = f"/contacts?book={cast.alice.book_id}"
    limited(cast.carol, 1).contact()
    at_the_limit(cast.carol.post("/contacts", json={"nickname": "own"}), 1, 1)
    limited(cast.alice, 1)
    made = cast.carol.post(path, json={"nickname": "for Alice"})
    assert made.status_code == 201
    at_the_limit(cast.carol.post(path, json={"nickname": "for Alice"}), 1, 1)
    at_the_limit(cast.alice.post("/contacts", json={"nickname": "own"}), 1, 1)
    assert cast.carol.get("/users/me").json["contact_count"] == 1
    answer = cast.carol.delete(f"/contacts/{made.json['id']}?book={cast.alice.book_id}")
    assert answer.status_code == 204
    cast.alice.contact()


# CC-2
def test_a_refused_create_is_not_charged(alice):
    limited(alice, 1)
    for body in ({}, {"first_name": "x" * 101}, {"first_name": "Ada", "unknown": 1}):
        refused(alice.post("/contacts", json=body), 422, "invalid_fields")
    assert book_state(alice)[2:] == (0, 0)
    alice.contact()
