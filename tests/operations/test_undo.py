"""GET /operations and POST /operations/{id}/undo."""

import pytest

from contactapp import clock
from contactapp.actor import server_itself
from contactapp.books.service import book_at
from contactapp.changes.log import ChangeLog
from contactapp.contacts.many import Many
from contactapp.database import Sql, lane, write_transaction
from contactapp.notes import writing
from contactapp.operations import service as operations
from contactapp.operations import undo as undoing
from tests.changes.test_change_log import unchanged
from tests.changes.test_retention import DAY, purge
from tests.contacts.test_bulk import bulk, create
from tests.contacts.test_limit import at_the_limit, limited
from tests.contacts.test_trash import destroy
from tests.support.books import book_of
from tests.support.cast import refused
from tests.support.chains import Story
from tests.support.stored import book_state

ABSENT = 2**52
_MERGED = Sql("SELECT merged_into FROM contact WHERE id = ?")


def undo(person, operation_id, query=""):
    return person.post(f"/operations/{operation_id}/undo{query}")


def undone(person, operation_id):
    answer = undo(person, operation_id)
    assert answer.status_code == 200, answer.text
    return answer.json


def get(person, operation_id):
    answer = person.get(f"/operations/{operation_id}")
    assert answer.status_code == 200, answer.text
    return answer.json


def live(person):
    """What one sees of one's contacts, without what every write moves on."""
    moving = {"version", "updated_at", "updated_by"}
    items = person.get("/contacts?limit=500").json["items"]
    return [{k: v for k, v in item.items() if k not in moving} for item in items]


@pytest.fixture
def three(alice):
    """Three contacts of Alice's, and one operation that created, changed and deleted."""
    changed, deleted, other = (alice.contact(nickname=name) for name in ("one", "two", "three"))
    update = {"op": "update", "id": changed["id"], "contact": {"nickname": "new", "title": "T"}}
    before = live(alice)
    answer = bulk(alice, create(), update, {"op": "delete", "id": deleted["id"]})
    return before, answer.json, changed, deleted, other


def test_an_operation_is_undone_whole_and_that_is_one_too(alice, three):
    before, told, changed, *_ = three
    after, state = live(alice), book_state(alice)
    operation = get(alice, told["operation_id"])
    assert (operation["kind"], operation["count"], operation["can_undo"]) == ("bulk", 3, True)
    assert (operation["actor_id"], operation["undoes"]) == (alice.id, None)
    took_back = undone(alice, operation["id"])
    assert (took_back["kind"], took_back["undoes"], took_back["count"]) == (
        "undo",
        operation["id"],
        3,
    )
    assert live(alice) == before
    assert book_state(alice).seq == state.seq + 3
    assert alice.get(f"/contacts/{changed['id']}").json["version"] == 3
    operation = get(alice, operation["id"])
    assert operation["undone_at"] == took_back["at"]
    assert (operation["undone_by"], operation["can_undo"]) == (alice.id, False)
    refused(undo(alice, operation["id"]), 409, "cannot_undo")
    again = undone(alice, took_back["id"])
    assert again["undoes"] == took_back["id"]
    assert live(alice) == after
    listed = alice.get("/operations").json["items"]
    assert [item["id"] for item in listed] == [again["id"], took_back["id"], operation["id"]]
    assert [item["can_undo"] for item in listed] == [True, False, False]
    assert listed == [get(alice, item["id"]) for item in listed]


def edit(alice, contact):
    alice.patch(f"/contacts/{contact['id']}", json={"nickname": "later"})


def edit_and_put_back(alice, contact):
    edit(alice, contact)
    alice.patch(f"/contacts/{contact['id']}", json={"nickname": "new"})


def delete(alice, contact):
    alice.delete(f"/contacts/{contact['id']}")


@pytest.mark.parametrize("act", [edit, edit_and_put_back, delete, destroy])
def test_what_was_changed_since_is_not_undone(cast, three, act):
    _, told, changed, deleted, _ = three
    alice = cast.alice
    act(alice, changed)
    alice.post(f"/contacts/{deleted['id']}/restore")
    assert not get(alice, told["operation_id"])["can_undo"]
    before = book_state(alice)
    problem = refused(undo(alice, told["operation_id"]), 409, "edited_since")
    assert {(e["entity"], e["id"]) for e in problem["edited"]} == {
        ("contact", changed["id"]),
        ("contact", deleted["id"]),
    }
    newest = alice.get("/changes?limit=500").json["items"]
    for edited in problem["edited"]:
        last = [c for c in newest if (c["type"], c["id"]) == (edited["entity"], edited["id"])][-1]
        assert (edited["version"], edited["changed_by"], edited["changed_at"]) == (
            last["version"],
            last["actor_id"],
            last["at"],
        )
    assert book_state(alice) == before


def test_what_was_changed_twice_by_one_call_is_as_before_it(alice):
    made = alice.contact(nickname="zero")
    updates = [
        {"op": "update", "id": made["id"], "contact": {"nickname": name}} for name in ("one", "two")
    ]
    told = bulk(alice, *updates).json
    assert undone(alice, told["operation_id"])["count"] == 1
    assert [item["nickname"] for item in live(alice)] == ["zero"]


