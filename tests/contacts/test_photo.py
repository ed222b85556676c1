"""The photo of a contact: a write of it like any other, that comes and goes with its versions."""

import dataclasses
import os
import time
from threading import Thread

import pytest
import requests

from contactapp import clock
from contactapp.actor import server_itself
from contactapp.books.service import book_at
from contactapp.changes.service import ChangeLog
from contactapp.contacts import photo_rows, service
from contactapp.database import Sql, database, lane, write_transaction
from contactapp.pictures.service import ORPHAN_SECONDS, PHOTOS
from tests.accounts.test_leaving import export, members
from tests.storage.test_migrations import WAITING
from tests.support.cast import Person, refused
from tests.support.pictures import PNG, Frame, files, files_at, load, picture
from tests.support.stored import book_state, contact_row
from tests.support.wire import at_once

RED, BLUE = picture(size=(8, 8)), picture(size=(8, 8), colour=(0, 0, 200))
ROWS = Sql("SELECT contact_id, unused_since IS NULL FROM photo WHERE token = ? ORDER BY id")


@pytest.fixture
def frame(owner):
    """A contact of the owner's, at version 1."""
    return Frame(owner, "photo")


def contact_id(frame):
    return int(frame.owner.rpartition("/")[2])


def token_of(frame):
    """What the card says, which no answer does."""
    with frame.app.app_context():
        _, card = service.read_card(book_at(frame.person.book_id), contact_id(frame))
    return card.get("photo")


def rows_of(frame, token):
    """(contact, in use) of the rows of a photo."""
    with frame.app.app_context():
        return [(id_, bool(used)) for id_, used in lane().all(ROWS, (token,))]


def sweep(frame, monkeypatch, days=0):
    """What the job does so many days later; the files are as old."""
    settings = frame.app.extensions["contactapp.settings"]
    long_ago = time.time() - ORPHAN_SECONDS - 60
    for name in frame.files():
        os.utime(settings.instance_path / PHOTOS.folder / name, (long_ago, long_ago))
    with frame.app.app_context(), monkeypatch.context() as later:
        now = clock.now_ms() + days * 86_400_000
        later.setattr(clock, "now_ms", lambda: now)
        photo_rows.sweep()


def purge(frame):
    answer = frame.person.delete(f"{frame.owner}?permanent=true")
    assert answer.status_code == 204, answer.text


def borrowed(frame, token):
    """Have the contact name a photo that was made for another one, as a merge does."""
    with frame.app.app_context():
        book = book_at(frame.person.book_id)
        actor = server_itself(book, "test")
        return service.edit_contact(
            actor, book, contact_id(frame), lambda _: {"photo": token}, None
        ).card


def test_it_is_a_version_of_the_contact(frame):
    person, before = frame.person, book_state(frame.person)
    assert person.get(frame.owner).json["photo_url"] is None
    answer = frame.put(RED)
    assert answer.status_code == 201
    contact = person.get(frame.owner)
    assert contact.headers["ETag"] == answer.headers["ETag"]
    assert (contact.json["version"], contact.json["photo_url"]) == (2, frame.url(answer))
    assert contact.json["updated_by"] == person.id
    assert book_state(person).seq == before.seq + 1
    shown = person.get(frame.path)
    assert (shown.json, shown.headers["ETag"]) == (answer.json, answer.headers["ETag"])
    assert person.get(frame.path, headers={"If-None-Match": shown.headers["ETag"]}).data == b""
    assert load(frame.app, frame.url(answer)).status_code == 200


def test_lists_and_search_show_it(frame):
    url, one = frame.url(frame.put(RED)), contact_id(frame)
    for path in ("/contacts?limit=500", "/contacts/search?q=grace&limit=500"):
        found = {c["id"]: c for c in frame.person.get(path).json["items"]}
        assert found[one]["photo_url"] == url
    sparse = frame.person.get("/contacts?fields=id,photo_url&limit=500").json["items"]
    assert {"id": one, "photo_url": url} in sparse


