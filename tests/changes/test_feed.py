"""The change feed: everything once, in commit order, from any cursor of this history."""

import pytest

from contactapp import clock
from contactapp.changes import feed, part
from contactapp.changes.service import ENTITIES, SHOWN, ChangeLog
from contactapp.database import Sql, database, lane, write_transaction
from contactapp.engine import sqlite3 as driver
from contactapp.errors import NotFound
from tests.changes.test_change_log import log_of
from tests.support.books import book_of, copy_database
from tests.support.cast import Person, refused
from tests.support.feed import follow, page, told

_HOUR = 3_600_000
_RAISE = Sql("UPDATE stream SET floor = ? WHERE id = ?")
_PURGE = Sql("DELETE FROM change WHERE stream_id = ? AND seq < ?")
_EMPTY = Sql("UPDATE change SET sealed = NULL WHERE stream_id = ? AND seq = ?")


def in_stream(person, act):
    """Do something to a person's stream in one transaction: `act(stream id)`."""
    with person.app.app_context():
        write_transaction(act)(book_of(person).stream_id)


def purge(person, floor):
    """Delete the changes below a floor as maintenance does: the one at the floor stays."""

    def act(stream_id):
        lane().run(_RAISE, (floor, stream_id))
        lane().run(_PURGE, (stream_id, floor))

    in_stream(person, act)


def append(person, *rows):
    """Write rows of (entity, entity id, op, version, fields after) into a person's log."""

    @write_transaction
    def act(actor, book):
        log = ChangeLog(actor, book)
        for entity, entity_id, op, version, after in rows:
            log.append(entity, entity_id, op, version, None, after)

    class Somebody:
        user_id, token_id, request_id = person.id, None, "written-in-a-test"

    with person.app.app_context():
        act(Somebody, book_of(person))


@pytest.fixture
def story(alice):
    """Some deeds, and what the feed must say of them."""
    ada, grace = alice.contact(first_name="Ada"), alice.contact(first_name="Grace")
    alice.patch(f"/contacts/{ada['id']}", json={"nickname": "A"})
    alice.patch(f"/contacts/{ada['id']}", json={"nickname": "A"})  # changes nothing
    alice.delete(f"/contacts/{grace['id']}")
    alice.post(f"/contacts/{ada['id']}/revert", json={"version": 1})
    return [
        ("contact.created", ada["id"], 1),
        ("contact.created", grace["id"], 1),
        ("contact.updated", ada["id"], 2),
        ("contact.deleted", grace["id"], 2),
        ("contact.updated", ada["id"], 3),
    ]


def test_it_tells_everything_in_its_order(alice, story):
    found = page(alice)
    assert told(found["items"]) == story
    assert found["has_more"] is False
    assert [item["seq"] for item in found["items"]] == [1, 2, 3, 4, 5]
    for item, row in zip(found["items"], log_of(alice), strict=True):
        assert item["data"] == row["after"]
        assert item["changed_fields"] == row["changed_fields"].split()
        assert (item["actor_id"], item["request_id"]) == (alice.id, row["request_id"])
        assert item["at"] == clock.rfc3339(row["at"])
    assert [item["data"] for item in found["items"]][1:4:2] == [{"first_name": "Grace"}, None]


@pytest.mark.parametrize("limit", [1, 2, 5, 500])
def test_pages_of_any_size_lead_through_it(alice, story, limit):
    items, end = follow(alice, limit=limit)
    assert told(items) == story
    assert follow(alice, end, limit=limit) == ([], end)
    alice.contact(first_name="Joan")
    [item], later = follow(alice, end, limit=limit)
    assert item["data"] == {"first_name": "Joan"}
    assert later != end


def test_a_cursor_is_given_before_anything_happened(alice):
    empty = page(alice)
    assert (empty["items"], empty["has_more"]) == ([], False)
    made = alice.contact()
    items, _ = follow(alice, empty["next_cursor"])
    assert told(items) == [("contact.created", made["id"], 1)]


def test_every_answer_continues_the_one_before_while_somebody_writes(alice):
    """Not even a page that was full to the last item, or looked through to the end, skips."""
    items, since = [], None
    for number in range(12):
        made = [alice.contact(nickname=f"n{number}") for _ in range(number % 3)]
        found = page(alice, since, limit=2)
        assert len(found["items"]) == len(made)
        assert found["has_more"] is False
        items, since = items + found["items"], found["next_cursor"]
    assert [item["seq"] for item in items] == list(range(1, 13))


