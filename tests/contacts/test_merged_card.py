"""The card that several contacts become."""

import pytest

from contactapp.contacts.entries import entries_of
from contactapp.contacts.merging import merged
from contactapp.errors import InvalidFields

ADA = {"first_name": "Ada", "last_name": "Lovelace"}
HOME, WORK = {"value": "a@x", "label": "home"}, {"value": "b@x", "label": "work"}
FIRST = {"primary": True}

# The survivor, the source, and what the survivor has then.
TABLE = {
    "what is empty is filled": (ADA, {**ADA, "birthday": "1815-12-10"}, {"birthday": "1815-12-10"}),
    "the survivor wins": (
        {**ADA, "company": "Acme"},
        {**ADA, "company": "Zeta"},
        {"company": "Acme"},
    ),
    "half a name is filled by who agrees": ({"first_name": "Ada"}, ADA, {"last_name": "Lovelace"}),
    "case and accents agree": (
        {"first_name": "ádá"},
        ADA,
        {"first_name": "ádá", "last_name": "Lovelace"},
    ),
    "another one's name is not": (
        {"first_name": "Ada"},
        {"first_name": "Bob", "last_name": "Smith", "prefix": "Dr"},
        {"last_name": None, "prefix": None},
    ),
    "a title of the same job": (
        {**ADA, "company": "Acme"},
        {"company": "ACME", "title": "CEO"},
        {"title": "CEO"},
    ),
    "a title of another job is not": (
        {**ADA, "company": "Acme"},
        {"company": "Zeta", "title": "CEO"},
        {"title": None},
    ),
    "a star is kept": (ADA, {**ADA, "starred": True}, {"starred": True}),
    "the first picture": ({**ADA, "photo": "p1"}, {**ADA, "photo": "p2"}, {"photo": "p1"}),
    "a picture where there is none": (ADA, {**ADA, "photo": "p2"}, {"photo": "p2"}),
    "what no field holds": (ADA, {**ADA, "vcard": ["X-A:1"]}, {"vcard": ["X-A:1"]}),
    "labels once": (
        {**ADA, "labels": ["Friends"]},
        {"labels": ["friends", "Work"]},
        {"labels": ["Friends", "Work"]},
    ),
    "custom fields, the survivor's first": (
        {**ADA, "custom_fields": {"a": 1}},
        {"custom_fields": {"a": 2, "b": 3}},
        {"custom_fields": {"a": 1, "b": 3}},
    ),
    "one address is short": (
        {**ADA, "email": "a@x"},
        {"email": "A@X"},
        {"email": "a@x", "emails": None},
    ),
    "a label is filled": (
        {**ADA, "email": "A@x"},
        {"email": "a@x", "emails": [{**HOME, **FIRST}]},
        {"emails": [{"value": "A@x", "label": "home", **FIRST}]},
    ),
    "addresses are united": (
        {**ADA, "email": "a@x", "emails": [{**HOME, **FIRST}]},
        {"email": "b@x", "emails": [{**WORK, **FIRST}]},
        {"email": "a@x", "emails": [{**HOME, **FIRST}, WORK]},
    ),
    "the source's where there is none": (
        ADA,
        {"email": "b@x", "emails": [HOME, {**WORK, **FIRST}]},
        {"email": "b@x", "emails": [HOME, {**WORK, **FIRST}]},
    ),
    "a number written otherwise": (
        {**ADA, "phone": "0151 2345678"},
        {"phone": "+49 (151) 234-5678", "e164": "+491512345678"},
        {"phone": "0151 2345678", "phones": None, "e164": "+491512345678"},
    ),
    "numbers of two countries": (
        {**ADA, "phone": "+49 151 2345678"},
        {"phone": "+43 151 2345678"},
        {"phones": [{"value": "+49 151 2345678", **FIRST}, {"value": "+43 151 2345678"}]},
    ),
    "an extension is another number": (
        {**ADA, "phone": "0151 2345678"},
        {"phone": "0151 2345678 ext. 9", "e164": "+491512345678"},
        {
            "phones": [
                {"value": "0151 2345678", **FIRST},
                {"value": "0151 2345678 ext. 9", "e164": "+491512345678"},
            ]
        },
    ),
    "numbers told by letters": (
        {**ADA, "phone": "0800 FLOWERS"},
        {"phone": "0800 COMPANY"},
        {"phones": [{"value": "0800 FLOWERS", **FIRST}, {"value": "0800 COMPANY"}]},
    ),
    "another primary one of the same": (
        {**ADA, "email": "b@x", "emails": [{"value": "a@x"}, {"value": "b@x", **FIRST}]},
        {"email": "a@x"},
        {"email": "b@x", "emails": [{"value": "a@x"}, {"value": "b@x", **FIRST}]},
    ),
    "links differ in case": (
        {**ADA, "urls": [{"value": "https://x/a", **FIRST}]},
        {"urls": [{"value": "https://x/A", **FIRST}]},
        {"urls": [{"value": "https://x/a", **FIRST}, {"value": "https://x/A"}]},
    ),
    "places": (
        {**ADA, "addresses": [{"city": "Berlin", **FIRST}]},
        {"addresses": [{"city": "BERLIN", **FIRST}, {"city": "Ulm"}]},
        {"addresses": [{"city": "Berlin", **FIRST}, {"city": "Ulm"}]},
    ),
}


@pytest.mark.parametrize(("survivor", "source", "expected"), TABLE.values(), ids=TABLE)
def test_the_survivor_gets_what_it_has_not(survivor, source, expected):
    card = merged({1: survivor, 2: source}, {})
    assert {field: card.get(field) for field in expected} == expected


