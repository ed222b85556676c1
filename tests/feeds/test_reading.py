"""GET /feeds/{token}.ics."""

import hashlib
import hmac
from base64 import urlsafe_b64encode

import pytest

from contactapp import clock
from contactapp.books import service as books
from contactapp.database import Sql, lane
from contactapp.keyring import PURPOSES, keyring
from tests.feeds.conftest import name_of
from tests.support.books import at, fill, opened
from tests.support.cast import PASSWORD, Person, refused
from tests.support.stored import issue_link, newest_link, set_user

SAME = {"X-Request-ID": "the-same"}


@pytest.fixture
def feed(alice, subscribe):
    """Alice's, of Grace and Ada, and of three whose day is not known."""
    alice.contact(first_name="Grace", last_name="Hopper", birthday="1906-12-09")
    alice.contact(first_name="Ada", birthday="--02-29")
    alice.contact(first_name="No", last_name="Day", birthday="1912")
    alice.contact(first_name="No", last_name="Day", birthday="1912-06")
    alice.contact(company="Navy", anniversary="1990-01-01")
    return subscribe(alice, label="Friends; family, others")


def gone(feed):
    """Assert that its address is as one that never was, and return the answer."""
    answer = feed.client.get(feed.path, headers=SAME)
    never = feed.client.get("/api/v1/feeds/nothing.ics", headers=SAME)
    refused(answer, 404, "not_found")
    assert answer.data == never.data
    assert dict(answer.headers).keys() == dict(never.headers).keys()
    return answer


def test_whoever_has_the_address_reads_the_birthdays(feed):
    answer = feed.get()
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert feed.token not in answer.headers["Content-Disposition"]
    assert name_of(feed.calendar()) == "Friends; family, others"
    assert set(feed.events()) == {"Grace Hopper (1906)", "Ada"}


def test_without_a_label_it_has_a_name_all_the_same(alice, subscribe):
    assert name_of(subscribe(alice).calendar()) == "Birthdays"


def test_an_event_keeps_its_uid_while_its_contact_changes(alice, subscribe, monkeypatch):
    made = alice.contact(first_name="Grace", birthday="1906-12-09")
    feed = subscribe(alice)
    before = feed.events()["Grace (1906)"]
    later = clock.now_ms() + 5000
    monkeypatch.setattr(clock, "now_ms", lambda: later)
    changed = alice.patch(f"/contacts/{made['id']}", json={"birthday": "1906-12-10"}).json
    after = feed.events()["Grace (1906)"]
    assert before["UID"] == after["UID"] == f"{made['uid']}-birthday"
    assert after["DTSTART"].dt.day == 10
    shown = after["DTSTAMP"].dt.isoformat().replace("+00:00", "Z")
    assert shown == changed["updated_at"]
    alice.delete(f"/contacts/{made['id']}")
    assert feed.events() == {}


def test_the_tag_stands_for_the_book_and_the_feed(alice, feed, subscribe):
    answer = feed.get()
    tag = answer.headers["ETag"]
    assert tag.startswith('"l')
    again = feed.get(If_None_Match=tag)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert again.headers["Cache-Control"] == answer.headers["Cache-Control"]
    assert "Content-Type" not in again.headers
    assert feed.get(If_None_Match=f'W/{tag}, "x"').status_code == 304
    assert subscribe(alice).get(If_None_Match=tag).status_code == 200
    alice.contact(first_name="Mary", birthday="2001-01-02")
    fresh = feed.get(If_None_Match=tag)
    assert fresh.status_code == 200
    assert fresh.headers["ETag"] != tag
    assert "Mary (2001)" in fresh.text


def test_what_has_not_changed_is_told_without_the_book_being_opened(alice, feed, new_app, engine):
    tag = feed.get().headers["ETag"]
    url = alice.app.extensions["contactapp.settings"].database_url
    second = at(new_app(engine, database=url), alice)
    client = second.app.test_client()
    count, answer = opened(second, lambda: client.get(feed.path, headers={"If-None-Match": tag}))
    assert (count, answer.status_code) == (0, 304)
    count, answer = opened(second, lambda: client.get(feed.path))
    assert (count, answer.headers["ETag"]) == (5, tag)


