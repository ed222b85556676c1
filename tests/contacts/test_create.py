"""POST /contacts."""

import pytest

from contactapp import clock
from tests.support.cast import refused
from tests.support.stored import book_state

FULL = {
    "first_name": "Grace",
    "last_name": "Hopper",
    "middle_name": "Brewster",
    "prefix": "Rear Admiral",
    "suffix": "PhD",
    "nickname": "Amazing Grace",
    "email": "grace@navy.example",
    "phone": "+1 (555) 123-4567",
    "company": "US Navy",
    "department": "Programming",
    "title": "Director",
    "birthday": "1906-12-09",
    "anniversary": "--06-15",
    "starred": True,
    "custom_fields": {"ship": "USS Hopper", "hull": 70, "tonnage": 8.4, "afloat": True},
}


def test_it_keeps_every_field_and_answers_where_the_contact_is(alice):
    answer = alice.post("/contacts", json=FULL)
    made = answer.json
    assert answer.status_code == 201
    assert {key: made[key] for key in FULL} == FULL
    assert made["name"] == "Rear Admiral Grace Brewster Hopper, PhD"
    assert (made["book_id"], made["version"]) == (alice.book_id, 1)
    assert answer.headers["Location"] == f"/api/v1/contacts/{made['id']}"
    found = alice.get(f"/contacts/{made['id']}")
    assert (found.json, found.headers["ETag"]) == (made, answer.headers["ETag"])
    assert alice.get("/contacts").json == {"items": [made], "next_cursor": None, "total": 1}


@pytest.mark.parametrize(
    "field", ["first_name", "last_name", "nickname", "company", "email", "phone", "name"]
)
def test_one_name_of_any_kind_is_enough_and_the_rest_is_null(owner, field):
    value = {"email": "a@b.example", "phone": "112"}.get(field, "Ada")
    made = owner.contact(**{field: value})
    assert made["name"] == value
    filled = {key for key, shown in made.items() if shown == value} - {"name"}
    assert filled == {"first_name" if field == "name" else field}
    assert (made["middle_name"], made["starred"], made["custom_fields"]) == (None, False, {})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": "Dr", "birthday": "1990"},
        {"first_name": None, "company": ""},
        {"first_name": " \t\n "},
        {"name": "  "},
        {"custom_fields": {"first_name": "Ada"}},
    ],
)
def test_a_contact_without_any_name_is_refused(owner, body):
    before = book_state(owner)
    refused(owner.post("/contacts", json=body), 422, "invalid_fields", "")
    assert book_state(owner) == before


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ada", "Ada", None),
        ("Ada Lovelace", "Ada", "Lovelace"),
        ("Gabriel José García Márquez", "Gabriel José García", "Márquez"),
        ("  Ada   King   Lovelace ", "Ada King", "Lovelace"),
    ],
)
def test_a_name_alone_is_split_at_its_last_word(owner, name, first, last):
    made = owner.contact(name=name)
    assert (made["first_name"], made["last_name"]) == (first, last)


@pytest.mark.parametrize("given", [{"first_name": "Grace"}, {"last_name": "Hopper"}])
def test_a_name_beside_first_or_last_name_is_not_used(owner, given):
    made = owner.contact(name="Somebody Else", **given)
    (value,) = given.values()
    assert made["name"] == value


@pytest.mark.parametrize("name", ["x" * 101, "x" * 101 + " y", "x " + "y" * 101])
def test_a_name_whose_parts_are_too_long_is_refused(owner, name):
    refused(owner.post("/contacts", json={"name": name}), 422, "invalid_fields", "/name")


def test_the_times_and_the_maker_are_ours(owner, monkeypatch):
    later = clock.now_ms() + 61_999
    monkeypatch.setattr(clock, "now_ms", lambda: later)
    made = owner.contact(first_name="Ada", created_at="1999-01-01T00:00:00Z", created_by=1)
    assert made["created_at"] == made["updated_at"] == clock.rfc3339(later)
    assert made["created_by"] == made["updated_by"] == owner.id


def test_an_editor_adds_to_the_shared_book_and_is_named_as_the_maker(cast):
    query = f"?book={cast.alice.book_id}"
    answer = cast.carol.post(f"/contacts{query}", json={"first_name": "Ada"})
    made = answer.json
    assert (made["book_id"], made["created_by"]) == (cast.alice.book_id, cast.carol.id)
    assert cast.alice.get(f"/contacts/{made['id']}").json == made
    # The address works for whom it is given to.
    assert answer.headers["Location"] == f"/api/v1/contacts/{made['id']}{query}"
    assert cast.carol.get(answer.headers["Location"].removeprefix("/api/v1")).json == made
    assert cast.carol.get("/contacts").json["total"] == 0


def test_a_trailing_slash_is_the_same_route_and_not_a_redirect(owner):
    answer = owner.post("/contacts/", json={"first_name": "Ada"})
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/contacts/{answer.json['id']}"
