"""The e-mail addresses, numbers, links, postal addresses and labels of a contact, over HTTP.

What is stored of them is the same on either engine, so it is looked at on one.
"""

import pytest
from hypothesis import HealthCheck, given, settings

from contactapp.actor import Actor
from contactapp.books.service import book_at
from contactapp.contacts import service
from tests.changes.test_change_log import log_of
from tests.contacts.test_card import bodies
from tests.support.cast import refused
from tests.support.stored import book_state

FULL = {
    "first_name": "Grace",
    "emails": [
        {"value": "grace@navy.example", "label": "work", "primary": False},
        {"value": "grace@home.example", "label": None, "primary": True},
    ],
    "phones": [
        {"value": "0151 1234567", "label": "mobile", "primary": True, "e164": "+491511234567"},
        {"value": "112", "label": None, "primary": False, "e164": None},
    ],
    "urls": [{"value": "https://navy.example/~grace", "label": "blog", "primary": True}],
    "addresses": [
        {
            "street": "1 Navy Yard\nDock 3",
            "extended": "Floor 2",
            "po_box": "PO 5",
            "city": "Washington",
            "region": "DC",
            "postal_code": "20374",
            "country": "USA",
            "label": "work",
            "primary": True,
        }
    ],
    "labels": ["Navy", "friends"],
}
NAMES = ("emails", "phones", "urls", "addresses")


@pytest.fixture(scope="module")
def app(new_app):
    return new_app("sqlite", PHONE_REGION="DE")


def test_what_is_sent_is_shown_and_the_primary_values_are_fields_of_their_own(owner):
    made = owner.contact(**FULL)
    assert {key: made[key] for key in FULL} == FULL
    assert (made["email"], made["phone"]) == ("grace@home.example", "0151 1234567")
    assert owner.get(f"/contacts/{made['id']}").json == made
    query = "fields=id,emails,phones,urls,addresses,labels"
    picked = next(c for c in owner.get(f"/contacts?{query}").json["items"] if c["id"] == made["id"])
    assert picked == {key: made[key] for key in ("id", *NAMES, "labels")}


@given(body=bodies)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_was_got_is_put_back_and_changes_nothing(owner, body):
    made = owner.contact(**body)
    path, state = f"/contacts/{made['id']}", book_state(owner)
    assert owner.put(path, json=owner.get(path).json).json == made
    assert owner.patch(path, json=made).json == made
    assert book_state(owner) == state


def test_a_value_alone_is_the_only_entry_on_put_and_edits_the_primary_one_on_patch(owner):
    path = f"/contacts/{owner.contact(**FULL)['id']}"
    now = owner.patch(path, json={"phone": "0049 30 123456", "email": None}).json
    assert [(e["value"], e["label"], e["e164"]) for e in now["phones"]] == [
        ("0049 30 123456", "mobile", "+4930123456"),
        ("112", None, None),
    ]
    assert now["emails"] == [{**FULL["emails"][0], "primary": True}]
    assert (now["phone"], now["email"]) == ("0049 30 123456", "grace@navy.example")
    now = owner.put(path, json={"phone": "030 123456"}).json
    assert [(e["value"], e["label"], e["e164"]) for e in now["phones"]] == [
        ("030 123456", None, "+4930123456")
    ]
    assert not any(now[name] for name in (*NAMES, "labels") if name != "phones")


def test_null_clears_a_list_and_absent_leaves_the_others(owner):
    made = owner.contact(**FULL)
    path = f"/contacts/{made['id']}"
    for name in (*NAMES, "labels"):
        now = owner.patch(path, json={name: None}).json
        beside = {"emails": {"email"}, "phones": {"phone"}}.get(name, set())
        changed = {key for key in made if made[key] != now[key]} - {"version", "updated_at"}
        assert (now[name], changed) == ([], {name} | beside)
        made = now


@pytest.mark.parametrize(
    "value",
    ["https://x.example/?q=ä#f", "www.x.example", "mailto:a@b", "x.example:8080/a", "tel:1"],
)
def test_a_link_is_kept_as_it_was_written(owner, value):
    made = owner.contact(first_name="Ada", urls=[{"value": f" {value} "}])
    assert made["urls"] == [{"value": value, "label": None, "primary": True}]