def test_it_is_taken_away_by_another_version(frame):
    first = frame.put(RED)
    gone = frame.person.delete(frame.path)
    assert gone.status_code == 204
    contact = frame.person.get(frame.owner)
    assert (contact.json["version"], contact.json["photo_url"]) == (3, None)
    assert gone.headers["ETag"] == contact.headers["ETag"]
    refused(frame.person.get(frame.path), 404, "not_found")
    again, state = frame.person.delete(frame.path), book_state(frame.person)
    assert (again.status_code, again.headers["ETag"]) == (204, gone.headers["ETag"])
    assert book_state(frame.person) == state
    assert load(frame.app, frame.url(first)).status_code == 200  # it may be brought back


def test_what_was_read_can_be_sent_back_and_keeps_it(frame):
    url, token = frame.url(frame.put(RED)), token_of(frame)
    body = {**frame.person.get(frame.owner).json, "title": "Rear Admiral"}
    for answer in (
        frame.person.put(frame.owner, json=body),
        frame.person.put(frame.owner, json={"first_name": "Grace"}),
        frame.person.patch(frame.owner, json={"nickname": "Amazing", "photo_url": None}),
    ):
        assert (answer.status_code, answer.json["photo_url"]) == (200, url)
    assert token_of(frame) == token
    for method in ("PUT", "PATCH"):  # AZ-4
        body = {"first_name": "Grace", "photo": "x" * 43}
        answer = frame.person.request(method, frame.owner, json=body)
        refused(answer, 422, "invalid_fields", "/photo")


# CC-3
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_stale_tag_is_412_and_changes_nothing(frame, method):
    stale = frame.person.get(frame.owner).headers["ETag"]
    frame.put(RED)
    before, kept = contact_row(frame.app, contact_id(frame)), frame.files()
    answer = frame.person.request(method, frame.path, data=BLUE, headers={**PNG, "If-Match": stale})
    assert refused(answer, 412, "version_mismatch")["current_version"] == 2
    assert (contact_row(frame.app, contact_id(frame)), frame.files()) == (before, kept)


# CC-3
def test_of_two_that_put_one_with_one_tag_exactly_one_gets_through(live_server):
    ann = live_server.person("ann")
    path = f"/contacts/{ann.post('/contacts', json={'first_name': 'Grace'}).json()['id']}"
    tag = ann.get(path).headers["ETag"]

    def put(data):
        headers = {"If-Match": tag, "Connection": "close", "Content-Type": "image/png"}
        return ann.request("PUT", f"{path}/photo", data=data, headers=headers)

    won, lost = sorted(at_once([lambda: put(RED), lambda: put(BLUE)]), key=lambda a: a.status_code)
    assert (won.status_code, lost.status_code) == (201, 412)
    assert ann.get(f"{path}/photo").json() == won.json()
    assert [requests.get(url).status_code for url in won.json()["photo_urls"].values()] == [200] * 3
    assert ann.get(path).json()["version"] == 2


def test_history_shows_it_and_a_revert_brings_it_back(frame):
    red, blue = frame.url(frame.put(RED)), frame.url(frame.put(BLUE))
    frame.person.delete(frame.path)
    told = [
        version["changes"]["photo"]
        for version in frame.person.get(f"{frame.owner}/history").json["items"][:3]
    ]
    expected = [(blue, None), (red, blue), (None, red)]
    assert told == [{"before": before, "after": after} for before, after in expected]
    for version, url in ((2, red), (3, blue), (1, None)):
        back = frame.person.post(f"{frame.owner}/revert", json={"version": version})
        assert (back.status_code, back.json["photo_url"]) == (200, url)
        assert frame.person.get(frame.owner).json["photo_url"] == url


def test_the_change_log_tells_its_address_and_never_what_names_it(frame):
    url, token = frame.url(frame.put(RED)), token_of(frame)
    feed = frame.person.get("/changes?limit=500")
    change = feed.json["items"][-1]
    assert (change["changed_fields"], change["data"]["photo"]) == (["photo"], url)
    trail = frame.person.get(f"/audit?entity=contact&entity_id={contact_id(frame)}")
    assert trail.json["items"][0]["changed_fields"] == ["photo"]
    assert trail.json["items"][0]["details"]["after"]["photo"] == url
    for answer in (feed, trail, frame.person.get(f"{frame.owner}/history")):
        assert url in answer.text
        assert token not in answer.text


