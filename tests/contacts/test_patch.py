"""PATCH /contacts/{id}: JSON merge patch (RFC 7396)."""

import pytest

from tests.contacts.test_create import FULL
from tests.support.cast import refused
from tests.support.stored import book_state, contact_row


def patched(owner, made, patch):
    answer = owner.patch(f"/contacts/{made['id']}", json=patch)
    assert answer.status_code == 200, answer.text
    assert owner.get(f"/contacts/{made['id']}").json == answer.json
    return answer.json


@pytest.mark.parametrize("field", [key for key in FULL if key not in {"starred", "custom_fields"}])
def test_null_clears_one_field_and_absent_leaves_the_others(owner, field):
    made = owner.contact(**FULL)
    now = patched(owner, made, {field: None})
    changed = {key for key in made if made[key] != now[key]}
    assert now[field] is None
    beside = {f"{field}s"} & {"emails", "phones"}
    assert changed - {"name", "updated_at"} == {field, "version"} | beside


def test_custom_fields_are_merged_key_by_key(owner):
    made = owner.contact(first_name="Ada", custom_fields={"keep": 1, "change": "a", "drop": True})
    now = patched(owner, made, {"custom_fields": {"change": "b", "drop": None, "new": 2.5}})
    assert now["custom_fields"] == {"keep": 1, "change": "b", "new": 2.5}
    now = patched(owner, made, {"custom_fields": {}})
    assert now["version"] == 2
    now = patched(owner, made, {"custom_fields": None})
    assert now["custom_fields"] == {}


def test_a_key_that_is_not_there_can_be_removed(owner):
    made = owner.contact(first_name="Ada", custom_fields={"keep": 1})
    assert patched(owner, made, {"custom_fields": {"drop": None}}) == made


def test_many_patches_do_not_pass_the_limit_of_custom_fields(owner):
    made = owner.contact(first_name="Ada", custom_fields={f"a{n}": n for n in range(100)})
    path = f"/contacts/{made['id']}"
    answer = owner.patch(path, json={"custom_fields": {"b": 1}})
    refused(answer, 422, "invalid_fields", "/custom_fields")
    answer = owner.patch(path, json={"additional_info": "one more"})
    refused(answer, 422, "invalid_fields", "/custom_fields")
    now = patched(owner, made, {"custom_fields": {"a0": None, "b": 1}})
    assert len(now["custom_fields"]) == 100


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"first_name": "Grace"},
        {"first_name": " Grace "},
        {"nickname": None},
        {"custom_fields": {"a": 1}},
        {"starred": False},
        {"name": "Somebody Else"},
        {"version": 7, "id": 1, "updated_at": "1999-01-01T00:00:00Z"},
    ],
)
def test_a_patch_that_changes_nothing_writes_nothing(owner, patch):
    made = owner.contact(first_name="Grace", custom_fields={"a": 1})
    before, state = contact_row(owner.app, made["id"]), book_state(owner)
    assert patched(owner, made, patch) == made
    assert (contact_row(owner.app, made["id"]), book_state(owner)) == (before, state)


def test_the_last_name_of_any_kind_cannot_be_cleared(owner):
    made = owner.contact(first_name="Ada", company="Acme")
    assert patched(owner, made, {"first_name": None})["name"] == "Acme"
    answer = owner.patch(f"/contacts/{made['id']}", json={"company": None})
    refused(answer, 422, "invalid_fields", "")


def test_a_name_replaces_first_and_last_name_that_are_cleared_with_it(owner):
    made = owner.contact(name="Ada Byron")
    patch = {"first_name": None, "last_name": None, "name": "Augusta Ada King"}
    now = patched(owner, made, patch)
    assert (now["first_name"], now["last_name"]) == ("Augusta Ada", "King")


def test_starred_goes_on_and_off(owner):
    made = owner.contact()
    assert patched(owner, made, {"starred": True})["starred"] is True
    assert patched(owner, made, {"starred": None})["starred"] is False


@pytest.mark.parametrize("body", ["null", "[]", '"x"', "3"])
def test_a_patch_that_is_no_object_is_malformed(owner, body):
    made = owner.contact()
    answer = owner.patch(
        f"/contacts/{made['id']}", data=body, headers={"Content-Type": "application/json"}
    )
    refused(answer, 400, "malformed_body")
