"""PUT /contacts/{id}."""

import pytest

from tests.contacts.test_create import FULL
from tests.support.cast import refused
from tests.support.stored import book_state, contact_row

LONG = {
    "prefix": "p" * 50,
    "first_name": "f" * 100,
    "middle_name": "m" * 100,
    "last_name": "l" * 100,
    "suffix": "s" * 50,
}


def test_it_replaces_the_whole_contact(owner):
    made = owner.contact(**FULL)
    answer = owner.put(f"/contacts/{made['id']}", json={"last_name": "Hamilton"})
    now = answer.json
    assert answer.status_code == 200
    assert (now["name"], now["version"]) == ("Hamilton", 2)
    assert not any(now[key] for key in FULL if key != "last_name")
    kept = ("id", "uid", "book_id", "created_at", "created_by")
    assert all(now[key] == made[key] for key in kept)
    found = owner.get(f"/contacts/{made['id']}")
    assert (found.json, found.headers["ETag"]) == (now, answer.headers["ETag"])


@pytest.mark.parametrize(
    "fields",
    [
        FULL,
        LONG,
        {"company": "Acme"},
        {"company": "Acme", "prefix": "The", "suffix": "Ltd"},
        {"email": "e" * 242 + "@example.com"},
        {"phone": "112"},
        {"nickname": "Ada", "starred": True},
        {"name": "Ada Lovelace"},
        {"first_name": "Ada", "custom_fields": {"empty": "", "zero": 0, "no": False}},
    ],
)
def test_what_was_read_can_be_put_back_and_changes_nothing(owner, fields):
    made = owner.contact(**fields)
    path = f"/contacts/{made['id']}"
    before, state = contact_row(owner.app, made["id"]), book_state(owner)
    answer = owner.put(path, json=owner.get(path).json)
    assert (answer.status_code, answer.json) == (200, made)
    assert contact_row(owner.app, made["id"]) == before  # no version, no new blob
    assert book_state(owner) == state  # no change row


@pytest.mark.parametrize("field", ["company", "nickname", "email", "phone"])
def test_a_computed_name_that_came_back_names_nobody(owner, field):
    old, new = ("112", "113") if field == "phone" else ("a@b.example", "c@d.example")
    made = owner.contact(**{field: old})
    body = {**made, field: new}
    body.pop(f"{field}s", None)  # which would say otherwise
    now = owner.put(f"/contacts/{made['id']}", json=body).json
    assert (now["name"], now["first_name"], now["last_name"]) == (new, None, None)


def test_a_name_can_be_cleared_in_what_was_read(owner):
    made = owner.contact(name="Ada Lovelace", company="Analytical Engines")
    body = {**made, "first_name": None, "last_name": None}
    now = owner.put(f"/contacts/{made['id']}", json=body).json
    assert (now["name"], now["last_name"]) == ("Analytical Engines", None)


@pytest.mark.parametrize(("old", "new"), [(1, True), (True, 1), (0, False), (1, 1.0), (False, "")])
def test_values_that_only_python_takes_for_equal_are_a_change(owner, old, new):
    made = owner.contact(first_name="Ada", custom_fields={"value": old})
    answer = owner.put(
        f"/contacts/{made['id']}", json={"first_name": "Ada", "custom_fields": {"value": new}}
    )
    assert answer.json["version"] == 2
    assert repr(answer.json["custom_fields"]["value"]) == repr(new)


def test_replacing_with_nothing_is_refused(owner):
    made = owner.contact()
    before = contact_row(owner.app, made["id"])
    for body in ({}, {"first_name": None}, {"starred": True}):
        answer = owner.put(f"/contacts/{made['id']}", json=body)
        refused(answer, 422, "invalid_fields", "")
    assert contact_row(owner.app, made["id"]) == before


def test_an_editor_is_named_as_who_changed_it(cast):
    made = cast.alice.contact()
    answer = cast.carol.put(
        f"/contacts/{made['id']}?book={cast.alice.book_id}", json={"first_name": "Ada"}
    )
    assert (answer.json["created_by"], answer.json["updated_by"]) == (cast.alice.id, cast.carol.id)
    assert cast.alice.get(f"/contacts/{made['id']}").json == answer.json


def test_what_does_not_exist_is_not_made(owner):
    before = book_state(owner)
    answer = owner.put(f"/contacts/{2**52}", json={"first_name": "Ada"})
    refused(answer, 404, "not_found")
    assert book_state(owner) == before


def test_if_none_match_star_asks_to_create_and_overwrites_nothing(owner):
    made = owner.contact()
    before = contact_row(owner.app, made["id"])
    path, header = f"/contacts/{made['id']}", {"If-None-Match": "*"}
    answer = owner.put(path, json={"first_name": "Ada"}, headers=header)
    refused(answer, 412, "version_mismatch")
    assert contact_row(owner.app, made["id"]) == before