def test_head_says_what_get_does(feed):
    answer, head = feed.get(), feed.client.head(feed.path)
    assert (head.status_code, head.data) == (200, b"")
    varying = {"X-Request-ID", "RateLimit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
    headers = [{k: v for k, v in a.headers.items() if k not in varying} for a in (answer, head)]
    assert headers[0] == headers[1]
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert feed.client.head(feed.path, headers=tag).status_code == 304


def test_it_is_counted_by_address(engine, new_app, subscribe):
    app = new_app(engine, ANONYMOUS_RATE_LIMITS="2 per hour")
    feed = subscribe(Person(app, "ann"))
    statuses = [feed.get().status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert feed.get(If_None_Match="*").status_code == 429


def test_it_takes_no_query(feed):
    refused(feed.client.get(f"{feed.path}?book=1"), 400, "unknown_parameter")


# AZ-7
def test_a_changed_address_is_404(feed):
    number, _, mac = feed.token.partition("-")
    last = mac[:-1] + chr(ord(mac[-1]) ^ 1)  # the two bits that Base64 has to spare
    for token in (
        f"{number}-{'A' * 43}",
        f"{int(number) + 1}-{mac}",
        f"0{feed.token}",
        f"{number}-{last}",
        f"{number}-{mac}=",
        f"{number}-{mac.swapcase()}",
        f"{feed.token}.ics",
        f"{9 * 10**15}-{mac}",
        f"{'9' * 16}-{mac}",
        f"{'9' * 5000}-{mac}",
        number,
        f"-{mac}",
        mac,
        "%00",
        "%E2%82%AC-" + mac,
        "٣-" + mac,
    ):
        answer = feed.client.get(f"/api/v1/feeds/{token}.ics", headers=SAME)
        refused(answer, 404, "not_found")
    assert feed.get().status_code == 200


# AZ-7
def test_the_address_of_one_feed_does_not_open_another(alice, bob, subscribe):
    alice.contact(first_name="Grace", birthday="1906-12-09")
    mine, theirs = subscribe(alice), subscribe(bob)
    for one, other in ((mine, theirs), (theirs, mine)):
        mixed = f"{one.id}-{other.token.partition('-')[2]}"
        refused(mine.client.get(f"/api/v1/feeds/{mixed}.ics"), 404, "not_found")


# TK-2
@pytest.mark.parametrize("purpose", PURPOSES)
def test_only_the_key_of_feeds_makes_an_address(feed, alice, purpose):
    with alice.app.app_context():
        uid = lane().one(Sql("SELECT uid FROM feed WHERE id = ?"), (feed.id,))[0]
        text = f"birthdays|{feed.id}|{alice.id}|{alice.book_id}|{uid}"
        mac = hmac.digest(keyring().purpose(purpose), text.encode(), hashlib.sha256)
    token = f"{feed.id}-{urlsafe_b64encode(mac).decode().rstrip('=')}"
    answer = feed.client.get(f"/api/v1/feeds/{token}.ics")
    assert answer.status_code == (200 if purpose == "feed" else 404)


def test_a_deleted_feed_is_404_at_once(alice, feed, subscribe):
    tag = feed.get().headers["ETag"]
    other = subscribe(alice)
    alice.delete(f"/feeds/{feed.id}")
    gone(feed)
    assert feed.get(If_None_Match=tag).status_code == 404
    assert feed.client.head(feed.path).status_code == 404
    assert other.get().status_code == 200


# AZ-6
@pytest.mark.parametrize("name", ["carol", "eve"])
def test_a_feed_of_a_shared_book_ends_with_the_sharing(cast, subscribe, name):
    cast.alice.contact(first_name="Grace", birthday="1906-12-09")
    person = getattr(cast, name)
    person.contact(first_name="Own", birthday="2000-01-01")
    feed = subscribe(person, f"?book={cast.alice.book_id}")
    assert set(feed.events()) == {"Grace (1906)"}
    tag = feed.get().headers["ETag"]
    with cast.app.app_context():
        books.unshare_book(cast.alice.id, person.id)
    gone(feed)
    assert feed.get(If_None_Match=tag).status_code == 404
    [shown] = person.get("/feeds").json["items"]
    assert shown == {**feed.feed, "active": False}
    with cast.app.app_context():
        books.share_book(cast.alice.id, person.id, "viewer")
    assert feed.get().status_code == 200
    assert person.get("/feeds").json["items"] == [feed.feed]


# AZ-6
def test_an_editor_made_a_viewer_reads_on(cast, subscribe):
    feed = subscribe(cast.carol, f"?book={cast.alice.book_id}")
    with cast.app.app_context():
        books.share_book(cast.alice.id, cast.carol.id, "viewer")
    assert feed.get().status_code == 200


# AZ-6, TK-6
def test_a_deactivated_user_has_no_feeds_and_the_others_keep_theirs(cast, subscribe):
    feed = subscribe(cast.alice)
    shared = subscribe(cast.carol, f"?book={cast.alice.book_id}")
    set_user(cast.app, cast.alice.id, active=False)
    gone(feed)
    assert shared.get().status_code == 200  # as Carol herself may still read the book
    set_user(cast.app, cast.alice.id, active=True)
    set_user(cast.app, cast.carol.id, active=False)
    assert feed.get().status_code == 200
    gone(shared)


# PR-2
def test_an_erased_account_has_no_feeds_nor_has_anybody_of_its_books(cast, subscribe):
    feed = subscribe(cast.alice)
    shared = subscribe(cast.carol, f"?book={cast.alice.book_id}")
    own = subscribe(cast.carol)
    assert cast.alice.delete("/users/me", json={"password": PASSWORD}).status_code == 204
    gone(feed)
    gone(shared)
    assert own.get().status_code == 200


# AU-8, AU-7
def test_who_resets_the_password_gets_rid_of_feeds_that_others_made(alice, feed, client):
    body = {"token": issue_link(alice.app, alice.id, "reset"), "new_password": "a new long phrase"}
    assert client.post("/api/v1/auth/password/reset", json=body).status_code == 200
    gone(feed)


# AU-8
def test_who_proves_the_mailbox_gets_rid_of_feeds_that_others_made(alice, feed, client):
    body = {"token": newest_link(alice.app, alice.id, "verify")}
    answer = client.post("/api/v1/auth/verify-email", json=body)
    assert answer.json["needs_password"] is True
    gone(feed)


def test_changing_the_password_keeps_feeds(alice, feed):
    body = {"current_password": PASSWORD, "new_password": "a quite different phrase"}
    assert alice.post("/auth/password/change", json=body).status_code == 200
    assert feed.get().status_code == 200


def test_a_large_book_is_read_too(engine, new_app, subscribe, monkeypatch):
    app = new_app(engine, CONTACT_LIMIT="0")
    ann = Person(app, "ann")
    fill(app, ann.book_id, 300)
    monkeypatch.setattr(books, "LARGE", 299)
    feed = subscribe(ann)
    events = list(feed.calendar().walk("VEVENT"))
    assert len(events) == ann.get("/contacts?has=birthday&limit=1").json["total"] > 100
