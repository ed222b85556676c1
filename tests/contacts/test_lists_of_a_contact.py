"""The e-mail addresses, numbers, links, postal addresses and labels of a contact, over HTTP.

What is stored of them is the same on either engine, so it is looked at on one.
"""

import time

import pytest
from hypothesis import HealthCheck, given, settings

from tests.changes.test_change_log import log_of
from tests.contacts.test_card import bodies
from tests.support.cast import refused
from tests.support.stored import book_state, contact_row

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
VALUE = {"emails": "a@b.example", "phones": "112", "urls": "x.example"}


@pytest.fixture(scope="module")
def app(new_app):
    return new_app("sqlite", PHONE_REGION="DE")


@pytest.fixture(scope="module")
def target(owner):
    """A contact that every refused write is tried on."""
    return owner.contact(first_name="Ada", email="ada@x.example", labels=["kept"])


def entry(name, number=0, **members):
    """An entry that fits a list."""
    if name == "addresses":
        return {"city": f"City {number}", **members}
    return {"value": f"{number}{VALUE[name]}", **members}


def errors_of(owner, target, fields):
    """What is wrong with the fields, the same on POST, PUT and PATCH, of which none writes."""
    state, row = book_state(owner), contact_row(owner.app, target["id"])
    path, found = f"/contacts/{target['id']}", []
    for method, where in (("POST", "/contacts"), ("PUT", path), ("PATCH", path)):
        answer = owner.request(method, where, json={"first_name": "Ada", **fields})
        errors = refused(answer, 422, "invalid_fields")["errors"]
        found.append({error["pointer"]: error["code"] for error in errors})
    assert (book_state(owner), contact_row(owner.app, target["id"])) == (state, row)
    assert found[0] == found[1] == found[2]
    return found[0]


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


@pytest.mark.parametrize("name", ["emails", "phones"])
def test_a_field_and_a_list_that_differ_are_422_naming_both(owner, target, name):
    scalar, one = name[:-1], entry(name)
    clash = {f"/{scalar}": "alias_conflict", f"/{name}": "alias_conflict"}
    for fields in (
        {scalar: entry(name, 1)["value"], name: [one]},
        {scalar: None, name: [one]},
        {scalar: one["value"], name: []},
        {scalar: one["value"], name: [one, entry(name, 2, primary=True)]},
    ):
        assert errors_of(owner, target, fields) == clash
    same = owner.contact(**{scalar: one["value"], name: [one]})
    assert same[scalar] == one["value"]


@pytest.mark.parametrize("name", NAMES)
def test_twenty_entries_and_not_one_more(owner, target, name):
    many = [entry(name, n) for n in range(21)]
    assert len(owner.contact(first_name="Ada", **{name: many[:20]})[name]) == 20
    assert errors_of(owner, target, {name: many}) == {f"/{name}": "too_many"}


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_entry_is_named_by_its_place(owner, target, name):
    good = entry(name)
    value = "city" if name == "addresses" else "value"
    for fields, errors in [
        ("x", {"": "wrong_type"}),
        ({}, {"": "wrong_type"}),
        ([good, "x"], {"/1": "wrong_type"}),
        ([None], {"/0": "null"}),
        ([good, {**good, "foo": 1}], {"/1/foo": "unknown_field"}),
        ([{**good, "owner_id": 2}], {"/0/owner_id": "unknown_field"}),
        ([{**good, value: 5}], {f"/0/{value}": "wrong_type"}),
        ([{**good, value: "a\nb"}], {f"/0/{value}": "invalid_text"}),
        ([{**good, "label": "x" * 65}], {"/0/label": "too_long"}),
        ([{**good, "label": ["x"]}], {"/0/label": "wrong_type"}),
        ([{**good, "primary": "yes"}], {"/0/primary": "wrong_type"}),
        ([good, {**good, "label": "again"}], {"/1": "duplicate"}),
        (
            [{**entry(name, n), "primary": n > 0} for n in range(3)],
            {"/1/primary": "several_primary", "/2/primary": "several_primary"},
        ),
    ]:  # fmt: skip
        expected = {f"/{name}{place}": code for place, code in errors.items()}
        assert errors_of(owner, target, {name: fields}) == expected, fields


