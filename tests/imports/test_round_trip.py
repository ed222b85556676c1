"""What is exported, imported and exported again is the same, byte by byte."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contactapp.exchange import json as ours
from tests.imports.conftest import counts, export, sent
from tests.support.cast import Person
from tests.support.exchange import records
from tests.support.pictures import picture
from tests.support.stored import set_user

FILES = {"vcard": "contacts.vcf", "csv": "contacts.csv", "json": "contacts.json"}

books = st.lists(records, max_size=3, unique_by=lambda record: record.uid)


def somebody(app):
    person = Person(app, "olga")
    set_user(app, person.id, contact_limit=0)
    return person


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books, st.sampled_from(["vcard&version=3.0", "vcard&version=4.0", "csv", "json"]))
def test_an_export_that_is_imported_is_exported_the_same(app, book, query):
    first, second = somebody(app), somebody(app)
    sent(first, b"".join(ours.write(book)), name="a.json", format="json")
    written = export(first, f"format={query}")
    format_ = query.partition("&")[0]
    found = sent(second, written, name=FILES[format_], format=format_)
    total = first.get("/contacts").json["total"]
    assert counts(found) == (total, total, 0, 0, 0), found
    assert export(second, f"format={query}") == written


def test_photos_and_notes_come_back_the_same(app):
    first, second = somebody(app), somebody(app)
    ada = first.contact(first_name="Ada", labels=["x"], custom_fields={"a": 1})
    first.put(f"/contacts/{ada['id']}/photo", data=picture(size=(60, 40)))
    first.post(f"/contacts/{ada['id']}/notes", json={"body": "one\ntwo"})
    first.post(f"/contacts/{ada['id']}/notes", json={"body": "three"})
    for query in ("format=json", "format=vcard", "format=vcard&version=4.0"):
        written = export(first, query)
        found = sent(second, written, name="file", on_duplicate="update")
        assert found["rejected"] == 0
        assert export(second, query) == written
    assert second.get("/contacts").json["total"] == 1
    assert second.get("/contacts").json["items"][0]["photo_url"]
