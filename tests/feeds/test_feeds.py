"""POST and GET /feeds, DELETE /feeds/{id}."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from contactapp.database import Sql, database, lane
from contactapp.feeds.service import MAX_FEEDS
from contactapp.keyring import keyring
from tests.support.cast import Person, refused

BIRTHDAYS = {"kind": "birthdays"}
ABSENT = 2**52
SAME = {"X-Request-ID": "the-same"}


def listed(person):
    answer = person.get("/feeds")
    assert answer.status_code == 200, answer.text
    return answer.json["items"]


def kinds(person):
    return [event["kind"] for event in person.get("/audit").json["items"]]


def test_a_feed_is_made_and_listed_with_its_address(alice):
    made = alice.post("/feeds", json={**BIRTHDAYS, "label": "  Family  "})
    assert made.status_code == 201
    feed = made.json
    assert feed["url"].startswith("http://127.0.0.1:8000/api/v1/feeds/")
    assert {k: feed[k] for k in ("kind", "label", "book_id", "active")} == {
        "kind": "birthdays",
        "label": "Family",
        "book_id": alice.book_id,
        "active": True,
    }
    assert listed(alice) == [feed]


def test_two_feeds_have_two_addresses(alice):
    one, other = (alice.post("/feeds", json=BIRTHDAYS).json for _ in range(2))
    assert one["url"] != other["url"]
    assert listed(alice) == [one, other]


@pytest.mark.parametrize("label", [None, "", "  "])
def test_a_label_may_be_left_out(alice, label):
    assert alice.post("/feeds", json={**BIRTHDAYS, "label": label}).json["label"] is None


def test_every_wrong_field_is_named(alice):
    for kind in ("namedays", "", None, 1, ["birthdays"]):
        refused(alice.post("/feeds", json={"kind": kind}), 422, "invalid_fields", "/kind")
    refused(alice.post("/feeds", json={}), 422, "invalid_fields", "/kind")
    for label in ("x" * 101, "two\nlines", "\x1b[31m", 1, {}):
        answer = alice.post("/feeds", json={**BIRTHDAYS, "label": label})
        refused(answer, 422, "invalid_fields", "/label")
    refused(alice.post("/feeds", json={**BIRTHDAYS, "token": "x"}), 422, "invalid_fields", "/token")
    refused(alice.post("/feeds?limit=1", json=BIRTHDAYS), 400, "unknown_parameter")
    assert listed(alice) == []
    assert alice.post("/feeds", json={**BIRTHDAYS, "label": "x" * 100}).status_code == 201


# EM-1
def test_the_address_begins_as_configured_whatever_the_request_said(engine, new_app):
    person = Person(new_app(engine, BASE_URL="https://contacts.example.org/sub"), "ann")
    headers = {"Host": "localhost", "X-Forwarded-Host": "evil.example"}
    url = person.post("/feeds", json=BIRTHDAYS, headers=headers).json["url"]
    assert url.startswith("https://contacts.example.org/sub/api/v1/feeds/")


# AZ-1, AZ-2
def test_a_stranger_neither_lists_nor_deletes_it(cast):
    made = cast.alice.post("/feeds", json=BIRTHDAYS).json
    for person in (cast.bob, cast.carol, cast.eve, cast.admin):
        assert listed(person) == []
        foreign = person.delete(f"/feeds/{made['id']}", headers=SAME)
        absent = person.delete(f"/feeds/{ABSENT}", headers=SAME)
        refused(foreign, 404, "not_found")
        assert foreign.data == absent.data
    assert listed(cast.alice) == [made]
    assert cast.bob.app.test_client().get(urlsplit(made["url"]).path).status_code == 200


# AZ-1
def test_a_feed_of_a_book_that_is_not_shared_is_not_made(cast):
    for person in (cast.bob, cast.admin):
        foreign = person.post(f"/feeds?book={cast.alice.book_id}", json=BIRTHDAYS, headers=SAME)
        absent = person.post(f"/feeds?book={ABSENT}", json=BIRTHDAYS, headers=SAME)
        refused(foreign, 404, "not_found")
        assert foreign.data == absent.data
        assert listed(person) == []


def test_who_shares_a_book_may_make_one_of_it(cast):
    for person in (cast.carol, cast.eve):
        made = person.post(f"/feeds?book={cast.alice.book_id}", json=BIRTHDAYS)
        assert (made.status_code, made.json["book_id"]) == (201, cast.alice.book_id)
        assert listed(person) == [made.json]
    assert listed(cast.alice) == []


def test_a_deleted_feed_is_gone(alice):
    one, other = (alice.post("/feeds", json=BIRTHDAYS).json for _ in range(2))
    answer = alice.delete(f"/feeds/{one['id']}")
    assert (answer.status_code, answer.data) == (204, b"")
    refused(alice.delete(f"/feeds/{one['id']}"), 404, "not_found")
    assert listed(alice) == [other]


# OB-2
def test_making_and_deleting_are_events_that_name_no_address(alice):
    made = alice.post("/feeds", json={**BIRTHDAYS, "label": "Family"}, headers=SAME).json
    alice.delete(f"/feeds/{made['id']}")
    refused(alice.delete(f"/feeds/{made['id']}"), 404, "not_found")
    assert kinds(alice)[:3] == ["feed_deleted", "feed_made", "signed_in"]
    event = alice.get("/audit").json["items"][1]
    assert (event["details"], event["request_id"]) == ({"feed_id": made["id"]}, "the-same")


# CC-2
def test_the_limit_holds_under_parallel_tries(alice):
    for _ in range(MAX_FEEDS - 2):
        assert alice.post("/feeds", json=BIRTHDAYS).status_code == 201
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: alice.post("/feeds", json=BIRTHDAYS), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [403] * 6
    problem = refused(alice.post("/feeds", json=BIRTHDAYS), 403, "feed_limit_reached")
    assert (problem["limit"], problem["used"]) == (MAX_FEEDS, MAX_FEEDS)
    feeds = listed(alice)
    assert len(feeds) == MAX_FEEDS
    assert kinds(alice).count("feed_made") == MAX_FEEDS  # and none of a refused one
    alice.delete(f"/feeds/{feeds[0]['id']}")
    assert alice.post("/feeds", json=BIRTHDAYS).status_code == 201


# PR-3
def test_the_database_holds_neither_label_nor_address(alice):
    made = alice.post("/feeds", json={**BIRTHDAYS, "label": "Zanzibar"}).json
    mac = urlsplit(made["url"]).path.rpartition("/")[2].removesuffix(".ics").partition("-")[2]
    with alice.app.app_context():
        row = lane().one(Sql("SELECT * FROM feed WHERE id = ?"), (made["id"],))
        key = keyring().purpose("feed")
    held = b"|".join(bytes(v) if isinstance(v, bytes) else str(v).encode() for v in row)
    assert b"Zanzibar" not in held
    assert mac.encode() not in held
    assert key not in held


# PR-3
def test_swapped_labels_are_an_error_and_never_shown(alice, client, caplog):
    one, other = (alice.post("/feeds", json={**BIRTHDAYS, "label": n}).json for n in ("A1", "B2"))
    swap = text(
        "UPDATE feed SET sealed = (SELECT f.sealed FROM feed f WHERE f.id = :other) WHERE id = :one"
    )
    with alice.app.app_context(), database().engine.begin() as connection:
        connection.execute(swap, {"one": one["id"], "other": other["id"]})
    path = urlsplit(one["url"]).path
    for ask in (lambda: alice.get("/feeds"), lambda: client.get(path)):
        answer = ask()
        refused(answer, 500, "internal_error")
        assert "SealError" in caplog.text
        assert not {"A1", "B2"} & set(answer.text.split())
        caplog.clear()