@pytest.mark.parametrize(
    ("name", "one", "pointer", "code"),
    [
        ("emails", {"value": "nobody"}, "value", "invalid_email"),
        ("emails", {"value": None}, "value", "null"),
        ("emails", {"value": "  "}, "value", "required"),
        ("emails", {"label": "work"}, "value", "required"),
        ("emails", {"value": "a@b", "e164": None}, "e164", "unknown_field"),
        ("phones", {"value": "12"}, "value", "invalid_phone"),
        ("phones", {"value": "1" * 51}, "value", "too_long"),
        ("urls", {"value": "a b"}, "value", "invalid_url"),
        ("urls", {"value": "JavaScript:alert(1)"}, "value", "invalid_url"),
        ("urls", {"value": "data:text/html,x"}, "value", "invalid_url"),
        ("urls", {"value": "x" * 2001}, "value", "too_long"),
        ("addresses", {"label": "home"}, "", "required"),
        ("addresses", {"city": " ", "street": None}, "", "required"),
        ("addresses", {"postal_code": "1" * 51}, "postal_code", "too_long"),
        ("addresses", {"city": "a", "value": "b"}, "value", "unknown_field"),
    ],
)
def test_what_does_not_fit_is_refused(owner, target, name, one, pointer, code):
    place = f"/{name}/0/{pointer}".removesuffix("/")
    assert errors_of(owner, target, {name: [one]}) == {place: code}


@pytest.mark.parametrize(
    "value",
    ["https://x.example/?q=ä#f", "www.x.example", "mailto:a@b", "x.example:8080/a", "tel:1"],
)
def test_a_link_is_kept_as_it_was_written(owner, value):
    made = owner.contact(first_name="Ada", urls=[{"value": f" {value} "}])
    assert made["urls"] == [{"value": value, "label": None, "primary": True}]


@pytest.mark.parametrize(
    ("labels", "errors"),
    [
        (["a", "A"], {"/1": "duplicate"}),
        (["café", "x", "CAFE"], {"/2": "duplicate"}),
        (["a", " "], {"/1": "required"}),
        ([None], {"/0": "null"}),
        (["x" * 65], {"/0": "too_long"}),
        (["a\nb"], {"/0": "invalid_text"}),
        ([1], {"/0": "wrong_type"}),
        ("a", {"": "wrong_type"}),
        ([str(n) for n in range(51)], {"": "too_many"}),
    ],
)
def test_what_is_no_list_of_labels_is_refused(owner, target, labels, errors):
    expected = {f"/labels{place}": code for place, code in errors.items()}
    assert errors_of(owner, target, {"labels": labels}) == expected


def test_labels_are_trimmed_and_composed_and_keep_their_order(owner):
    made = owner.contact(first_name="Ada", labels=[" z ", "Cafe\u0301", "a" * 64])
    assert made["labels"] == ["z", "Café", "a" * 64]


# AZ-4
def test_members_that_are_read_only_are_ignored(owner):
    made = owner.contact(phones=[{"value": "0151 1234567", "e164": "+1900"}])
    assert made["phones"][0]["e164"] == "+491511234567"
    refused(
        owner.post("/contacts", json={"phone": "112", "e164": "+112"}),
        422,
        "invalid_fields",
        "/e164",
    )
    for name in ("photo", "vcard"):
        body = {"phone": "112", name: "x"}
        refused(owner.post("/contacts", json=body), 422, "invalid_fields", f"/{name}")


# IV-1
@pytest.mark.parametrize("text", ["\x00", "\ud800"])
@pytest.mark.parametrize("name", [*NAMES, "labels"])
def test_nul_and_halves_of_characters_are_refused(owner, target, name, text):
    if name == "labels":
        assert errors_of(owner, target, {name: [text]})
        return
    for member in ("label", "street" if name == "addresses" else "value"):
        assert errors_of(owner, target, {name: [{**entry(name), member: text}]})


# IV-4
@pytest.mark.parametrize("name", [*NAMES, "labels"])
def test_a_hundred_thousand_items_are_refused_before_they_are_looked_at(owner, name):
    state, start = book_state(owner), time.process_time()
    body = b'{"first_name":"Ada","%b":[%b0]}' % (name.encode(), b"0," * 100_000)
    answer = owner.post("/contacts", data=body, content_type="application/json")
    assert time.process_time() - start < 1
    assert refused(answer, 422, "invalid_fields", f"/{name}")["errors"][0]["code"] == "too_many"
    assert book_state(owner) == state


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