def test_sources_fill_in_the_order_in_which_they_are_given():
    cards = {1: ADA, 7: {"birthday": "1990"}, 3: {"birthday": "1991", "nickname": "Al"}}
    card = merged(cards, {})
    assert (card["birthday"], card["nickname"]) == ("1990", "Al")


def test_the_cards_themselves_are_not_changed():
    survivor = {**ADA, "email": "a@x", "emails": [{**HOME, **FIRST}], "custom_fields": {"a": 1}}
    source = {"email": "a@x", "custom_fields": {"b": 1}, "labels": ["x"]}
    before = repr((survivor, source))
    merged({1: survivor, 2: source}, {"custom_fields.b": 1, "email": 2})
    assert repr((survivor, source)) == before


def test_merging_with_itself_changes_nothing():
    for survivor, source, _ in TABLE.values():
        once = merged({1: survivor, 2: source}, {})
        assert merged({1: once, 2: source, 3: survivor, 4: once}, {}) == once


BOB = {"first_name": "Bob", "email": "b@x", "custom_fields": {"size": 2}, "starred": True}
# What is chosen, and what the survivor has then.
CHOICES = {
    "another name": ({"first_name": 2}, {"first_name": "Bob", "last_name": "Lovelace"}),
    "an empty one": ({"last_name": 2}, {"last_name": None, "first_name": "Ada"}),
    "what the survivor has not": ({"starred": 1}, {"starred": None}),
    "another primary address": (
        {"email": 2},
        {"email": "b@x", "emails": [{"value": "a@x"}, {"value": "b@x", **FIRST}]},
    ),
    "a custom field": ({"custom_fields.size": 2}, {"custom_fields": {"size": 2}}),
    "a custom field of the survivor": ({"custom_fields.size": 1}, {"custom_fields": {"size": 1}}),
}


@pytest.mark.parametrize(("choose", "expected"), CHOICES.values(), ids=CHOICES)
def test_a_field_can_be_taken_from_another_contact(choose, expected):
    survivor = {**ADA, "email": "a@x", "custom_fields": {"size": 1}}
    card = merged({1: survivor, 2: BOB}, choose)
    assert {field: card.get(field) for field in expected} == expected


def test_a_chosen_number_may_be_written_otherwise_by_the_survivor():
    survivor = {"phone": "0151 2345678", "phones": [{"value": "0123 4567890", **FIRST}]}
    survivor["phones"].append({"value": "0151 2345678"})
    card = merged({1: survivor, 2: {"phone": "+49 151 2345678"}}, {"phone": 2})
    assert card["phone"] == "0151 2345678"
    assert [entry["value"] for entry in entries_of(card, "phones")] == [
        "0123 4567890",
        "0151 2345678",
    ]


# Numbers whose text has digits that are not dialled from abroad.
TRUNK = {
    "0": ("+49 0151 2345678", "+491512345678"),
    "8": ("8 (495) 123-45-67", "+74951234567"),
}


@pytest.mark.parametrize(("text", "e164"), TRUNK.values(), ids=TRUNK)
def test_a_number_can_be_chosen_however_its_country_writes_it(text, e164):
    cards = {1: {**ADA, "phone": "+1 201 555 0123"}, 2: {**ADA, "phone": text, "e164": e164}}
    card = merged(cards, {"phone": 2})
    assert (card["phone"], card["e164"]) == (text, e164)
    assert [entry["value"] for entry in card["phones"]] == ["+1 201 555 0123", text]


WRONG = {
    "a stranger's": ({"first_name": 9}, "/choose/first_name", "invalid_choice"),
    "a list": ({"emails": 2}, "/choose/emails", "unknown_field"),
    "what is never shown": ({"vcard": 2}, "/choose/vcard", "unknown_field"),
    "no address": ({"phone": 2}, "/choose/phone", "invalid_choice"),
    "a key with marks": ({"custom_fields.a/~": 9}, "/choose/custom_fields.a~1~0", "invalid_choice"),
}


@pytest.mark.parametrize(("choose", "pointer", "code"), WRONG.values(), ids=WRONG)
def test_a_choice_that_cannot_be_is_named(choose, pointer, code):
    with pytest.raises(InvalidFields) as refused:
        merged({1: ADA, 2: BOB}, choose)
    assert [error[:2] for error in refused.value.errors] == [(pointer, code)]


def many(count, name):
    entries = [{"value": f"{name}{n}@x"} for n in range(count)]
    return {"emails": [{**entries[0], **FIRST}, *entries[1:]], "email": f"{name}0@x"}


TOO_MANY = {
    "/emails": [many(10, "a"), many(11, "b")],
    "/labels": [{"labels": [f"a{n}" for n in range(26)]}, {"labels": [f"b{n}" for n in range(25)]}],
    "/custom_fields": [
        {"custom_fields": {f"{name}{n}": 1 for n in range(51)}} for name in ("a", "b")
    ],
}


@pytest.mark.parametrize(("pointer", "cards"), TOO_MANY.items(), ids=TOO_MANY)
def test_what_is_more_than_a_card_holds_is_named(pointer, cards):
    with pytest.raises(InvalidFields) as refused:
        merged({1: {**ADA, **cards[0]}, 2: cards[1]}, {})
    assert [error[:2] for error in refused.value.errors] == [(pointer, "too_many")]


def test_a_choice_that_leaves_no_name_is_refused():
    with pytest.raises(InvalidFields) as refused:
        merged({1: {"first_name": "Ada"}, 2: {"company": "Acme"}}, {"first_name": 2, "company": 1})
    assert [error.code for error in refused.value.errors] == ["required"]
