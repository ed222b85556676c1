"""What notes mention is offered on the contact, and taken over by one call."""

import pytest

from contactapp.notes import suggestions
from tests.changes.test_change_log import log_of
from tests.notes.conftest import work
from tests.support.cast import refused
from tests.support.stored import book_state


def suggested(person, contact):
    answer = person.get(f"/contacts/{contact['id']}/suggestions")
    assert answer.status_code == 200, answer.text
    return answer.json["items"]


def accept(person, contact, *ids, **kwargs):
    path = f"/contacts/{contact['id']}/suggestions/accept"
    return person.post(path, json={"ids": ids}, **kwargs)


@pytest.fixture
def mentioned(owner, contact, note):
    """A note that mentions one of each, read by the worker."""
    made = note("Reach her: +49 151 1234567, ada@x.example, https://x.example/ada, @her")
    work(owner.app)
    return made


def test_a_number_in_a_note_becomes_the_contacts(owner, contact, mentioned):
    offered = suggested(owner, contact)
    assert [(s["kind"], s["field"], s["value"]) for s in offered] == [
        ("email", "email", "ada@x.example"),
        ("phone", "phone", "+49 151 1234567"),
        ("url", "urls", "https://x.example/ada"),
    ]
    assert {tuple(s["note_ids"]) for s in offered} == {(mentioned["id"],)}
    answer = accept(owner, contact, offered[1]["id"])
    assert (answer.status_code, answer.json["phone"]) == (200, "+49 151 1234567")
    assert owner.get(f"/contacts/{contact['id']}").json == answer.json
    assert answer.headers["ETag"] == owner.get(f"/contacts/{contact['id']}").headers["ETag"]
    assert [s["kind"] for s in suggested(owner, contact)] == ["email", "url"]
    story = [(row["entity"], row["op"], row["changed_fields"]) for row in log_of(owner)][-3:]
    assert story == [
        ("note", "create", "body contact_id"),
        ("note", "process", "dates emails hashtags mentions phones urls word_count"),
        ("contact", "update", "phone phones"),
    ]


def test_several_are_one_change(owner, contact, mentioned):
    before = book_state(owner).seq
    now = accept(owner, contact, *[s["id"] for s in suggested(owner, contact)]).json
    assert (now["email"], now["phone"]) == ("ada@x.example", "+49 151 1234567")
    assert [entry["value"] for entry in now["urls"]] == ["https://x.example/ada"]
    assert (now["custom_fields"], now["version"]) == ({}, 2)
    assert book_state(owner).seq == before + 1
    assert suggested(owner, contact) == []


def test_what_is_named_twice_is_taken_once(owner, contact, mentioned):
    [_, phone, _] = suggested(owner, contact)
    now = accept(owner, contact, phone["id"], phone["id"]).json
    assert [entry["value"] for entry in now["phones"]] == [phone["value"]]


def test_304_for_who_has_them(owner, contact, mentioned):
    path = f"/contacts/{contact['id']}/suggestions"
    tag = {"If-None-Match": owner.get(path).headers["ETag"]}
    assert owner.get(path, headers=tag).status_code == 304
    owner.patch(f"/contacts/{contact['id']}", json={"email": "ada@x.example"})
    assert owner.get(path, headers=tag).status_code == 200


def test_what_the_contact_has_stays_and_the_new_goes_beside_it(owner, contact, note):
    owner.patch(f"/contacts/{contact['id']}", json={"phone": "112233", "email": "old@x.example"})
    note("new: 0151 1234567 and 0152 7654321 and new@x.example")
    work(owner.app)
    offered = suggested(owner, contact)
    assert [s["field"] for s in offered] == ["emails", "phones", "phones"]
    now = accept(owner, contact, *[s["id"] for s in offered]).json
    assert (now["phone"], now["email"], now["custom_fields"]) == ("112233", "old@x.example", {})
    phones = [(entry["value"], entry["primary"]) for entry in now["phones"]]
    assert phones == [("112233", True), ("0151 1234567", False), ("0152 7654321", False)]
    assert [entry["value"] for entry in now["emails"]] == ["old@x.example", "new@x.example"]
    assert suggested(owner, contact) == []


def test_a_full_list_takes_no_suggestion(owner, contact, note):
    links = [{"value": f"https://x.example/{n}"} for n in range(19)]
    owner.patch(f"/contacts/{contact['id']}", json={"urls": links})
    note("https://y.example/1 and https://y.example/2")
    work(owner.app)
    one, two = suggested(owner, contact)
    state = book_state(owner)
    both = accept(owner, contact, one["id"], two["id"])
    refused(both, 422, "invalid_fields", "/ids/1")
    assert book_state(owner) == state
    assert len(accept(owner, contact, two["id"]).json["urls"]) == 20
    assert suggested(owner, contact) == []


