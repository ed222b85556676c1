"""Lists of a contact that are refused: which entry is wrong, and how, on POST, PUT and PATCH alike.

What is wrong with them is the same on either engine, so it is told on one.
"""

import time

import pytest

from tests.support.cast import refused
from tests.support.stored import book_state, contact_row

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
