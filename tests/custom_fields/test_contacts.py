"""A contact's custom fields fit their definitions, however it is written."""

import pytest

from contactapp.contacts import bulk, service
from tests.custom_fields.conftest import define
from tests.support.cast import refused
from tests.support.stored import book_state

POINTER = "/custom_fields/size"
PLAIN = {"first_name": "Ada", "company": "Navy"}


@pytest.fixture
def ada(owner):
    """A contact with a value that is older than its field's definition and does not fit it."""
    made = owner.contact(**PLAIN, custom_fields={"size": "about 9", "free": "x"})
    define(owner, "size", "number")
    return made


def writes(owner, contact):
    """Every way to give a contact custom fields: `write(values)` does it."""
    path, plain = f"/contacts/{contact['id']}", f"/{{}}contacts/{contact['id']}"
    client = owner.app.test_client()
    bearer = {"Authorization": f"Bearer {owner.access}"}

    def earlier(method, path):
        return lambda values: client.open(
            path, method=method, headers=bearer, json={**PLAIN, "custom_fields": values}
        )

    def native(method, path):
        body = {} if method == "PATCH" else PLAIN
        return lambda values: owner.request(method, path, json={**body, "custom_fields": values})

    return {
        "create": native("POST", "/contacts"),
        "replace": native("PUT", path),
        "patch": native("PATCH", path),
        "earlier create": earlier("POST", "/contacts"),
        "earlier edit": earlier("PUT", plain.format("")),
        "another earlier create": earlier("POST", "/api/contacts"),
        "another earlier edit": earlier("PUT", plain.format("api/")),
    }


WAYS = ("create", "replace", "patch", "earlier create", "earlier edit")
WAYS = (*WAYS, "another earlier create", "another earlier edit")


@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_brought_to_its_form_or_refused(owner, ada, way):
    write = writes(owner, ada)[way]
    state = book_state(owner)
    answer = write({"size": "many", "free": "many"})
    assert answer.status_code == 422, answer.text
    [error] = answer.json["errors"]
    assert (error["pointer"], error["code"]) == (POINTER, "invalid_number")
    assert book_state(owner) == state
    answer = write({"size": " 42 ", "free": " 42 "})
    assert answer.status_code in {200, 201}
    shown = owner.get(f"/contacts/{answer.json['id']}").json["custom_fields"]
    assert shown == {"size": 42, "free": " 42 "}
    assert answer.json["custom_fields"] == shown
    assert owner.get("/contacts?custom.size=42").json["total"] == 1


def test_many_at_once_are_held_against_them_too(owner, ada):
    """Each by itself, and where all or none are to be written, none."""
    wrong, right = ({"first_name": "Bo", "custom_fields": {"size": v}} for v in ("many", " 5 "))
    operations = [
        {"op": "create", "contact": wrong},
        {"op": "create", "contact": right},
        {"op": "update", "id": ada["id"], "contact": wrong},
        {"op": "update", "id": ada["id"], "contact": {"custom_fields": {"size": "6"}}},
    ]
    state = book_state(owner)
    whole = owner.post("/contacts/bulk", json={"operations": operations, "atomic": True})
    problem = refused(whole, 422, "bulk_failed")
    pointers = [error["pointer"] for error in problem["errors"]]
    assert pointers == [f"/operations/{n}/contact{POINTER}" for n in (0, 2)]
    assert book_state(owner) == state
    each = owner.post("/contacts/bulk", json={"operations": operations, "atomic": False}).json
    assert [item["status"] for item in each["items"]] == [422, 201, 422, 200]
    sizes = [each["items"][n]["contact"]["custom_fields"]["size"] for n in (1, 3)]
    assert sizes == [5, 6]
    assert owner.get("/contacts?custom.size_min=5").json["total"] == 2


def test_the_ways_are_all_tried(owner, ada):
    assert set(writes(owner, ada)) == set(WAYS)