def test_several_are_undone_one_after_another_the_newest_first(alice):
    made = alice.contact(nickname="zero")

    def rename(name):
        update = {"op": "update", "id": made["id"], "contact": {"nickname": name}}
        return bulk(alice, update).json["operation_id"]

    def names():
        return [item["nickname"] for item in live(alice)]

    one, two = rename("one"), rename("two")
    refused(undo(alice, one), 409, "edited_since")
    undone_two = undone(alice, two)["id"]
    assert (names(), get(alice, one)["can_undo"]) == (["one"], True)
    done_again = undone(alice, undone_two)["id"]
    assert (names(), get(alice, one)["can_undo"]) == (["two"], False)
    refused(undo(alice, one), 409, "edited_since")
    undone(alice, done_again)
    undone_one = undone(alice, one)["id"]
    assert names() == ["zero"]
    refused(undo(alice, two), 409, "cannot_undo")
    undone(alice, undone_one)
    assert names() == ["one"]


def test_what_was_not_touched_may_have_been_edited(alice, three):
    before, told, _, _, other = three
    edit(alice, other)
    undone(alice, told["operation_id"])
    assert [item["nickname"] for item in live(alice)] == ["one", "two", "later"]


# CC-2
def test_there_must_be_room_for_what_comes_back(alice):
    limited(alice, 3)
    made = [alice.contact(nickname=f"n{n}")["id"] for n in range(3)]
    told = bulk(alice, *[{"op": "delete", "id": id_} for id_ in made]).json
    alice.contact(nickname="new")
    before = book_state(alice)
    at_the_limit(undo(alice, told["operation_id"]), 3, 1)
    assert book_state(alice) == before
    assert get(alice, told["operation_id"])["can_undo"]
    limited(alice, 4)
    undone(alice, told["operation_id"])
    assert book_state(alice)[2:] == (4, 4)


# CC-2
def test_an_undo_that_makes_as_much_room_as_it_takes_is_done_at_the_limit(alice):
    limited(alice, 2)
    made = [alice.contact(nickname=f"n{n}")["id"] for n in range(2)]
    deletes = [{"op": "delete", "id": id_} for id_ in made]
    told = bulk(alice, *deletes, create(), create()).json
    undone(alice, undone(alice, undone(alice, told["operation_id"])["id"])["id"])
    assert [item["id"] for item in live(alice)] == made
    assert book_state(alice)[2:] == (2, 2)


# AZ-1, AZ-2
def test_strangers_find_nothing_and_viewers_change_nothing(cast, three):
    _, told, *_ = three
    id_, book, state = told["operation_id"], f"?book={cast.alice.book_id}", book_state(cast.alice)
    for person, query in ((cast.bob, ""), (cast.bob, book), (cast.carol, ""), (cast.admin, book)):
        foreign, absent = undo(person, id_, query), undo(person, ABSENT, query)
        assert (foreign.status_code, absent.status_code) == (404, 404)
        refused(person.get(f"/operations/{id_}{query}"), 404, "not_found")
    assert cast.bob.get("/operations").json["total"] == 0
    refused(undo(cast.eve, id_, book), 403, "read_only_book")
    shown = cast.eve.get(f"/operations/{id_}{book}").json
    assert (shown["id"], shown["can_undo"]) == (id_, False)
    assert book_state(cast.alice) == state
    assert undo(cast.carol, id_, book).json["actor_id"] == cast.carol.id


def test_notes_are_put_back_too(alice):
    contact = alice.contact()
    path = f"/contacts/{contact['id']}/notes"
    changed, deleted = (alice.post(path, json={"body": body}).json for body in ("one", "two"))
    before = {n["id"]: n["body"] for n in alice.get(path).json["items"]}
    operations = [
        {"op": "create", "note": {"contact_id": contact["id"], "body": "new"}},
        {"op": "update", "id": changed["id"], "note": {"body": "other"}},
        {"op": "delete", "id": deleted["id"]},
    ]
    told = alice.post("/notes/bulk", json={"operations": operations}).json
    after = {n["id"]: n["body"] for n in alice.get(path).json["items"]}
    took_back = undone(alice, told["operation_id"])
    assert {n["id"]: n["body"] for n in alice.get(path).json["items"]} == before
    assert alice.get("/notes?q=two").json["total"] == 1
    undone(alice, took_back["id"])
    assert {n["id"]: n["body"] for n in alice.get(path).json["items"]} == after
    nothing = alice.post("/notes/bulk", json={"operations": [{"op": "delete", "id": ABSENT}]}).json
    assert nothing["operation_id"] is None


