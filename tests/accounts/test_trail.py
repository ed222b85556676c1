"""The trail: the events of an account and the changes of its books as one list."""

import itertools

import pytest
from sqlalchemy import text

from contactapp import clock
from contactapp.audit import trail as trail_module
from contactapp.changes.service import ChangeLog
from contactapp.database import Sql, lane, write_transaction
from tests.support.books import book_of
from tests.support.cast import Person, refused
from tests.support.chains import stream_of

_LATE = (
    "INSERT INTO audit_event (uid, at, kind, user_id, request_id, count, sealed_hash) "
    "SELECT 'late', at, 'exported', user_id, request_id, count, sealed_hash FROM audit_event "
    "WHERE user_id = :user LIMIT 1"
)


def trail(person, query=""):
    answer = person.get(f"/audit{query and '?' + query}")
    assert answer.status_code == 200, answer.text
    return answer.json["items"]


def kinds(person, query=""):
    return [item["kind"] for item in trail(person, query)]


@pytest.fixture
def busy(alice, monkeypatch):
    """Alice, who did some of everything, no two deeds in the same millisecond."""
    ticks = itertools.count(clock.now_ms())
    monkeypatch.setattr(clock, "now_ms", lambda: next(ticks))
    ada = alice.contact(first_name="Ada", company="Engines")
    alice.patch("/users/me", json={"age": 41}, headers={"X-Request-ID": "her-age"})
    change = {"json": {"first_name": "Ada B.", "company": None}}
    alice.patch(f"/contacts/{ada['id']}", **change, headers={"X-Request-ID": "her-name"})
    alice.contact(first_name="Grace")
    alice.delete(f"/contacts/{ada['id']}")
    alice.ada = ada
    return alice


@pytest.fixture
def storing(busy):
    """And kept data."""
    busy.put("/data/k", json={"value": 1})
    busy.put("/data/k", json={"value": 2}, headers={"X-Request-ID": "her-data"})
    busy.delete("/data/k")
    return busy


# OB-2
def test_changes_and_events_are_one_trail(busy):
    deleted, _, updated, profile, created, *_ = found = trail(busy)
    assert kinds(busy) == [
        "contact_deleted",
        "contact_created",
        "contact_updated",
        "profile_changed",
        "contact_created",
        "signed_in",
        "registered",
    ]
    assert busy.get("/audit").json["total"] == len(found)
    assert updated == {
        "id": 2,
        "source": "book",
        "at": updated["at"],
        "kind": "contact_updated",
        "user_id": busy.id,
        "actor_id": busy.id,
        "request_id": "her-name",
        "count": 1,
        "book_id": busy.book_id,
        "entity": "contact",
        "entity_id": busy.ada["id"],
        "op": "update",
        "version": 2,
        "changed_fields": ["company", "first_name"],
        "details": updated["details"],
    }
    before, after = updated["details"]["before"], updated["details"]["after"]
    assert (before["first_name"], before["company"]) == ("Ada", "Engines")
    assert (after["first_name"], after.get("company")) == ("Ada B.", None)
    assert created["details"]["before"] is None
    assert deleted["details"]["after"] is None
    assert (profile["source"], profile["entity"], profile["op"]) == ("account", None, None)
    keys = [(item["source"], item["book_id"], item["id"]) for item in found]
    assert len(set(keys)) == len(keys)


FILTERS = {
    "kind=contact_updated": ["contact_updated"],
    "kind=contact_created,registered": ["contact_created", "contact_created", "registered"],
    "kind=signed_in": ["signed_in"],
    "entity=contact": ["contact_deleted", "contact_created", "contact_updated", "contact_created"],
    "entity=contact&entity_id={ada}": ["contact_deleted", "contact_updated", "contact_created"],
    "entity=contact&entity_id={ada}&kind=contact_deleted,signed_in": ["contact_deleted"],
    "entity=note": [],
    "entity=data": ["data_deleted", "data_updated", "data_created"],
    "kind=data_updated,registered": ["data_updated", "registered"],
    "entity=data&kind=contact_created": [],
    "request_id=her-age": ["profile_changed"],
    "request_id=her-name": ["contact_updated"],
    "request_id=her-name&kind=registered": [],
    "kind=signed_in&entity=contact": [],
}


