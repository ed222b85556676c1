"""The trash: GET /contacts/trash, POST /contacts/{id}/restore, DELETE ?permanent=true."""

import pytest

from contactapp import clock, paging
from contactapp.database import Sql, lane, write_transaction
from tests.changes.test_change_log import unchanged
from tests.contacts.test_limit import at_the_limit, limited
from tests.support.cast import Person, refused
from tests.support.chains import Story
from tests.support.ledger import read_ledger
from tests.support.stored import book_state, contact_row

_KEPT = Sql("SELECT count(*) FROM change WHERE stream_id = ? AND sealed IS NOT NULL")
_STREAM = Sql("SELECT stream_id FROM book WHERE id = ?")
STALE = {"If-Match": '"v9-00000000"'}


def deleted(person, **fields):
    """A contact of theirs in the trash, as it was."""
    made = person.contact(**fields)
    assert person.delete(f"/contacts/{made['id']}").status_code == 204
    return made


def trash(person, query=""):
    answer = person.get(f"/contacts/trash{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def restore(person, contact, query="", **kwargs):
    return person.post(f"/contacts/{contact['id']}/restore{query}", **kwargs)


def destroy(person, contact, query="", **kwargs):
    return person.delete(f"/contacts/{contact['id']}?permanent=true{query}", **kwargs)


def last_change(person):
    return person.get("/changes?limit=500").json["items"][-1]


def test_a_page_of_large_ones_ends_early_and_none_is_left_out(alice, monkeypatch):
    monkeypatch.setattr(paging, "PAGE_BYTES", 6000)
    for number in range(5):
        deleted(alice, nickname=str(number), custom_fields={"life": "x" * 5000})
    pages, following = [], "?limit=4"
    while following:
        page = trash(alice, following)
        pages.append([item["nickname"] for item in page["items"]])
        following = page["next_cursor"] and f"?limit=4&cursor={page['next_cursor']}"
    assert pages == [["4", "3"], ["2", "1"], ["0"]]


def test_what_was_deleted_lies_there_the_last_first(cast, monkeypatch):
    now = clock.now_ms()
    first = deleted(cast.alice, nickname="first")
    second = cast.alice.contact(nickname="second")
    monkeypatch.setattr(clock, "now_ms", lambda: now + 60_000)
    cast.carol.delete(f"/contacts/{second['id']}?book={cast.alice.book_id}")
    page = trash(cast.alice)
    assert [item["nickname"] for item in page["items"]] == ["second", "first"]
    assert [item["deleted_by"] for item in page["items"]] == [cast.carol.id, cast.alice.id]
    assert page["items"][0]["deleted_at"] == clock.rfc3339(now + 60_000)
    varying = {"version", "updated_at", "updated_by", "deleted_at", "deleted_by", "merged_into"}
    assert {k: v for k, v in page["items"][1].items() if k not in varying} == {
        k: v for k, v in first.items() if k not in varying
    }
    assert (page["total"], cast.alice.get("/contacts").json["total"]) == (2, 0)
    refused(cast.alice.get(f"/contacts/{first['id']}"), 404, "not_found")
    assert trash(cast.bob) == {"items": [], "next_cursor": None, "total": 0}


def test_those_of_one_moment_are_paged_by_their_numbers(alice, monkeypatch):
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    made = [deleted(alice, nickname=f"n{n}")["id"] for n in range(5)]
    seen, query = [], "?limit=2"
    while query:
        page = trash(alice, query)
        seen += [item["id"] for item in page["items"]]
        query = page["next_cursor"] and f"?limit=2&cursor={page['next_cursor']}"
    assert seen == made[::-1]


# OB-2
def test_a_restored_contact_is_as_it_was_with_its_notes(alice):
    made = alice.contact(first_name="Grace", custom_fields={"a": 1})
    path = f"/contacts/{made['id']}"
    alice.post(f"{path}/notes", json={"body": "kept"})
    before = book_state(alice)
    alice.delete(path)
    answer = restore(alice, made, headers={"If-Match": '"v2-00000000"'})
    assert (answer.status_code, answer.json["version"]) == (200, 3)
    assert answer.headers["ETag"].startswith('"v3-')
    assert {**answer.json, "version": 1, "updated_at": made["updated_at"]} == made
    assert alice.get(path).json == answer.json == alice.get("/contacts").json["items"][0]
    assert [note["body"] for note in alice.get(f"{path}/notes").json["items"]] == ["kept"]
    assert book_state(alice)[2:] == before[2:]
    assert book_state(alice).seq == before.seq + 2
    told = last_change(alice)
    assert (told["op"], told["version"], told["data"]["first_name"]) == ("restored", 3, "Grace")
    assert trash(alice)["total"] == 0
    assert [v["op"] for v in alice.get(f"{path}/history").json["items"]] == [
        *("restored", "deleted", "created"),
    ]


def test_a_contact_that_is_not_in_the_trash_stays_as_it_is(alice):
    made = alice.contact()
    answer = unchanged(alice, made["id"], lambda: restore(alice, made))
    assert (answer.status_code, answer.json) == (200, made)


# CC-2
def test_restoring_takes_a_place_again_and_is_refused_where_there_is_none(alice):
    limited(alice, 1)
    gone = deleted(alice)
    alice.contact()
    before = contact_row(alice.app, gone["id"]), book_state(alice)
    at_the_limit(restore(alice, gone), 1, 1)
    assert (contact_row(alice.app, gone["id"]), book_state(alice)) == before
    limited(alice, 2)
    assert restore(alice, gone).status_code == 200
    at_the_limit(alice.post("/contacts", json={"nickname": "more"}), 2, 2)


# AZ-2
def test_strangers_and_viewers_do_neither(cast):
    gone = deleted(cast.alice, first_name="Zaphod-marker")
    book = f"book={cast.alice.book_id}"
    before = contact_row(cast.app, gone["id"]), book_state(cast.alice)
    for person, query in ((cast.bob, ""), (cast.bob, book), (cast.carol, ""), (cast.admin, book)):
        for answer in (
            restore(person, gone, f"?{query}"),
            destroy(person, gone, f"&{query}" if query else ""),
        ):
            refused(answer, 404, "not_found")
            assert "marker" not in answer.text
    for answer in (restore(cast.eve, gone, f"?{book}"), destroy(cast.eve, gone, f"&{book}")):
        refused(answer, 403, "read_only_book")
    assert (contact_row(cast.app, gone["id"]), book_state(cast.alice)) == before
    assert restore(cast.carol, gone, f"?{book}").status_code == 200


@pytest.mark.parametrize("act", [restore, destroy])
def test_another_version_is_412_and_nothing_happens(alice, act):
    gone = deleted(alice)
    answer = unchanged(alice, gone["id"], lambda: act(alice, gone, headers=STALE))
    assert refused(answer, 412, "version_mismatch")["current_version"] == 2


@pytest.fixture(scope="module")
def owner(engine, new_app):
    """Somebody alone in an application, of which all books can be checked."""
    return Person(new_app(engine), "olga")


# OB-2, PR-2
@pytest.mark.parametrize("from_trash", [False, True])
def test_for_good_is_for_good_and_the_log_still_tells_the_truth(owner, from_trash):
    kept, made = owner.contact(nickname="kept"), owner.contact(first_name="Zaphod-marker")
    path = f"/contacts/{made['id']}"
    note = owner.post(f"{path}/notes", json={"body": "note-marker"}).json
    other = owner.post(f"{path}/notes", json={"body": "gone-marker"}).json
    owner.delete(f"/notes/{other['id']}")
    owner.get("/contacts/search?q=marker")  # its texts are in memory now
    if from_trash:
        owner.delete(path)
    before = book_state(owner)
    assert destroy(owner, made).status_code == 204
    after = book_state(owner)
    assert (after.charged, after.live, after.seq) == (before.live - 1 + from_trash,) * 2 + (
        before.seq + 3,
    )
    refused(owner.get(path), 404, "not_found")
    refused(restore(owner, made), 404, "not_found")
    refused(destroy(owner, made), 404, "not_found")
    refused(owner.get(f"/notes/{note['id']}"), 404, "not_found")
    told = owner.get("/changes?limit=500").json["items"]
    assert [(item["type"], item["op"]) for item in told[-3:]] == [
        *[("note", "purged")] * 2,
        ("contact", "purged"),
    ]
    of_it = [c for c in told if c["id"] == made["id"] and c["type"] == "contact"]
    assert [c["op"] for c in of_it] == ["created", *["deleted"] * from_trash, "purged"]
    assert {c["data"] and "there" for c in of_it} == {None}
    for answer in (owner.get("/changes?limit=500"), owner.get("/audit?limit=500")):
        assert "marker" not in answer.text
    assert owner.get("/contacts/search?q=marker").json["total"] == 0
    assert kept["id"] in read_ledger(owner.app)[owner.book_id]


def test_the_chain_holds_after_a_contact_is_gone_for_good(engine, new_app):
    story = Story(new_app(engine))
    story.mark()
    assert destroy(story.ann, {"id": story.contact}).status_code == 204
    assert story.broken() == {}
    with story.app.app_context():
        [stream] = lane().one(_STREAM, (story.ann.book_id,))
        assert lane().one(_KEPT, (stream,)) == (1,)  # that of the purge


def test_a_restored_contact_is_no_longer_a_part_of_another(alice):
    gone = deleted(alice)

    @write_transaction
    def merge():
        lane().run(Sql("UPDATE contact SET merged_into = 1 WHERE id = ?"), (gone["id"],))

    with alice.app.app_context():
        merge()
        assert restore(alice, gone).status_code == 200
        found = lane().one(Sql("SELECT merged_into FROM contact WHERE id = ?"), (gone["id"],))
    assert found == (None,)


@pytest.mark.parametrize("value", ["", "1", "yes", "TRUE"])
def test_a_flag_that_is_none_deletes_nothing(alice, value):
    made = alice.contact()
    answer = unchanged(
        alice, made["id"], lambda: alice.delete(f"/contacts/{made['id']}?permanent={value}")
    )
    refused(answer, 422, "invalid_fields", "?permanent")
