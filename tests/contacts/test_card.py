"""What is stored of a contact, and what its lists are made of. Pure: no database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactapp.contacts.card import (
    PARTS,
    Meta,
    as_object,
    canonical,
    comparable,
    emails_of,
    hidden,
    merged,
    phones_of,
    told,
)
from contactapp.contacts.entries import ADDRESS, sameness
from contactapp.contacts.numbers import e164_of, numbered
from contactapp.contacts.schemas import ContactInput
from contactapp.contacts.whole import whole
from contactapp.incoming import loaded

META = Meta(1, "7284aa2d-0dff-46b3-acbd-b6b605c0efb8", 1, 1, 0, 0, 1, 1)
SCHEMA = ContactInput()


def entry(value, **members):
    return {"value": value, **members}


def first(value, **members):
    return {"value": value, "primary": True, **members}


A, B, C = "a@x.example", "b@x.example", "c@x.example"
words = st.text("aéB 1", min_size=1, max_size=6).map(str.strip).filter(bool)
labels = st.one_of(st.none(), st.sampled_from(["work", "home"]))


def lists(name, values):
    """Entries as clients send them: at most one of them is marked."""
    one = st.fixed_dictionaries({"value": values}, optional={"label": labels})
    several = st.lists(one, max_size=4, unique_by=lambda e: sameness(name, e))
    return st.tuples(several, st.integers(-1, 3)).map(
        lambda found: [
            {**e, "primary": True} if place == found[1] else e for place, e in enumerate(found[0])
        ]
    )


addresses = st.lists(
    st.fixed_dictionaries(
        {"city": words}, optional={"label": labels, **dict.fromkeys(list(ADDRESS)[:3], words)}
    ),
    max_size=3,
    unique_by=lambda e: sameness("addresses", e),
)
numbers = st.sampled_from(["112", "+49 151 1234567", "0151 7654321", "1-800-FLOWERS"])
bodies = st.fixed_dictionaries(
    {"first_name": words},
    optional={
        "emails": lists("emails", st.sampled_from([A, B, C])),
        "phones": lists("phones", numbers),
        "urls": lists("urls", st.sampled_from(["https://x.example", "x.example", "mailto:a@b"])),
        "addresses": addresses,
        "labels": st.lists(words, max_size=3, unique_by=str.casefold),
        "starred": st.booleans(),
        "custom_fields": st.dictionaries(words, st.sampled_from([0, "", "x", None]), max_size=2),
    },
)


@given(bodies)
def test_a_card_is_made_again_from_what_was_told_of_it_and_of_what_was_shown(body):
    card = whole(numbered(loaded(SCHEMA, body), "DE"), None, {})
    assert canonical(card) == card
    assert canonical(told(card)) == card
    assert canonical(told({**card, "photo": "x", "vcard": ["y"]})) == {
        **card,
        "photo": "x",
        "vcard": ["y"],
    }
    put_back = numbered(loaded(SCHEMA, as_object(META, card)), "DE")
    assert whole(put_back, card, {}) == card


@given(bodies)
def test_a_list_has_one_primary_entry_whose_value_is_the_field_beside_it(body):
    card = whole(loaded(SCHEMA, body), None, {})
    shown = as_object(META, card)
    for name in PARTS:
        assert sum(e["primary"] for e in shown[name]) == bool(shown[name])
        assert len(shown[name]) == len(body.get(name, []))
    for name in ("emails", "phones"):
        marked = [e["value"] for e in shown[name] if e["primary"]]
        assert marked == ([shown[name[:-1]]] if shown[name[:-1]] else [])


@pytest.mark.parametrize(
    ("fields", "card"),
    [
        ({"email": A}, {"email": A}),
        ({"emails": [entry(A)]}, {"email": A}),
        ({"emails": [entry(A, label=None, primary=False)]}, {"email": A}),
        ({"email": B, "emails": []}, {"email": B}),
        (
            {"emails": [entry(A, label="work")]},
            {"email": A, "emails": [first(A, label="work")]},
        ),
        (
            {"emails": [entry(A), entry(B, primary=True)]},
            {"email": B, "emails": [entry(A), first(B)]},
        ),
        ({"phone": "1234", "e164": "+1234"}, {"phone": "1234", "e164": "+1234"}),
        (
            {"phones": [entry("1234", e164="+1234"), entry("5678", e164=None)]},
            {
                "phone": "1234",
                "e164": "+1234",
                "phones": [first("1234", e164="+1234"), entry("5678")],
            },
        ),
        ({"phones": [entry("1234", e164="+1234")]}, {"phone": "1234", "e164": "+1234"}),
        ({"urls": [entry("x")]}, {"urls": [first("x")]}),
        (
            {
                "urls": [],
                "labels": [],
                "addresses": None,
                "custom_fields": {"a": None},
                "title": "",
            },
            {},
        ),
    ],
)
def test_the_shorter_way_to_say_it_is_stored(fields, card):
    assert canonical(fields) == card


def test_what_is_shown_has_every_member():
    card = {"email": A, "phone": "1234", "e164": "+1234"}
    assert emails_of(card) == [{"value": A, "label": None, "primary": True}]
    assert phones_of(card) == [{"value": "1234", "label": None, "e164": "+1234", "primary": True}]
    assert phones_of({"phone": "1234"})[0]["e164"] is None  # stored before there were any


def test_the_log_is_told_lists_where_the_card_has_a_value_alone():
    assert told({"email": A, "phone": "1234", "e164": "+1234"}) == {
        "email": A,
        "emails": [first(A)],
        "phone": "1234",
        "phones": [first("1234", e164="+1234")],
    }


TWO = {"email": A, "emails": [first(A, label="work"), entry(B)]}


@pytest.mark.parametrize(
    ("card", "patch", "now"),
    [
        ({"email": A}, {"email": B}, {"email": B}),
        ({"email": A}, {"email": None}, {}),
        ({}, {"email": B}, {"email": B}),
        (TWO, {"email": C}, {"email": C, "emails": [first(C, label="work"), entry(B)]}),
        (TWO, {"email": None}, {"email": B}),
        (TWO, {"email": B}, {"email": B, "emails": [entry(A, label="work"), first(B)]}),
        (TWO, {"email": "B@x.example"}, {"email": "B@x.example"}),
        (TWO, {"emails": None}, {}),
        (TWO, {"emails": [entry(C)]}, {"email": C}),
        (TWO, {"starred": True}, {**TWO, "starred": True}),
        (
            {"phone": "1234", "e164": "+1234"},
            {"phone": "5678", "e164": "+5678"},
            {"phone": "5678", "e164": "+5678"},
        ),
        ({"phone": "1234", "e164": "+1234"}, {"phone": "5678", "e164": None}, {"phone": "5678"}),
        ({"labels": ["a"]}, {"labels": ["b"]}, {"labels": ["b"]}),
        ({"labels": ["a"]}, {"labels": None}, {}),
    ],
)
def test_a_value_alone_edits_the_primary_entry(card, patch, now):
    if now == {"email": "B@x.example"}:
        now = {**now, "emails": [entry(A, label="work"), first("B@x.example")]}
    assert canonical(merged(card, patch)) == now


def test_what_no_body_holds_is_kept_apart():
    assert hidden({"photo": "x", "vcard": ["y"], "first_name": "z"}) == {
        "photo": "x",
        "vcard": ["y"],
    }


def test_reading_a_number_otherwise_is_no_change():
    two = [first("1234", e164="+1234"), entry("5678")]
    assert comparable({"phone": "1234", "e164": "+1234", "phones": two}) == comparable(
        {"phone": "1234", "phones": [first("1234"), entry("5678", e164="+5678")]}
    )


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("+49 (0)151 / 1234567", None, "+491511234567"),
        ("0049 151 1234567", None, "+491511234567"),
        ("0049 151 1234567", "DE", "+491511234567"),
        ("0151 1234567", "DE", "+491511234567"),
        ("0151 1234567", None, None),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("+٤٩ ١٥١ ١٢٣٤٥٦٧", None, "+491511234567"),
        ("+39 06 1234 5678", None, "+390612345678"),
        ("+1 202 555 0100 ext. 5", None, "+12025550100"),
        ("555 0100", "US", None),  # possible, but only in some town
        ("112", "DE", None),
        ("+49", None, None),
        ("1" * 50, "DE", None),
        ("+999 123456", None, None),
    ],
)
def test_a_number_is_read_as_its_country_writes_it(text, region, e164):
    assert e164_of(text, region) == e164


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("emails", entry("Ada@x.example"), entry("ada@X.example"), True),
        ("phones", entry("+49 (151) 12"), entry("+49-151 12"), True),
        ("phones", entry("+49 151"), entry("49151"), False),
        ("phones", entry("1-800-FLOWERS"), entry("1-800"), False),
        ("urls", entry("https://x.example/A"), entry("https://x.example/a"), False),
        ("addresses", {"city": "Köln"}, {"city": "koln", "label": "home"}, True),
        ("addresses", {"city": "Köln"}, {"city": "Köln", "street": "1"}, False),
    ],
)
def test_what_people_take_for_the_same_is_the_same(name, one, other, same):
    assert (sameness(name, one) == sameness(name, other)) is same