def test_what_was_replaced_is_kept_thirty_days(frame, monkeypatch):
    red, blue = frame.url(frame.put(RED)), frame.url(frame.put(BLUE))
    sweep(frame, monkeypatch, days=29)
    assert [load(frame.app, url).status_code for url in (red, blue)] == [200, 200]
    sweep(frame, monkeypatch, days=31)
    assert [load(frame.app, url).status_code for url in (red, blue)] == [404, 200]
    # A version that had it comes back without it.
    back = frame.person.post(f"{frame.owner}/revert", json={"version": 2})
    assert (back.status_code, back.json["photo_url"]) == (200, None)


def test_what_was_brought_back_is_not_swept(frame, monkeypatch):
    red, token = frame.url(frame.put(RED)), token_of(frame)
    frame.person.delete(frame.path)
    assert rows_of(frame, token) == [(contact_id(frame), False)]
    frame.person.post(f"{frame.owner}/revert", json={"version": 2})
    assert rows_of(frame, token) == [(contact_id(frame), True)]
    sweep(frame, monkeypatch, days=31)
    assert load(frame.app, red).status_code == 200


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_sweep_that_comes_in_the_middle_of_a_revert_waits_for_it(frame, monkeypatch):
    """SQLite has one writer at a time anyway."""
    red, token = frame.url(frame.put(RED)), token_of(frame)
    frame.person.delete(frame.path)
    genuine, threads = photo_rows.follow, []

    def slow(book, *rest):
        card = genuine(book, *rest)
        threads.append(Thread(target=sweep, args=(frame, monkeypatch, 31)))
        threads[0].start()
        for _ in range(1000):
            if waits_for_a_lock(frame.app):
                return card
            time.sleep(0.005)
        raise AssertionError("nobody waits")

    monkeypatch.setattr(service, "follow", slow)
    frame.person.post(f"{frame.owner}/revert", json={"version": 2})
    threads[0].join(30)
    assert (rows_of(frame, token), frame.url()) == ([(contact_id(frame), True)], red)
    assert load(frame.app, red).status_code == 200


def waits_for_a_lock(app):
    with app.app_context(), database().engine.connect() as connection:
        return connection.execute(WAITING).scalar()


def test_a_trash_that_is_never_emptied_keeps_photos_too(frame, monkeypatch):
    url = frame.url(frame.put(RED))
    frame.person.delete(frame.path)
    held = frame.app.extensions
    settings = dataclasses.replace(held["contactapp.settings"], trash_days=0)
    monkeypatch.setitem(held, "contactapp.settings", settings)
    sweep(frame, monkeypatch, days=10_000)
    assert load(frame.app, url).status_code == 200


def test_it_lies_in_the_trash_with_its_contact_and_goes_when_that_is_purged(frame, monkeypatch):
    url = frame.url(frame.put(RED))
    frame.person.delete(frame.owner)
    refused(frame.person.get(frame.path), 404, "not_found")
    refused(frame.put(BLUE), 404, "not_found")
    sweep(frame, monkeypatch, days=31)
    assert frame.person.get("/contacts/trash").json["items"][0]["photo_url"] == url
    assert frame.person.post(f"{frame.owner}/restore").json["photo_url"] == url
    assert load(frame.app, url).status_code == 200
    blue = frame.url(frame.put(BLUE))
    purge(frame)
    for gone in (url, blue):
        assert load(frame.app, gone).status_code == 404


def test_a_photo_that_two_contacts_name_stays_while_either_does(frame, owner, monkeypatch):
    url, token, other = frame.url(frame.put(RED)), token_of(frame), Frame(owner, "photo")
    assert borrowed(other, token)["photo"] == token
    assert rows_of(frame, token) == [(contact_id(frame), True), (contact_id(other), True)]
    purge(frame)
    sweep(frame, monkeypatch, days=31)
    assert other.url() == url
    assert load(frame.app, url).status_code == 200
    owner.delete(other.path)
    sweep(frame, monkeypatch, days=31)
    assert load(frame.app, url).status_code == 404