def test_labels_are_trimmed_and_composed_and_keep_their_order(owner):
    made = owner.contact(first_name="Ada", labels=[" z ", "Cafe\u0301", "a" * 64])
    assert made["labels"] == ["z", "Café", "a" * 64]


# AZ-4
def test_members_that_are_read_only_are_ignored(owner):
    made = owner.contact(phones=[{"value": "0151 1234567", "e164": "+1900"}])
    assert made["phones"][0]["e164"] == "+491511234567"
    for name in ("e164", "photo", "vcard"):
        answer = owner.post("/contacts", json={"phone": "112", name: "x"})
        refused(answer, 422, "invalid_fields", f"/{name}")


def test_what_no_body_holds_stays_when_a_contact_is_replaced(owner):
    """As a picture does, and what an import had no field for."""
    made = owner.contact()
    with owner.app.app_context():
        actor = Actor(owner.id, 0, "user", 0, "test", book_at(owner.book_id))
        service.patch_contact(actor, actor.book, made["id"], {"vcard": ["X-A:1"]}, None)
    path = f"/contacts/{made['id']}"
    owner.put(path, json={"first_name": "Ada"})
    owner.patch(path, json={"company": "Acme"})
    fields = {"first_name": "Ada", "company": "Acme"}
    assert log_of(owner)[-1]["after"] == {**fields, "vcard": ["X-A:1"]}
    assert "vcard" not in owner.get(path).json


# IV-7
@pytest.mark.parametrize("text", ["' OR 1=1 --", "{{7*7}}", "${7*7}", "<script>alert(1)</script>"])
def test_what_looks_like_code_is_text(owner, text):
    made = owner.contact(
        first_name=text, labels=[text], addresses=[{"street": text, "label": text}]
    )
    assert (made["labels"], made["addresses"][0]["street"]) == ([text], text)
    assert owner.get(f"/contacts/{made['id']}").json == made


def test_the_log_tells_lists_and_names_the_field_and_the_list(owner):
    made = owner.contact(first_name="Ada", email="a@b.example")
    owner.patch(f"/contacts/{made['id']}", json={"email": "c@d.example", "phone": "0151 1234567"})
    last = log_of(owner)[-1]
    assert last["changed_fields"] == "email emails phone phones"
    assert last["before"]["emails"] == [{"value": "a@b.example", "primary": True}]
    phone = {"value": "0151 1234567", "e164": "+491511234567", "primary": True}
    assert last["after"]["phones"] == [phone]
    [newest, *_] = owner.get(f"/contacts/{made['id']}/history").json["items"]
    assert newest["changes"]["phones"] == {"before": None, "after": [phone]}


def test_an_earlier_version_brings_its_lists_back(owner):
    made = owner.contact(**FULL)
    path = f"/contacts/{made['id']}"
    assert owner.put(path, json={"first_name": "Grace"}).json["emails"] == []
    now = owner.post(f"{path}/revert", json={"version": 1}).json
    assert {key: now[key] for key in FULL} == FULL


def test_an_earlier_systems_client_edits_the_primary_ones(owner):
    made = owner.contact(**FULL)
    client = owner.app.test_client()
    headers = {"Authorization": f"Bearer {owner.access}"}
    path = f"/contacts/{made['id']}"
    got = client.get(path, headers=headers).json
    assert (got["email"], got["phone_number"]) == ("grace@home.example", "0151 1234567")
    assert client.put(path, headers=headers, json=got).status_code == 200
    assert owner.get(path).json == made
    client.put(path, headers=headers, json={**got, "phone_number": "0152 7654321"})
    now = owner.get(path).json
    assert now["phones"][0] == {
        **FULL["phones"][0],
        "value": "0152 7654321",
        "e164": "+491527654321",
    }
    assert (now["phones"][1], now["emails"]) == (FULL["phones"][1], FULL["emails"])
