"""After a restore nobody is let in by what was good before, and whoever was erased stays erased."""

import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from contactapp import clock
from contactapp.auth import erased
from contactapp.database import Sql, lane
from contactapp.jobs import service as jobs
from contactapp.pictures.service import PHOTOS
from contactapp.worker import HANDLERS
from tests.support.backups import SECRETS, Place, back_up, carry_list, fill, person_of
from tests.support.cast import NOWHERE, PASSWORD, Cast, Person, refused
from tests.support.feed import follow, page
from tests.support.pictures import files
from tests.support.stored import issue_link

NEVER = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def past(engine, new_app, new_database, reopened, tmp_path):
    """An installation that goes on after its backup, and is then taken back to it."""
    app = new_app(engine, **SECRETS)
    cast = Cast(app)
    contact = fill(cast.alice)
    place = Place(new_database(engine), tmp_path / "instance")

    def restore(made, **options):
        report = place.restore(made.path, **options)
        twin = SimpleNamespace(report=report, app=reopened(place))
        twin.as_before = lambda person: _as_before(twin.app, person)
        return twin

    instance = app.extensions["contactapp.settings"].instance_path
    return SimpleNamespace(
        app=app, cast=cast, contact=contact, restore=restore, place=place, instance=instance
    )


def _as_before(app, person):
    """The person with the tokens that they had."""
    twin = object.__new__(Person)
    twin.__dict__.update(person.__dict__)
    twin.app = app
    return twin


def work(app):
    with app.app_context():
        while job := jobs.claim():
            jobs.finish(job, HANDLERS[job.kind](job))


# BR-3, TK-6
def test_whatever_let_somebody_in_is_dead(past):
    alice = past.cast.alice
    feed = alice.post("/feeds", json={"kind": "birthdays"}).json
    webhook = alice.post("/webhooks", json={"url": NOWHERE}).json
    assert alice.post(f"/webhooks/{webhook['id']}/test").status_code == 202
    fields = {"name": "program", "scopes": ["contacts:read"]}
    token = alice.post("/auth/api-tokens", json=fields).json["token"]
    link = issue_link(past.app, alice.id, "reset")
    made = back_up(past.app)
    later = Person(past.app, "later")
    now = past.restore(made)
    ended = now.report.ended
    assert (ended.sessions, ended.api_tokens, ended.feeds, ended.webhooks) == (1, 1, 1, 2)
    back = person_of(now.app, alice)  # of what she may have deleted since, nobody is told
    for found in back.get("/webhooks").json["items"]:
        assert (found["url"], found["active"], found["status"]) == (NOWHERE, False, "restored")
    assert back.get(f"/webhooks/{webhook['id']}/deliveries").json["items"] == []
    assert ended.links >= 1
    assert ended.letters >= 1
    client = now.app.test_client()
    for tokens in (alice, later):
        refused(now.as_before(tokens).get("/contacts"), 401, "invalid_token")
        body = {"refresh_token": tokens.refresh}
        assert client.post("/api/v1/auth/refresh", json=body).status_code == 401
    bearer = {"Authorization": f"Bearer {token}"}
    refused(client.get("/api/v1/contacts", headers=bearer), 401, "invalid_token")
    assert client.get(urlsplit(feed["url"]).path).status_code == 404
    reset = {"token": link, "new_password": "an entirely different phrase"}
    assert client.post("/api/v1/auth/password/reset", json=reset).status_code == 400
    assert person_of(now.app, alice).get("/contacts").json["total"] == 2


# TK-6
def test_a_session_from_after_the_backup_is_not_taken_for_a_later_one(past):
    alice = past.cast.alice
    made = back_up(past.app)
    alice.sign_in()
    now = past.restore(made)
    person_of(now.app, alice)  # else this session would have the number of that one
    refused(now.as_before(alice).get("/contacts"), 401, "invalid_token")


