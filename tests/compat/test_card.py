"""A contact in the earlier systems' one shape: out, edited, and in again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactapp.compat.card import patch_of, shown
from contactapp.compat.schemas import Sent
from contactapp.contacts.card import display_name
from contactapp.errors import InvalidFields
from contactapp.incoming import loaded

SCHEMA = Sent(unknown="exclude")
CARD = {
    "prefix": "Dr",
    "first_name": "Grace",
    "middle_name": "Brewster",
    "last_name": "Hopper",
    "phone": "+1 555 0100",
    "email": "grace@example.com",
    "company": "Navy",
    "birthday": "1906-12-09",
    "custom_fields": {"Nickname": "G", "additional_info": "met in\nLondon"},
}


def edited(card, **sent):
    """The members of the card that a client's edit changes."""
    patch = patch_of(card, loaded(SCHEMA, sent))
    return {key: value for key, value in patch.items() if value != card.get(key)}


def called(card, **sent):
    """What a contact is called after an edit."""
    return display_name({**card, **edited(card, **sent)})


@pytest.mark.parametrize("card", [CARD, {"company": "Acme"}, {"nickname": "Ace"}, {"phone": "112"}])
def test_what_was_got_and_is_sent_back_changes_nothing(card):
    sent = shown(7, card)
    custom = edited(card, **sent).pop("custom_fields", {})
    assert {**card.get("custom_fields", {}), **custom} == card.get("custom_fields", {})
    assert edited(card, **sent).keys() <= {"custom_fields"}


@given(st.text("aé- \u00a0\u2003\u0301\t", min_size=1, max_size=30))
def test_a_name_comes_out_as_it_went_in(name):
    try:
        sent = loaded(SCHEMA, {"name": name})
    except InvalidFields:  # control characters
        return
    if sent["name"]:
        assert called({}, name=name) == called(CARD, name=name) == sent["name"]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Madonna", "Madonna", None),
        ("Mary Ann van Dyke", "Mary Ann van", "Dyke"),
        ("Ada  Lovelace", "Ada  Lovelace", None),
        ("Ada\u00a0Lovelace", "Ada\u00a0Lovelace", None),
    ],
)
def test_a_name_is_split_where_it_can_be_joined_again(name, first, last):
    patch = patch_of({}, {"name": name})
    assert (patch["first_name"], patch["last_name"]) == (first, last)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ({"name": "Ada Lovelace"}, "Ada Lovelace"),
        ({**shown(1, CARD), "name": "Ada Lovelace"}, "Ada Lovelace"),
        ({**shown(1, CARD), "first_name": "Ada"}, "Dr Ada Brewster Hopper"),
        ({"name": "Ada Lovelace", "last_name": "King"}, "Dr Grace Brewster King"),
        ({"name": "Ada", "first_name": None, "last_name": None}, "Ada"),
        ({"name": None}, "Dr Brewster"),
        ({**shown(1, CARD), "name": None}, "Dr Grace Brewster Hopper"),
    ],
)
def test_the_name_that_was_edited_counts(sent, name):
    card = {key: value for key, value in CARD.items() if key not in {"company", "email", "phone"}}
    assert called(card, **{k: v for k, v in sent.items() if "name" in k}) == name


def test_a_company_is_nobodys_first_name():
    assert edited({"company": "Acme"}, name="Acme", company="Apex") == {"company": "Apex"}
    assert edited({"company": "Acme"}, name="Apex", company="Apex") == {"company": "Apex"}
    assert edited({}, name="Apex", company="Apex") == {"company": "Apex"}


@pytest.mark.parametrize("name", ["phone", "phone_number"])
def test_of_two_names_the_edited_one_counts(name):
    assert edited(CARD, **{**shown(1, CARD), name: "112"})["phone"] == "112"
    assert edited(CARD, **{name: None}) == {"phone": None}
    assert edited(CARD, phone="112", phone_number="112") == {"phone": "112"}
    assert edited({}, **{"phone": None, "phone_number": None, name: "112"}) == {"phone": "112"}


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ({"phone": "112", "phone_number": "113"}, ["/phone", "/phone_number"]),
        ({"phone": None, "phone_number": "113"}, ["/phone", "/phone_number"]),
        (
            {"additional_info": "a", "custom_fields": {"additional_info": "b"}},
            ["/additional_info", "/custom_fields"],
        ),
    ],
)
def test_two_different_edits_of_one_value_are_refused(sent, names):
    with pytest.raises(InvalidFields) as raised:
        edited(CARD, **sent)
    assert [error.pointer for error in raised.value.errors] == names
    assert {error.code for error in raised.value.errors} == {"alias_conflict"}


def test_custom_fields_are_sent_whole_and_additional_info_stays():
    assert edited(CARD, custom_fields={"new": 1})["custom_fields"] == {"Nickname": None, "new": 1}
    assert edited(CARD, custom_fields=None)["custom_fields"] == {"Nickname": None}
    assert edited(CARD, additional_info="x")["custom_fields"] == {"additional_info": "x"}
    both = edited(CARD, additional_info=None, custom_fields={"Nickname": "G"})
    assert both["custom_fields"] == {"Nickname": "G", "additional_info": None}
    inside = edited(CARD, custom_fields={"Nickname": "G", "additional_info": "y"})
    assert inside["custom_fields"] == {"Nickname": "G", "additional_info": "y"}


def test_additional_info_is_shown_as_text():
    card = {"phone": "112", "custom_fields": {"additional_info": 5}}
    assert shown(1, card)["additional_info"] == "5"
    assert "custom_fields" not in edited(card, additional_info="5")


def test_what_no_client_knows_is_ignored():
    assert edited(CARD, id=9, _id="x", user_id=3, owner=None, unknown={}) == {}
