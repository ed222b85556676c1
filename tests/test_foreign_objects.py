"""What belongs to somebody else is as if it were not there."""

import pytest

from tests.support.cast import refused
from tests.support.pictures import picture
from tests.support.stored import book_state, contact_row

ABSENT = 2**52
PHOTO = picture(size=(8, 8))
SECRETS = {
    "first_name": "Zaphod-marker",
    "last_name": "Beeblebrox-marker",
    "email": "zaphod-marker@example.com",
    "phone": "+49 151 424242",
    "company": "Heart of Gold marker",
    "custom_fields": {"heads-marker": "two-marker"},
}
BODIES = {
    "PUT": {"first_name": "Mallory"},
    "PATCH": {"first_name": "Mallory"},
    "/revert": {"version": 1},
    "/merge": {"source_ids": [ABSENT - 1]},
}
# What can be asked of a contact: the method, and what its path ends with.
VERBS = [
    *[(method, "") for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE")],
    *[("GET", "/history"), ("HEAD", "/history"), ("POST", "/revert"), ("POST", "/restore")],
    ("POST", "/merge"),
    *[(method, "/photo") for method in ("GET", "HEAD", "PUT", "DELETE")],
]


def sent(method, end):
    """What a request carries that would do."""
    return {"data": PHOTO} if end == "/photo" else {"json": BODIES.get(end or method)}


@pytest.fixture(params=["bob", "admin", "carol", "eve", "bob in alice's book", "carol in her own"])
def stranger(request, cast):
    """Somebody who asks for Alice's contact without being able to see it, and the query."""
    name, _, place = request.param.partition(" ")
    person = getattr(cast, name)
    book = {"": None, "in alice's book": cast.alice.book_id, "in her own": person.book_id}[place]
    return person, f"?book={book}" if book else ""


SAME = {"X-Request-ID": "the-same"}  # so that not even the length of an id differs


def shown(answer):
    """The answer without what differs between any two."""
    varying = {"RateLimit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
    headers = {key: value for key, value in answer.headers.items() if key not in varying}
    return answer.status_code, answer.data, headers


# AZ-1, AZ-2
@pytest.mark.parametrize("warm", [True, False])
def test_every_verb_on_a_foreign_contact_is_404_as_on_an_absent_one(cast, stranger, warm):
    made = cast.alice.contact(**SECRETS)
    if warm:
        cast.alice.get("/contacts")
    row, state = contact_row(cast.app, made["id"]), book_state(cast.alice)
    person, query = stranger
    for method, end in VERBS:
        kwargs = {**sent(method, end), "headers": {**SAME, "If-Match": '"v1-00000000"'}}
        foreign = person.request(method, f"/contacts/{made['id']}{end}{query}", **kwargs)
        absent = person.request(method, f"/contacts/{ABSENT}{end}{query}", **kwargs)
        assert foreign.status_code == 404
        assert shown(foreign) == shown(absent)
        assert "marker" not in foreign.text
        assert "424242" not in foreign.text
        assert made["uid"] not in foreign.text
    assert (contact_row(cast.app, made["id"]), book_state(cast.alice)) == (row, state)


# AZ-2
@pytest.mark.parametrize(
    ("method", "end"), [verb for verb in VERBS if verb[0] not in {"GET", "HEAD"}]
)
def test_a_viewer_reads_and_changes_nothing(cast, method, end):
    made = cast.alice.contact(**SECRETS)
    row, state = contact_row(cast.app, made["id"]), book_state(cast.alice)
    path = f"/contacts/{made['id']}?book={cast.alice.book_id}"
    assert cast.eve.get(path).json == made
    answer = cast.eve.request(method, path.replace("?", f"{end}?"), **sent(method, end))
    refused(answer, 403, "read_only_book")
    assert "marker" not in answer.text
    assert (contact_row(cast.app, made["id"]), book_state(cast.alice)) == (row, state)


# AZ-2
def test_a_contact_of_the_members_own_book_is_not_in_the_shared_one(cast):
    made = cast.carol.contact(**SECRETS)
    query = f"?book={cast.alice.book_id}"
    for method, end in VERBS:
        path = f"/contacts/{made['id']}{end}{query}"
        answer = cast.carol.request(method, path, **sent(method, end))
        assert answer.status_code == 404
    assert cast.carol.get(f"/contacts/{made['id']}").json == made


# AZ-2
def test_a_foreign_session_is_404_as_an_absent_one_and_lives_on(cast):
    (session,) = cast.alice.get("/auth/sessions").json["items"]
    for person in (cast.bob, cast.carol, cast.admin):
        foreign = person.delete(f"/auth/sessions/{session['id']}", headers=SAME)
        absent = person.delete(f"/auth/sessions/{ABSENT}", headers=SAME)
        assert foreign.status_code == 404
        assert shown(foreign) == shown(absent)
    assert cast.alice.get("/users/me").status_code == 200


# AZ-1
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_foreign_book_is_404_as_an_absent_one(cast, method):
    cast.alice.contact(**SECRETS)
    state = book_state(cast.alice)
    for person in (cast.bob, cast.admin):
        body = {"first_name": "Mallory"} if method == "POST" else None
        kwargs = {"json": body, "headers": SAME}
        foreign = person.request(method, f"/contacts?book={cast.alice.book_id}", **kwargs)
        absent = person.request(method, f"/contacts?book={ABSENT}", **kwargs)
        assert foreign.status_code == 404
        assert shown(foreign) == shown(absent)
        assert "marker" not in foreign.text
    assert book_state(cast.alice) == state
    assert cast.bob.get("/contacts").json["total"] == 0  # nor did it go anywhere else


# AZ-1
@pytest.mark.parametrize(
    "book", ["0", "-1", "", "a", "1e3", "1_0", "%D9%A3", "1.0", str(2**53), "9" * 5000, "1%00"]
)
def test_a_wrong_book_is_422_and_not_ones_own(bob, book):
    state = book_state(bob)
    for method, path in (("GET", "/contacts"), ("POST", "/contacts"), ("GET", "/contacts/1")):
        answer = bob.request(method, f"{path}?book={book}", json={"first_name": "Ada"})
        refused(answer, 422, "invalid_fields", "?book")
    assert book_state(bob) == state


# AZ-1
@pytest.mark.parametrize("name", ["book", "b%6Fok", "%62%6F%6F%6B"])
def test_a_book_is_meant_however_its_name_is_encoded(cast, name):
    state = book_state(cast.bob)
    answer = cast.bob.post(f"/contacts?{name}={cast.alice.book_id}", json={"first_name": "Ada"})
    refused(answer, 404, "not_found")
    assert book_state(cast.bob) == state
    answer = cast.carol.post(f"/contacts?{name}={cast.alice.book_id}", json={"first_name": "Ada"})
    assert answer.json["book_id"] == cast.alice.book_id


# AZ-1
def test_a_repeated_book_is_400_whichever_is_allowed(cast):
    for first, second in ((cast.bob, cast.alice), (cast.alice, cast.bob), (cast.bob, cast.bob)):
        query = f"?book={first.book_id}&book={second.book_id}"
        refused(cast.bob.get(f"/contacts{query}"), 400, "repeated_parameter")


# AZ-1
def test_a_book_of_ones_own_may_be_named(alice):
    made = alice.contact()
    assert alice.get(f"/contacts/{made['id']}?book={alice.book_id}").json == made
    assert alice.get(f"/contacts?book={alice.book_id}").json["items"] == [made]


# AZ-1
def test_a_route_without_books_does_not_take_one(alice):
    answer = alice.get(f"/users/me?book={alice.book_id}")
    refused(answer, 400, "unknown_parameter")