def test_a_note_does_not_come_back_to_a_contact_that_is_gone_for_good(alice):
    first, second = alice.contact(), alice.contact()
    note = alice.post(f"/contacts/{first['id']}/notes", json={"body": "moving"}).json
    move = {"op": "update", "id": note["id"], "note": {"contact_id": second["id"]}}
    told = alice.post("/notes/bulk", json={"operations": [move]}).json
    destroy(alice, first)
    before = book_state(alice)
    problem = refused(undo(alice, told["operation_id"]), 409, "edited_since")
    assert [(e["entity"], e["id"], e["version"]) for e in problem["edited"]] == [
        ("contact", first["id"], 2)
    ]
    assert book_state(alice) == before


@pytest.fixture
def merged(alice):
    """What a merge does, by the parts that it is made of: (survivor, source, note, operation)."""
    survivor, source = alice.contact(nickname="survivor"), alice.contact(nickname="source")
    note = alice.post(f"/contacts/{source['id']}/notes", json={"body": "moves"}).json

    @write_transaction
    def merge():
        book = book_at(alice.book_id)
        actor = server_itself(book, "merge")
        log = ChangeLog(actor, book)
        made = operations.begin(log, actor, book, "merge")
        many = Many(log, actor, book, [survivor["id"], source["id"]])
        many.change(many.live(survivor["id"]), {"nickname": "both"})
        many.trash(many.live(source["id"]), merged_into=survivor["id"])
        found = writing.find(log, book, note["id"], None)
        writing.change(log, actor, book, found, {"contact_id": survivor["id"]})
        many.write()
        operations.end(log)
        return made

    with alice.app.app_context():
        return survivor, source, note, merge()


def test_a_merge_is_undone_and_done_again(alice, merged):
    survivor, source, note, operation_id = merged

    def state():
        with alice.app.app_context():
            [merged_into] = lane().one(_MERGED, (source["id"],))
        about = alice.get(f"/notes/{note['id']}").json["contact_id"]
        return [item["nickname"] for item in live(alice)], merged_into, about

    done = (["both"], survivor["id"], survivor["id"])
    assert state() == done
    took_back = undone(alice, operation_id)
    assert took_back["count"] == 3
    assert state() == (["survivor", "source"], None, source["id"])
    undone(alice, took_back["id"])
    assert state() == done


def test_what_is_no_longer_kept_cannot_be_undone(engine, new_app, monkeypatch):
    long = {"SESSION_SECONDS": str(3650 * 86400), "SESSION_IDLE_SECONDS": str(3650 * 86400)}
    story = Story(new_app(engine, CHANGE_RETENTION_DAYS="10", **long))
    told = bulk(story.ann, create(), create()).json
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now + 11 * DAY)
    purge(story)
    story.ann.sign_in()
    assert not get(story.ann, told["operation_id"])["can_undo"]
    refused(undo(story.ann, told["operation_id"]), 409, "cannot_undo")


def test_an_undo_that_fails_on_its_last_line_is_rolled_back_whole(alice, three, monkeypatch):
    _, told, changed, *_ = three

    def fail(*_args):
        raise RuntimeError("after everything was written")

    monkeypatch.setattr(undoing, "mark_undone", fail)
    answer = unchanged(alice, changed["id"], lambda: undo(alice, told["operation_id"]))
    refused(answer, 500, "internal_error")
    monkeypatch.undo()
    assert get(alice, told["operation_id"])["can_undo"]


def test_what_was_changed_a_thousand_times_since_is_read_once(alice):
    contact = alice.contact(nickname="one")

    def rename(word):
        change = {"op": "update", "id": contact["id"]}
        return bulk(alice, *({**change, "contact": {"title": f"{word} {n}"}} for n in range(20)))

    first, second = (rename(word).json for word in ("a", "b"))
    with alice.app.app_context():
        rows = undoing.edited_since(book_at(alice.book_id), first["operation_id"])
    assert [tuple(row[:3]) for row in rows] == [("contact", contact["id"], 41)]
    refused(undo(alice, first["operation_id"]), 409, "edited_since")
    undone(alice, second["operation_id"])
    undone(alice, first["operation_id"])
    assert alice.get(f"/contacts/{contact['id']}").json["title"] is None


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_no_statement_walks_through_the_whole_stream(app):
    given = {
        undoing._SINCE: 7,
        undoing._NEWEST: 3,
        undoing._MERGED: 4,
        operations._LISTED: 5,
        operations._ONE: 3,
    }
    with app.app_context():
        for sql, count in given.items():
            plan = lane().all(Sql(f"EXPLAIN QUERY PLAN {sql.qmark}"), (1,) * count)
            steps = [row[3] for row in plan]
            assert any("ix_change_" in step for step in steps)
            whole = ("(stream_id=?)", "(stream_id=? AND seq>?)")
            assert not [step for step in steps if step.endswith(whole)]


_READ = Sql(
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'change'"
)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_what_changed_since_is_found_without_statistics(alice):
    """As where an import is undone at once: PostgreSQL counts the rows of a table later."""
    made = bulk(alice, *(create() for _ in range(100))).json

    @write_transaction
    def rows_read():
        book = book_of(alice)
        [before] = lane().one(_READ)
        assert undoing.edited_since(book, made["operation_id"]) == []
        return lane().one(_READ)[0] - before

    with alice.app.app_context():
        assert rows_read() < 10 * 100