TYPES = {
    "contact": ("contact.created", "contact.updated", "contact.deleted"),
    "contact.deleted": ("contact.deleted",),
    "contact.updated,contact.created": ("contact.created", "contact.updated"),
    "note": ("note.created", "note.processed"),
    "note.processed,contact.deleted": ("note.processed", "contact.deleted"),
}


@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("limit", [1, 50])
def test_types_leave_out_the_rest(alice, story, types, limit):
    append(alice, ("note", 7, "create", 1, {"body": "a"}), ("note", 7, "process", 1, {"body": "a"}))
    story = [*story, ("note.created", 7, 1), ("note.processed", 7, 1)]
    items, end = follow(alice, types=types, limit=limit)
    assert told(items) == [entry for entry in story if entry[0] in TYPES[types]]
    assert follow(alice, end) == ([], end)  # the cursor has gone past the others too
    assert told(follow(alice)[0]) == story


def test_changes_that_were_left_out_are_looked_through_a_part_at_a_time(alice, monkeypatch):
    monkeypatch.setattr(part, "_LOOKED_THROUGH", 4)
    append(alice, *(("note", n, "create", 1, {"body": "a"}) for n in range(1, 11)))
    made = alice.contact()
    found = page(alice, types="contact")
    assert (found["items"], found["has_more"]) == ([], True)
    assert told(follow(alice, types="contact")[0]) == [("contact.created", made["id"], 1)]
    assert len(follow(alice, types="note", limit=3)[0]) == 10


def test_every_kind_of_change_has_a_type():
    kinds = {f"{entity}.{op}" for entity in ENTITIES for op in SHOWN.values()}
    # What a job adds is told of notes; nothing processes contacts or data.
    assert {*kinds, *ENTITIES} - set(feed.TYPES) == {
        *("contact.processed", "data.processed", "data.restored", "data.purged"),
        *("custom_field.processed", "custom_field.purged"),
    }
    assert set(feed.TYPES) <= {*kinds, *ENTITIES}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("types=label", 400, "unknown_parameter"),
        ("types=contact.processed", 400, "unknown_parameter"),
        ("types=", 400, "unknown_parameter"),
        ("types=contact,contact", 400, "repeated_parameter"),
        ("cursor=x", 400, "unknown_parameter"),
        ("since=x", 400, "invalid_cursor"),
        ("since=", 400, "invalid_cursor"),
        ("since=%C3%A4", 400, "invalid_cursor"),
        ("limit=0", 422, "invalid_fields"),
        ("limit=501", 422, "invalid_fields"),
        ("wait=31", 422, "invalid_fields"),
        ("wait=-1", 422, "invalid_fields"),
        ("wait=1.5", 422, "invalid_fields"),
    ],
)
def test_a_wrong_question_is_refused(alice, query, status, code):
    refused(alice.get(f"/changes?{query}"), status, code)


# AZ-7
def test_a_cursor_is_its_readers_and_its_books_own(cast):
    alice, carol = cast.alice, cast.carol
    alice.contact(), carol.contact()
    mine = page(alice)["next_cursor"]
    shared = f"/changes?book={alice.book_id}&since="
    refused(carol.get(f"/changes?since={mine}"), 400, "invalid_cursor")
    refused(carol.get(f"{shared}{mine}"), 400, "invalid_cursor")
    hers = page(carol, book=alice.book_id)["next_cursor"]
    assert carol.get(f"{shared}{hers}").status_code == 200
    refused(carol.get(f"/changes?since={hers}"), 400, "invalid_cursor")
    for place in (3, 9, 40, 100):
        changed = mine[:place] + ("A" if mine[place] != "A" else "B") + mine[place + 1 :]
        refused(alice.get(f"/changes?since={changed}"), 400, "invalid_cursor")


# AZ-7
def test_a_cursor_of_another_list_is_a_mismatch(alice):
    made, _ = alice.contact(), alice.contact()
    alice.patch(f"/contacts/{made['id']}", json={"nickname": "G"})
    for path in ("/contacts", f"/contacts/{made['id']}/history"):
        other = alice.get(f"{path}?limit=1").json["next_cursor"]
        refused(alice.get(f"/changes?since={other}"), 400, "cursor_mismatch")
        mine = page(alice)["next_cursor"]
        refused(alice.get(f"{path}?cursor={mine}"), 400, "cursor_mismatch")