@pytest.mark.parametrize("query", FILTERS)
def test_filters_pick(storing, query):
    asked = query.format(ada=storing.ada["id"])
    assert kinds(storing, asked) == FILTERS[query]
    page = storing.get(f"/audit?limit=1&{asked}").json
    assert page["total"] == len(FILTERS[query])
    if page["next_cursor"] is not None:
        follow = f"/audit?limit=500&{asked}&cursor={page['next_cursor']}"
        assert page["items"] + storing.get(follow).json["items"] == trail(storing, asked)


# OB-2
def test_changes_of_data_are_in_the_trail_with_what_they_changed(storing, bob):
    deleted, updated, created = trail(storing, "entity=data")
    assert updated == {
        **{"id": 2, "source": "data", "kind": "data_updated", "request_id": "her-data"},
        **{"user_id": storing.id, "actor_id": storing.id, "count": 1, "book_id": None},
        **{"entity": "data", "op": "update", "version": 2, "changed_fields": ["value"]},
        **{"at": updated["at"], "entity_id": created["entity_id"], "details": updated["details"]},
    }
    assert [updated["details"][when]["value"] for when in ("before", "after")] == [1, 2]
    assert deleted["details"]["after"] is None
    assert kinds(bob, "entity=data") == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("kind=nothing", "?kind"),
        ("kind=", "?kind"),
        ("kind=registered,", "?kind"),
        ("entity=book", "?entity"),
        ("entity_id=3", "?entity"),
        ("entity=contact&entity_id=0", "?entity_id"),
        ("request_id=", "?request_id"),
    ],
)
def test_a_filter_that_is_none_is_named(alice, query, pointer):
    refused(alice.get(f"/audit?{query}"), 422, "invalid_fields", pointer)


def test_a_cursor_is_bound_to_its_filters(busy):
    cursor = busy.get("/audit?limit=1&entity=contact").json["next_cursor"]
    refused(busy.get(f"/audit?cursor={cursor}"), 400, "cursor_mismatch")
    other = f"/audit?cursor={cursor}&entity=contact&entity_id=1"
    refused(busy.get(other), 400, "cursor_mismatch")


# AZ-1
def test_a_book_is_in_its_owners_trail_whoever_writes(cast):
    alice, carol = cast.alice, cast.carol
    carol.post(f"/contacts?book={alice.book_id}", json={"first_name": "Ada"})
    item = trail(alice, "entity=contact")[0]
    assert (item["user_id"], item["actor_id"]) == (alice.id, carol.id)
    assert item["details"]["after"]["first_name"] == "Ada"
    assert trail(carol, "entity=contact") == []
    assert trail(carol, f"entity=contact&entity_id={item['entity_id']}") == []


# AZ-1
def test_an_admin_sees_everybodys_events_and_nobodys_contacts(cast):
    alice, boss = cast.alice, cast.admin
    alice.contact(first_name="Zaphod-marker")
    boss.contact(first_name="Own")
    answer = boss.get("/audit?limit=500")
    assert "Zaphod" not in answer.text
    owners = {item["user_id"] for item in answer.json["items"] if item["source"] == "book"}
    assert owners == {boss.id}
    assert alice.id in {item["user_id"] for item in answer.json["items"]}


def walked(person, limit, between=lambda: None):
    """All pages, one after another."""
    found, cursor = [], ""
    for _ in range(200):
        page = person.get(f"/audit?limit={limit}{cursor and '&cursor=' + cursor}").json
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
        between()
    raise AssertionError("it does not end")