def test_an_older_value_stays_until_it_is_changed(owner, ada):
    path = f"/contacts/{ada['id']}"
    assert owner.get(path).json["custom_fields"]["size"] == "about 9"
    old = {"custom_fields": {"size": "about 9"}}
    assert owner.patch(path, json={"company": "Army"}).status_code == 200
    assert owner.patch(path, json={**old, "nickname": "A"}).status_code == 200
    whole = owner.get(path).json
    assert owner.put(path, json={**whole, "title": "Dr"}).status_code == 200
    refused(owner.post("/contacts", json={**PLAIN, **old}), 422, "invalid_fields", POINTER)
    answer = owner.patch(path, json={"custom_fields": {"size": "about 8"}})
    refused(answer, 422, "invalid_fields", POINTER)
    assert owner.patch(path, json={"custom_fields": {"size": 9}}).json["version"] == 5
    refused(owner.patch(path, json=old), 422, "invalid_fields", POINTER)


def test_a_blank_value_is_none_but_of_text(owner):
    define(owner, "size", "number")
    define(owner, "about", "text")
    made = owner.contact(first_name="Ada", custom_fields={"size": " ", "about": "", "free": ""})
    assert made["custom_fields"] == {"about": "", "free": ""}
    assert made["version"] == 1


def test_going_back_to_a_version_is_a_change_like_any(owner, ada):
    path = f"/contacts/{ada['id']}"
    owner.patch(path, json={"custom_fields": {"size": 9}})
    answer = owner.post(f"{path}/revert", json={"version": 1})
    refused(answer, 422, "invalid_fields", POINTER)
    owner.patch(path, json={"custom_fields": {"size": 10}})
    assert owner.post(f"{path}/revert", json={"version": 2}).json["custom_fields"]["size"] == 9


def test_all_that_does_not_fit_is_named_at_once(owner):
    wrong = {"number": "x", "date": "soon", "boolean": 1, "url": "x", "email": "x", "choice": "x"}
    for type_ in wrong:
        define(owner, f"{type_}/~", type_, choices=["S"] if type_ == "choice" else None)
    values = {f"{type_}/~": value for type_, value in wrong.items()}
    answer = owner.post("/contacts", json={"first_name": "Ada", "custom_fields": values})
    errors = {e["pointer"]: e["code"] for e in refused(answer, 422, "invalid_fields")["errors"]}
    assert errors == {
        "/custom_fields/number~1~0": "invalid_number",
        "/custom_fields/date~1~0": "invalid_date",
        "/custom_fields/boolean~1~0": "invalid_boolean",
        "/custom_fields/url~1~0": "invalid_url",
        "/custom_fields/email~1~0": "invalid_email",
        "/custom_fields/choice~1~0": "not_a_choice",
    }


def test_additional_info_is_a_custom_field_as_any(owner):
    define(owner, "additional_info", "email")
    body = {"first_name": "Ada", "additional_info": "none"}
    refused(owner.post("/contacts", json=body), 422, "invalid_fields")
    made = owner.contact(**{**body, "additional_info": " a@b "})
    assert made["custom_fields"] == {"additional_info": "a@b"}


def test_who_defines_a_field_while_a_contact_is_made_is_heard(owner, monkeypatch):
    """The contact was checked before its write had the book's lock."""
    insert = service._insert

    def define_first(*args):
        monkeypatch.setattr(service, "_insert", insert)
        define(owner, "size", "number")
        return insert(*args)

    monkeypatch.setattr(service, "_insert", define_first)
    body = {"first_name": "Ada", "custom_fields": {"size": "many"}}
    refused(owner.post("/contacts", json=body), 422, "invalid_fields", POINTER)
    owner.delete("/custom-fields/size")
    monkeypatch.setattr(service, "_insert", define_first)
    answer = owner.post("/contacts", json={**body, "custom_fields": {"size": "5"}})
    assert answer.json["custom_fields"] == {"size": 5}
    assert owner.get(f"/contacts/{answer.json['id']}").json["custom_fields"] == {"size": 5}


def test_who_defines_a_field_while_many_are_made_is_heard(owner, monkeypatch):
    run = bulk._run

    def define_first(*args, **kwargs):
        monkeypatch.setattr(bulk, "_run", run)
        define(owner, "size", "number")
        return run(*args, **kwargs)

    monkeypatch.setattr(bulk, "_run", define_first)
    contacts = [{"first_name": "Ada", "custom_fields": {"size": v}} for v in ("many", "5")]
    body = {"operations": [{"op": "create", "contact": contact} for contact in contacts]}
    answer = owner.post("/contacts/bulk", json={**body, "atomic": False}).json
    assert [item["status"] for item in answer["items"]] == [422, 201]
    assert answer["items"][1]["contact"]["custom_fields"] == {"size": 5}
