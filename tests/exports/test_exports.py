"""GET /exports."""

import orjson
import pytest

from contactapp.bounded import Busy
from contactapp.exports.schemas import ExportQuery
from contactapp.exports.service import export_contacts
from contactapp.incoming import parsed_query
from contactapp.pictures.service import Album
from tests.support.cast import Person, refused
from tests.support.pictures import picture
from tests.support.stored import book_state


@pytest.mark.parametrize(
    ("query", "kind", "name"),
    [
        ("", "text/vcard; charset=utf-8", "contacts.vcf"),
        ("?format=vcard&version=4.0", "text/vcard; charset=utf-8", "contacts.vcf"),
        ("?format=csv", "text/csv; charset=utf-8", "contacts.csv"),
        ("?format=json", "application/json", "contacts.json"),
    ],
)
def test_contacts_are_a_file_to_be_saved(alice, query, kind, name):
    alice.contact(first_name="Ada", last_name="Lovelace")
    answer = alice.get(f"/exports{query}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert b"Lovelace" in answer.data
    assert b"VERSION:4.0" in answer.data or "4.0" not in query
    head = alice.request("HEAD", f"/exports{query}")
    assert (head.data, head.headers["Content-Type"]) == (b"", kind)


def names(answer):
    return sorted(one["first_name"] for one in orjson.loads(answer.data)["contacts"])


def test_the_filters_are_those_of_the_list(alice):
    for first, more in (("Ada", {"starred": True}), ("Eve", {"labels": ["x"]}), ("Bob", {})):
        alice.contact(first_name=first, custom_fields={"floor": len(first)}, **more)
    for query, found in (
        ("starred=true", ["Ada"]),
        ("label=X", ["Eve"]),
        ("q=bo", ["Bob"]),
        ("custom.floor=3", ["Ada", "Bob", "Eve"]),
        ("first_name_like=e", ["Eve"]),
        ("", ["Ada", "Bob", "Eve"]),
    ):
        assert names(alice.get(f"/exports?format=json&{query}")) == found, query
    for query in ("limit=1", "sort=name", "cursor=x", "fields=id", "skip=1"):
        refused(alice.get(f"/exports?{query}"), 400, "unknown_parameter")
    refused(alice.get("/exports?format=xml"), 422, "invalid_fields", "?format")
    refused(alice.get("/exports?version=2.1"), 422, "invalid_fields", "?version")


def test_it_has_notes_and_photos_and_nobody_elses(cast):
    ada = cast.alice.contact(first_name="Ada")
    path = f"/contacts/{ada['id']}"
    cast.alice.post(f"{path}/notes", json={"body": "one"})
    cast.alice.post(f"{path}/notes", json={"body": "two"})
    gone = cast.alice.post(f"{path}/notes", json={"body": "gone"}).json
    cast.alice.delete(f"/notes/{gone['id']}")
    cast.alice.put(f"{path}/photo", data=picture(size=(8, 8)))
    trashed = cast.alice.contact(first_name="Trashed")
    cast.alice.delete(f"/contacts/{trashed['id']}")
    cast.bob.contact(first_name="Bob")
    [found] = orjson.loads(cast.alice.get("/exports?format=json").data)["contacts"]
    assert (found["uid"], found["notes"]) == (ada["uid"], ["one", "two"])
    assert found["photo"]["type"] == "image/webp"
    # Eve views Alice's book, and may take it along.
    book = f"?book={cast.alice.book_id}"
    assert cast.eve.get(f"/exports{book}").data == cast.alice.get("/exports").data
    refused(cast.bob.get(f"/exports{book}"), 404, "not_found")


def test_a_photo_that_goes_meanwhile_breaks_no_export(alice, tmp_path, monkeypatch):
    ada = alice.contact(first_name="Ada")
    alice.put(f"/contacts/{ada['id']}/photo", data=picture(size=(8, 8)))
    monkeypatch.setattr(Album, "files", lambda *_: [tmp_path / "gone"])
    [found] = orjson.loads(alice.get("/exports?format=json").data)["contacts"]
    assert "photo" not in found


# OB-2
def test_an_export_is_an_event_of_the_account_and_no_change(alice):
    alice.contact()
    before = book_state(alice)
    alice.get("/exports?format=csv").get_data()
    [event] = alice.get("/audit?kind=exported").json["items"]
    assert event["details"] == {"format": "csv", "book_id": alice.book_id, "contacts": 1}
    assert book_state(alice) == before


# RL-8
def test_only_so_many_are_written_at_once(new_app, engine):
    app = new_app(engine, THREADS="4")
    ann = Person(app, "ann")
    for n in range(3):
        ann.contact(nickname=f"n{n}")
    opened = []
    with app.app_context():
        actor = _actor(ann)
        query = parsed_query(ExportQuery(), b"format=json")
        opened.append(export_contacts(actor, query))
        room = app.extensions["contactapp.exports"]
        room.places._max_wait = 0.05
        with pytest.raises(Busy):
            export_contacts(actor, query)
        refused(ann.get("/exports"), 503, "unavailable")
        opened.pop().close()
        assert ann.get("/exports").status_code == 200


def _actor(person):
    from contactapp.books.service import actor_in

    return actor_in(person.id, None, "tests")


def test_whoever_hangs_up_leaves_the_place_to_others(new_app, engine):
    app = new_app(engine, THREADS="4")
    ann = Person(app, "ann")
    ann.contact()
    for _ in range(3):
        client = app.test_client()
        answer = client.open("/api/v1/exports", headers={"Authorization": f"Bearer {ann.access}"})
        answer.close()
    assert ann.get("/exports").status_code == 200