@pytest.mark.parametrize("trashed", [False, True])
def test_an_undo_brings_it_back(frame, trashed):
    """Which goes by the change log, as a revert does, but for many contacts at once."""
    red, old = frame.url(frame.put(RED)), token_of(frame)
    frame.put(BLUE)
    new = token_of(frame)
    if trashed:
        frame.person.delete(frame.owner)
    with frame.app.app_context():
        book = book_at(frame.person.book_id)
        actor = server_itself(book, "test")

        @write_transaction
        def undo():
            log = ChangeLog(actor, book)
            card = log.state_at("contact", contact_id(frame), 2)
            service.set_back(log, actor, book, {contact_id(frame): service.Past(card)})

        undo()
    assert frame.url() == red
    assert [rows_of(frame, token)[0][1] for token in (old, new)] == [True, False]


# AZ-3
def test_a_card_that_names_a_photo_of_another_book_is_stored_without_it(frame, bob):
    frame.put(RED)
    other = Frame(bob, "photo")
    assert "photo" not in borrowed(other, token_of(frame))
    assert other.url() is None
    assert rows_of(frame, token_of(frame)) == [(contact_id(frame), True)]


# CR-3
def test_who_replaces_it_all_day_keeps_only_the_last_ones(frame, monkeypatch):
    monkeypatch.setattr(photo_rows, "SPARE", 2)
    urls = [frame.url(frame.put(data)) for data in (RED, BLUE, RED, BLUE, RED)]
    kept = [bool(files_at(frame.app, url, PHOTOS)) for url in urls]
    assert kept == [False, False, True, True, True]


def test_what_another_contact_names_is_not_among_those_that_are_too_many(frame, owner, monkeypatch):
    monkeypatch.setattr(photo_rows, "SPARE", 1)
    url, token, other = frame.url(frame.put(RED)), token_of(frame), Frame(owner, "photo")
    borrowed(other, token)
    for data in (BLUE, RED, BLUE):
        frame.put(data)
    assert rows_of(frame, token) == [(contact_id(other), True)]
    assert load(frame.app, url).status_code == 200


# AZ-2, and nothing is drawn for who may not
def test_nobody_else_sets_or_removes_it(cast):
    frame = Frame(cast.alice, "photo")
    frame.put(RED)
    before, path = frame.files(), f"{frame.path}?book={cast.alice.book_id}"
    for data in (BLUE, b"no picture"):
        refused(cast.eve.put(path, data=data, headers=PNG), 403, "read_only_book")
        refused(cast.bob.put(path, data=data, headers=PNG), 404, "not_found")
        refused(cast.bob.put(frame.path, data=data, headers=PNG), 404, "not_found")
    refused(cast.eve.delete(path), 403, "read_only_book")
    refused(cast.bob.delete(frame.path), 404, "not_found")
    assert frame.files() == before
    assert cast.eve.get(path).json["photo_url"] == frame.url()
    assert cast.carol.put(path, data=BLUE, headers=PNG).status_code == 201


def test_an_export_has_the_photos_that_are_kept(frame):
    ann = Person(frame.app, "ann")
    one = Frame(ann, "photo")
    one.put(RED)
    one.put(BLUE)
    found = members(export(ann))
    names = sorted(name for name in found if name.startswith("photos/"))
    assert names[1] == f"photos/{contact_id(one)}.webp"
    assert names[0].startswith(f"photos/{contact_id(one)}-earlier-")
    assert found[names[1]] == load(one.app, ann.get(one.path).json["photo_urls"]["512"]).data
    assert one.url().encode() in found["contacts.json"]
    assert token_of(one).encode() not in b"".join(found.values())
    assert files(one.app, PHOTOS) >= one.own_files()


@pytest.mark.parametrize("path", ["/contacts", "/contacts/{}", "/contacts/{}/photo", "/users/me"])
def test_a_tag_is_of_the_server_s_address_too(frame, monkeypatch, path):
    frame.put(RED)
    path = path.format(contact_id(frame))
    seen = {"If-None-Match": frame.person.get(path).headers["ETag"]}
    assert frame.person.get(path, headers=seen).status_code == 304
    given = frame.app.extensions
    moved = dataclasses.replace(given["contactapp.settings"], base_url="https://moved.example")
    monkeypatch.setitem(given, "contactapp.settings", moved)
    assert frame.person.get(path, headers=seen).status_code == 200
