"""phone_number, additional_info and custom_fields of a contact."""

import pytest

from tests.contacts.test_fields import refuses, takes, target
from tests.support.cast import refused

__all__ = ["target"]  # a fixture


def test_phone_number_means_phone(owner):
    made = owner.contact(first_name="Ada", phone_number=" 112 ")
    assert made["phone"] == "112"
    now = owner.patch(f"/contacts/{made['id']}", json={"phone_number": None}).json
    assert now["phone"] is None
    assert owner.contact(phone_number="112", phone="112")["phone"] == "112"


def test_additional_info_is_the_custom_field_of_that_name(owner):
    made = owner.contact(first_name="Ada", additional_info="met in\nLondon", custom_fields={"a": 1})
    assert made["custom_fields"] == {"a": 1, "additional_info": "met in\nLondon"}
    path = f"/contacts/{made['id']}"
    assert owner.put(path, json=made).json == made
    now = owner.patch(path, json={"additional_info": None}).json
    assert now["custom_fields"] == {"a": 1}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"phone": "112", "phone_number": "113"}, {"/phone", "/phone_number"}),
        ({"phone": None, "phone_number": "113"}, {"/phone", "/phone_number"}),
        (
            {"additional_info": "a", "custom_fields": {"additional_info": "b"}},
            {"/additional_info", "/custom_fields"},
        ),
        (
            {"additional_info": "1", "custom_fields": {"additional_info": 1}},
            {"/additional_info", "/custom_fields"},
        ),
    ],
)
def test_an_alias_that_differs_is_422_naming_both(owner, target, body, names):
    path = f"/contacts/{target['id']}"
    for method, where in (("POST", "/contacts"), ("PUT", path), ("PATCH", path)):
        answer = owner.request(method, where, json={"first_name": "Ada", **body})
        errors = refused(answer, 422, "invalid_fields")["errors"]
        assert {error["pointer"] for error in errors} == names
        assert {error["code"] for error in errors} == {"alias_conflict"}


@pytest.mark.parametrize("value", [1, [], {}, "x" * 5001])
def test_additional_info_is_text(owner, target, value):
    refuses(owner, target, "additional_info", value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"k" * 64: "x" * 5000},
        {"int": 2**53 - 1, "negative": -1, "float": 1.5, "yes": True, "no": False, "empty": ""},
        {f"key {n}": n for n in range(100)},
        {"lines": "one\ntwo\ttab", "__proto__": "x", "a/b~c": 1, "ключ": "значение"},
    ],
)
def test_custom_fields_are_kept_as_they_are(owner, fields):
    assert takes(owner, "custom_fields", fields) == fields


def test_a_custom_field_that_is_null_is_none(owner):
    made = owner.contact(first_name="Ada", custom_fields={"a": None, "b": 1})
    assert made["custom_fields"] == {"b": 1}
    assert owner.contact(first_name="Ada", custom_fields=None)["custom_fields"] == {}


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ([], "/custom_fields", "wrong_type"),
        ("x", "/custom_fields", "wrong_type"),
        ({"": 1}, "/custom_fields/", "invalid_key"),
        ({"k" * 65: 1}, "/custom_fields/" + "k" * 65, "invalid_key"),
        ({"a\nb": 1}, "/custom_fields/a\nb", "invalid_key"),
        ({"a": "x" * 5001}, "/custom_fields/a", "too_long"),
        ({"a": []}, "/custom_fields/a", "wrong_type"),
        ({"a": {"b": 1}}, "/custom_fields/a", "wrong_type"),
        ({f"a{n}": n for n in range(101)}, "/custom_fields", "too_many"),
        ({"a": "\x00"}, "/custom_fields/a", "invalid_text"),
        ({"a": "\ud800"}, "/custom_fields/a", "invalid_text"),
        ({"a": 2**53}, "/custom_fields/a", "number_out_of_range"),
    ],
)
def test_what_is_no_custom_field_is_refused(owner, target, fields, pointer, code):
    refuses(owner, target, "custom_fields", fields, code, pointer)


def test_additional_info_counts_as_one_of_the_custom_fields(owner):
    fields = {f"a{n}": n for n in range(100)}
    answer = owner.post(
        "/contacts", json={"first_name": "Ada", "custom_fields": fields, "additional_info": "x"}
    )
    refused(answer, 422, "invalid_fields", "/custom_fields")