# DU-5
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_where_the_clock_jumps_nothing_is_skipped_or_comes_twice(alice, monkeypatch, limit):
    start = clock.now_ms()
    ada = alice.contact(first_name="Ada")
    for number, minutes in enumerate([0, 90, -60, 5, 5, -30, 60, 1]):
        at = start + minutes * 60_000
        monkeypatch.setattr(clock, "now_ms", lambda at=at: at)
        alice.sign_in()
        alice.patch("/users/me", json={"age": 30 + number})
        alice.patch(f"/contacts/{ada['id']}", json={"nickname": f"n{number}"})
    whole = trail(alice, "limit=500")
    assert len(whole) == alice.get("/audit").json["total"] == 2 + 1 + 8 * 3
    assert walked(alice, limit) == whole
    for source in ("account", "book"):
        own = [item["id"] for item in whole if item["source"] == source]
        assert own == sorted(own, reverse=True)
    for skip in range(0, len(whole), 5):
        page = alice.get(f"/audit?skip={skip}&limit={limit}").json
        assert page["items"] == whole[skip : skip + limit]
        if page["next_cursor"]:
            follow = alice.get(f"/audit?limit=500&cursor={page['next_cursor']}").json["items"]
            assert follow == whole[skip + limit :]


def test_what_comes_in_while_somebody_turns_pages_is_not_among_the_later(alice):
    for number in range(4):
        alice.contact(first_name=f"n{number}")
    before = trail(alice)
    more = lambda: (alice.contact(), alice.patch("/users/me", json={"age": len(trail(alice))}))  # noqa: E731
    assert walked(alice, 2, more) == before


def test_a_long_trail_is_read_in_parts(engine, new_app, monkeypatch):
    monkeypatch.setattr(trail_module, "_BATCH", 3)
    person = Person(new_app(engine), "long")
    for number in range(10):
        person.contact(first_name=f"n{number}")
        person.patch("/users/me", json={"age": 20 + number})
    whole = trail(person, "limit=500")
    assert len(whole) == 22
    assert [item["id"] for item in whole if item["source"] == "book"] == list(range(10, 0, -1))
    assert trail(person, "skip=15&limit=4") == whole[15:19]


def test_what_was_emptied_shows_no_details(alice):
    alice.contact(first_name="Ada")
    emptied = Sql("UPDATE change SET sealed = NULL WHERE stream_id = ?")
    with alice.app.app_context():
        write_transaction(lambda: lane().run(emptied, (stream_of(alice),)))()
    [item] = trail(alice, "entity=contact")
    assert (item["details"], item["changed_fields"]) == ({}, ["first_name"])


def test_a_change_of_a_note_has_its_kind(alice):
    """Whatever entity a slice writes to the log is shown with what it is called."""

    class Me:
        user_id, token_id, request_id = alice.id, None, "notes"

    @write_transaction
    def write():
        log = ChangeLog(Me, book_of(alice))
        for version, op in enumerate(("create", "update", "process", "delete"), 1):
            log.append("note", 7, op, version, {"body": "a"}, {"body": "b"})

    with alice.app.app_context():
        write()
    assert kinds(alice, "entity=note&entity_id=7") == [
        "note_deleted",
        "note_processed",
        "note_updated",
        "note_created",
    ]
    assert kinds(alice, "kind=note_processed") == ["note_processed"]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_an_event_that_is_committed_late_takes_no_other_ones_place(alice, monkeypatch):
    """Only PostgreSQL gives a number before others that are committed sooner."""
    asked = "kind=signed_in,registered,profile_changed,exported"
    before = [item["id"] for item in trail(alice, asked)]
    merged = trail_module._merged
    with alice.app.extensions["contactapp.database"].engine.connect() as late:
        late.execute(text(_LATE), {"user": alice.id})
        alice.patch("/users/me", json={"age": 41})

        def and_then(*args):
            found = merged(*args)
            late.commit()
            return found

        monkeypatch.setattr(trail_module, "_merged", and_then)
        found = trail(alice, asked)
    assert [item["id"] for item in found[1:]] == before