# BR-3
def test_every_cursor_of_the_feed_is_too_old(past):
    alice = past.cast.alice
    _, early = follow(alice)
    alice.contact(first_name="Hedy")
    made = back_up(past.app)
    alice.contact(first_name="Joan")
    _, late = follow(alice)
    now = past.restore(made)
    twin = person_of(now.app, alice)
    for since in (early, late):
        refused(twin.get("/changes", query_string={"since": since}), 410, "cursor_expired")
    items, cursor = follow(twin)
    assert items
    assert page(twin, cursor)["items"] == []
    twin.contact(first_name="Mary")
    assert len(follow(twin, cursor)[0]) == 1


# BR-3
def test_a_tag_of_a_version_that_was_given_twice_does_not_match(past):
    alice, path = past.cast.alice, f"/contacts/{past.contact['id']}"
    made = back_up(past.app)
    lost = alice.patch(path, json={"nickname": "lost"}).headers["ETag"]
    now = past.restore(made)
    twin = person_of(now.app, alice)
    kept = twin.patch(path, json={"nickname": "kept"})
    tag = kept.headers["ETag"]
    assert tag.split("-")[0] == lost.split("-")[0]
    refused(twin.patch(path, json={}, headers={"If-Match": lost}), 412, "version_mismatch")
    seen = twin.get(path, headers={"If-None-Match": lost})
    assert (seen.status_code, seen.json["nickname"]) == (200, "kept")
    assert twin.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert twin.patch(path, json={"nickname": "so"}, headers={"If-Match": tag}).status_code == 200
    number = twin.get(path).json["version"]
    by_hand = {"If-Match": f'"v{number}-0"'}
    assert twin.patch(path, json={"nickname": "hand"}, headers=by_hand).status_code == 200


# BR-3
@pytest.mark.parametrize("how", ["carried", "named"])
def test_who_was_erased_stays_erased(past, how, tmp_path):
    bob = past.cast.bob
    fill(bob)
    made = back_up(past.app)
    assert bob.delete("/users/me", json={"password": PASSWORD}).status_code == 204
    work(past.app)
    lists = ()
    if how == "carried":
        carry_list(past.instance, past.place.instance)
    else:
        lists = (past.instance / erased.NAME,)
    now = past.restore(made, lists=lists)
    assert now.report.erased == 1
    assert now.report.missing == 0
    login = {"email": bob.email, "password": PASSWORD}
    assert now.app.test_client().post("/api/v1/auth/token", json=login).status_code == 401
    with now.app.app_context():
        [wrapped] = lane().one(
            Sql("SELECT k.wrapped FROM users u JOIN key k ON k.id = u.key_id WHERE u.id = ?"),
            (bob.id,),
        )
    assert wrapped == b""
    assert (len(files(now.app)), len(files(now.app, PHOTOS))) == (3, 3)  # Alice's
    work(now.app)
    with now.app.app_context():
        assert lane().one(Sql("SELECT 1 FROM users WHERE id = ?"), (bob.id,)) is None
    assert person_of(now.app, past.cast.alice).get("/contacts").json["total"] == 2


# BR-3
def test_an_account_is_on_the_list_though_the_disk_was_full(past, monkeypatch):
    full, real = [True], erased.note

    def note(uid):
        if full:
            raise OSError(28, "No space left on device")
        real(uid)

    monkeypatch.setattr(erased, "note", note)
    bob = past.cast.bob
    assert bob.delete("/users/me", json={"password": PASSWORD}).status_code == 204
    with pytest.raises(OSError, match="No space"):
        work(past.app)
    full.clear()
    with past.app.app_context():
        [uid] = lane().one(Sql("SELECT uid FROM users WHERE id = ?"), (bob.id,))
    monkeypatch.setattr(clock, "now_ms", lambda: time.time_ns() // 1_000_000 + jobs.LEASE_MS)
    work(past.app)
    assert erased.listed(past.instance / erased.NAME) == {uid}


def test_half_a_line_of_the_list_is_passed_over(tmp_path):
    path = tmp_path / "erased.list"
    path.write_text(f"{NEVER} 2026-11-22T00:00:00Z\n{NEVER[:20]}")
    assert erased.listed(path) == {NEVER}
    assert erased.listed(tmp_path / "none") == set()
