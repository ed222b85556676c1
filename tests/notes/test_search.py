"""Words in notes: in the list of notes, and in the search for contacts."""

import pytest

from contactapp.books.service import note_views
from tests.support.books import at
from tests.support.cast import Person
from tests.support.engines import on_one_engine


@pytest.fixture
def reader(app):
    """Somebody with three contacts and a note about two of them."""
    person = Person(app, "rita")
    person.ids = [person.contact(first_name=name)["id"] for name in ("Ada", "Bo", "Cy")]
    for about, text in ((0, "Plays the Cembalo, call 0049 151/2345678"), (1, "Zürich — café")):
        person.post(f"/contacts/{person.ids[about]}/notes", json={"body": text})
    return person


def total(person, query):
    answer = person.get(f"/notes?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json["total"]


@on_one_engine
@pytest.mark.parametrize(
    ("query", "count"),
    [
        *(("cembalo", 1), ("CEMBALO plays", 1), ("cemb", 1), ("zurich", 1), ("z%C3%BCrich", 1)),
        *(("zurich+cembalo", 0), ("%22the+cembalo%22", 1), ("%22cembalo+the%22", 0)),
        *(("0151", 1), ("%2B49151", 1), ("2345678", 1), ("0152", 0), ("%25", 0), ("ada", 0)),
        *(("cafe", 1), ("a", 2)),
    ],
)
def test_it_is_blind_to_case_accents_and_punctuation(reader, query, count):
    assert total(reader, f"q={query}") == count


def test_contacts_are_found_by_the_words_of_their_notes(reader):
    found = reader.get("/contacts/search?q=cembalo").json
    [item] = found["items"]
    assert (item["first_name"], item["matched_in"]) == ("Ada", ["notes"])
    [item] = reader.get("/contacts/search?q=ada+cembalo").json["items"]
    assert item["matched_in"] == ["name", "first_name", "notes"]
    assert reader.get("/contacts/search?q=bo+cembalo").json["total"] == 0
    assert reader.get("/contacts?q=zurich").json["total"] == 1
    assert reader.get("/contacts?q=zurich&first_name=ada").json["total"] == 0
    assert reader.get("/contacts?first_name=bo&q=zurich&sort=-name&limit=1").json["total"] == 1


def test_every_word_may_be_in_another_place(reader):
    """One in the name, one in one note, one in another."""
    reader.post(f"/contacts/{reader.ids[0]}/notes", json={"body": "mathematics"})
    assert reader.get("/contacts/search?q=ada+cembalo+mathematics").json["total"] == 1
    assert total(reader, "q=cembalo+mathematics") == 0  # one note must have all of its words


def test_what_changed_elsewhere_is_found_and_what_is_gone_is_not(reader, engine, new_app):
    url = reader.app.extensions["contactapp.settings"].database_url
    elsewhere = at(new_app(engine, database=url), reader)
    assert total(reader, "q=cembalo") == total(elsewhere, "q=cembalo") == 1
    made = elsewhere.get("/notes?q=cembalo").json["items"][0]
    elsewhere.patch(f"/notes/{made['id']}", json={"body": "Plays the lute"})
    assert (total(reader, "q=cembalo"), total(reader, "q=lute")) == (0, 1)
    assert reader.get("/contacts/search?q=lute").json["total"] == 1
    elsewhere.delete(f"/notes/{made['id']}")
    assert total(reader, "q=lute") == 0
    assert reader.get("/contacts/search?q=lute").json["total"] == 0
    elsewhere.delete(f"/contacts/{reader.ids[1]}")
    assert total(reader, "q=zurich") == 0


def test_texts_are_read_at_the_first_search_and_then_only_what_changed(reader, engine, new_app):
    url = reader.app.extensions["contactapp.settings"].database_url
    fresh = at(new_app(engine, database=url), reader)
    with fresh.app.app_context():
        texts = note_views()
        fresh.get("/contacts")
        fresh.get("/notes")
        assert texts.opened == 0
        fresh.get("/contacts/search?q=ada")
        assert texts.opened == 2
        reader.post(f"/contacts/{reader.ids[2]}/notes", json={"body": "third"})
        assert total(fresh, "q=third") == 1
        assert texts.opened == 3
        reader.contact(first_name="Di")
        fresh.get("/contacts/search?q=third")
        assert texts.opened == 3


def test_a_member_finds_in_the_shared_book_and_a_stranger_in_none(cast):
    contact = cast.alice.contact(first_name="Ada")
    cast.alice.post(f"/contacts/{contact['id']}/notes", json={"body": "wombat"})
    assert cast.eve.get(f"/notes?q=wombat&book={cast.alice.book_id}").json["total"] == 1
    for person in (cast.eve, cast.bob):
        assert total(person, "q=wombat") == 0
        assert person.get("/contacts/search?q=wombat").json["total"] == 0