def test_what_the_contact_has_in_any_spelling_is_not_suggested(owner, contact, note):
    known = {"phone": "+49 (0)151 1234567", "email": "Ada@X.example"}
    owner.patch(f"/contacts/{contact['id']}", json={**known, "custom_fields": {"web": "www.x.io/"}})
    note("0151/1234567, 0049 151 1234567, ada@x.EXAMPLE, www.X.io")
    work(owner.app)
    assert suggested(owner, contact) == []


def test_one_value_of_several_notes_is_one_suggestion(owner, contact, note):
    ids = [note(text)["id"] for text in ("0151 1234567", "+49 151 1234567")]
    assert suggested(owner, contact) == []  # before the worker came by
    work(owner.app)
    [one] = suggested(owner, contact)
    assert one["note_ids"] == ids
    owner.delete(f"/notes/{ids[0]}")
    [one] = suggested(owner, contact)
    assert (one["note_ids"], one["value"]) == ([ids[1]], "+49 151 1234567")
    owner.delete(f"/notes/{ids[1]}")
    assert suggested(owner, contact) == []


def test_what_is_not_suggested_is_422_and_nothing_is_taken(owner, contact, mentioned):
    before, [first, *_] = book_state(owner), suggested(owner, contact)
    for wrong in ("phone-0", "", first["id"] + "0"):
        refused(accept(owner, contact, first["id"], wrong), 422, "invalid_fields", "/ids/1")
    refused(accept(owner, contact), 422, "invalid_fields", "/ids")
    refused(accept(owner, contact, *[first["id"]] * 101), 422, "invalid_fields", "/ids")
    assert book_state(owner) == before
    assert accept(owner, contact, first["id"]).status_code == 200
    refused(accept(owner, contact, first["id"]), 422, "invalid_fields", "/ids/0")


def test_a_stale_version_is_412(owner, contact, mentioned):
    [first, *_] = suggested(owner, contact)
    tag = owner.get(f"/contacts/{contact['id']}").headers["ETag"]
    owner.patch(f"/contacts/{contact['id']}", json={"nickname": "G"})
    stale = accept(owner, contact, first["id"], headers={"If-Match": tag})
    refused(stale, 412, "version_mismatch")
    now = owner.get(f"/contacts/{contact['id']}").headers["ETag"]
    assert accept(owner, contact, first["id"], headers={"If-Match": now}).status_code == 200


def test_who_names_no_version_is_not_hindered_by_a_change_meanwhile(
    owner, contact, mentioned, monkeypatch
):
    """Made in another process just when the suggestions have been worked out."""
    [_, phone, _] = suggested(owner, contact)
    assert owner.get("/contacts").status_code == 200  # now the book is in memory

    def change_first(*args):
        found = worked_out(*args)
        if not owner.get(f"/contacts/{contact['id']}").json["nickname"]:
            owner.patch(f"/contacts/{contact['id']}", json={"nickname": "G"})
        return found

    worked_out = suggestions._suggested
    monkeypatch.setattr(suggestions, "_suggested", change_first)
    now = accept(owner, contact, phone["id"])
    assert now.status_code == 200, now.text
    assert (now.json["nickname"], now.json["phone"]) == ("G", phone["value"])


# AZ-2
def test_of_somebody_elses_contact_nothing_is_told(cast):
    contact = cast.alice.contact()
    cast.alice.post(f"/contacts/{contact['id']}/notes", json={"body": "0151 1234567"})
    work(cast.app)
    [one] = suggested(cast.alice, contact)
    book = f"?book={cast.alice.book_id}"
    path = f"/contacts/{contact['id']}/suggestions"
    for person, query in ((cast.bob, ""), (cast.bob, book), (cast.carol, "")):
        refused(person.get(f"{path}{query}"), 404, "not_found")
        body = {"ids": [one["id"]]}
        refused(person.post(f"{path}/accept{query}", json=body), 404, "not_found")
    assert cast.eve.get(f"{path}{book}").json["items"] == [one]
    answer = cast.eve.post(f"{path}/accept{book}", json={"ids": [one["id"]]})
    refused(answer, 403, "read_only_book")
    answer = cast.carol.post(f"{path}/accept{book}", json={"ids": [one["id"]]})
    assert (answer.json["phone"], answer.json["updated_by"]) == ("0151 1234567", cast.carol.id)
