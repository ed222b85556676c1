"""Every name under which a note's text and its contact may come."""

import pytest

from contactapp.notes.aliases import ALIASES, AliasConflict, resolved
from tests.support.cast import refused

BODY = "body content text message note notes description note_body note_text note_content"
BODY = [*BODY.split(), "note_message", "note_description"]
CONTACT = ["contact_id", "contact", "person_id"]


def spellings(name):
    words = name.split("_")
    camel = words[0] + "".join(map(str.capitalize, words[1:]))
    pascal = "".join(map(str.capitalize, words))
    return {
        name,
        name.upper(),
        camel,
        pascal,
        "-".join(words),
        "-".join(words).upper(),
        " ".join(words),
    }


SPELLED = sorted({(spelling, name) for name in BODY for spelling in spellings(name)})
ABOUT = sorted({(spelling, name) for name in CONTACT for spelling in spellings(name)})


def test_the_table_names_what_the_contract_names():
    assert [*ALIASES["body"]] == BODY
    assert [*ALIASES["contact_id"]] == CONTACT
    assert {"noteBody", "NOTE-TEXT"} <= {spelling for spelling, _ in SPELLED}
    assert {"contactId", "personId"} <= {spelling for spelling, _ in ABOUT}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_text_is_taken_under_every_name(owner, made, method):
    path = "/notes" if method == "POST" else f"/notes/{made['id']}"
    about = {"contact_id": made["contact_id"]} if method == "POST" else {}
    for spelling, _ in SPELLED:
        text = f"{method} by {spelling}"
        answer = owner.request(method, path, json={spelling: text, **about})
        assert answer.status_code in {200, 201}, answer.text
        assert answer.json["body"] == text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_contact_is_taken_under_every_name(owner, made, others, method):
    path = "/notes" if method == "POST" else f"/notes/{made['id']}"
    body = {} if method == "PATCH" else {"body": "moved"}
    for number, (spelling, _) in enumerate(ABOUT):
        about = others[number % 2]
        answer = owner.request(method, path, json={spelling: about, **body})
        assert answer.status_code in {200, 201}, answer.text
        assert answer.json["contact_id"] == about


@pytest.fixture(scope="module")
def others(owner):
    return [owner.contact(nickname=f"other {number}")["id"] for number in range(2)]


@pytest.fixture(scope="module")
def made(owner):
    about = owner.contact(nickname="about")["id"]
    return owner.post("/notes", json={"contact_id": about, "body": "a text"}).json


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_two_names_with_different_values_are_422_naming_both(owner, made, method):
    path = "/notes" if method == "POST" else f"/notes/{made['id']}"
    before = owner.get(f"/notes/{made['id']}").json
    about = {"contact_id": before["contact_id"]}
    answer = owner.request(method, path, json={"noteBody": "one", "NOTE-TEXT": "two", **about})
    refused(answer, 422, "invalid_fields")
    for name, other in (("noteBody", "NOTE-TEXT"), ("NOTE-TEXT", "noteBody")):
        [error] = [e for e in answer.json["errors"] if e["pointer"] == f"/{name}"]
        assert error["code"] == "alias_conflict"
        assert other in error["detail"]
    clash = {"personId": before["contact_id"], "contact": 1 + before["contact_id"]}
    answer = owner.request(method, path, json={"body": "one", **clash})
    assert {e["pointer"] for e in answer.json["errors"]} == {"/personId", "/contact"}
    assert owner.get(f"/notes/{made['id']}").json == before


def test_the_same_value_twice_is_no_conflict(owner, made):
    about = made["contact_id"]
    body = {"text": "same", "Body": "same", "contactId": about, "person-id": about}
    assert owner.post("/notes", json=body).json["body"] == "same"


def test_one_true_and_1_are_three_values():
    for one, other in ((1, True), (1, 1.0), (0, False), ("1", 1)):
        with pytest.raises(AliasConflict):
            resolved({"contact": one, "person_id": other})


def test_the_path_and_the_body_may_not_name_two_contacts(owner, made, others):
    path = f"/contacts/{made['contact_id']}/notes"
    answer = owner.post(path, json={"body": "x", "person_id": others[0]})
    if made["contact_id"] != others[0]:
        refused(answer, 422, "invalid_fields", "/contact_id")
    assert owner.post(path, json={"body": "x", "contact": made["contact_id"]}).status_code == 201


@pytest.mark.parametrize("name", ["bodies", "notebodies", "contacts", "title", "b0dy", "", "ｂody"])
def test_any_other_name_is_422(owner, made, name):
    body = {"body": "x", "contact_id": made["contact_id"], name: "x"}
    answer = owner.post("/notes", json=body)
    if name == "ｂody":  # full width letters are other letters
        assert answer.status_code == 422
    refused(answer, 422, "invalid_fields", f"/{name}")