# AZ-2
def test_a_stranger_is_told_nothing_of_a_book(cast):
    cast.alice.contact(first_name="Zaphod-marker")
    for person in (cast.bob, cast.admin):
        for query in ("", "&wait=1", "&types=contact"):
            answer = person.get(f"/changes?book={cast.alice.book_id}{query}")
            refused(answer, 404, "not_found")
            assert "marker" not in answer.text
        assert page(person)["items"] == []
    assert len(page(cast.eve, book=cast.alice.book_id)["items"]) == 1
    assert page(cast.carol)["items"] == []


def test_it_has_a_tag_and_a_head(alice, story):
    first = alice.get("/changes?limit=2")
    tag = first.headers["ETag"]
    again = alice.get("/changes?limit=2", headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    head = alice.request("HEAD", "/changes?limit=2")
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", tag)
    assert head.headers["Content-Length"] == first.headers["Content-Length"]
    in_stream(alice, lambda stream_id: lane().run(_EMPTY, (stream_id, 1)))
    erased = alice.get("/changes?limit=2", headers={"If-None-Match": tag})
    assert erased.status_code == 200
    assert [item["data"] for item in erased.json["items"]] == [None, {"first_name": "Grace"}]


def test_a_purge_leaves_the_kept_ones_and_the_cursors_at_and_above_the_floor(alice, story):
    cursors = [page(alice, limit=n)["next_cursor"] for n in range(1, 6)]
    purge(alice, 3)
    assert told(follow(alice)[0]) == story[3:]
    for seq, cursor in enumerate(cursors, 1):
        if seq < 3:
            refused(alice.get(f"/changes?since={cursor}"), 410, "cursor_expired")
            refused(alice.get(f"/changes?since={cursor}&wait=20"), 410, "cursor_expired")
        else:
            assert told(follow(alice, cursor)[0]) == story[seq:]


def test_a_book_that_was_erased_meanwhile_is_not_found(alice):
    with alice.app.app_context(), pytest.raises(NotFound):
        part.read(book_of(alice)._replace(stream_id=2**40), None, (), 1, 1)


def test_what_is_below_the_floor_and_not_deleted_yet_is_not_told(alice, story):
    in_stream(alice, lambda stream_id: lane().run(_RAISE, (4, stream_id)))
    assert told(follow(alice)[0]) == story[4:]
    assert told(follow(alice, types="contact.created")[0]) == []


def test_a_cursor_from_before_everything_was_purged_is_too_old(alice):
    start = page(alice)["next_cursor"]
    alice.contact()
    assert len(page(alice, start)["items"]) == 1
    purge(alice, 1)
    refused(alice.get(f"/changes?since={start}"), 410, "cursor_expired")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("later_writes", [0, 1, 2, 3])
def test_a_cursor_from_before_a_database_was_copied_back_is_gone(engine, new_app, later_writes):
    """Its seq may be there again; its head is not. One from before the copy goes on."""
    person, older = Person(new_app(engine), "alice"), driver.connect(":memory:")
    person.contact()
    before = page(person)["next_cursor"]
    with person.app.app_context():
        path = database().engine.url.database
    copy_database(path, older)
    person.contact(), person.contact()
    lost = [page(person, limit=n)["next_cursor"] for n in (2, 3)]
    copy_database(older, path)
    with person.app.app_context():
        database().engine.dispose()
    for _ in range(later_writes):
        person.contact()
    for cursor in lost:
        refused(person.get(f"/changes?since={cursor}"), 410, "cursor_expired")
    items, _ = follow(person, before)
    assert [item["seq"] for item in items] == list(range(2, 2 + later_writes))


# DU-5
def test_a_clock_that_jumps_changes_no_order(alice, monkeypatch):
    now, names = clock.now_ms(), []
    since = page(alice)["next_cursor"]
    for number, step in enumerate((0, -_HOUR, _HOUR, -_HOUR, 0)):
        monkeypatch.setattr(clock, "now_ms", lambda step=step: now + step)
        alice.sign_in()  # a token of the other hour may have run out, or not have begun
        alice.contact(nickname=f"n{number}")
        names.append(f"n{number}")
        items, since = follow(alice, since)
        assert [item["data"]["nickname"] for item in items] == [f"n{number}"]
    items, _ = follow(alice, limit=2)
    assert [item["data"]["nickname"] for item in items] == names
    assert [item["at"] for item in items] != sorted(item["at"] for item in items)
