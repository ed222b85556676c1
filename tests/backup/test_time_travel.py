"""After a restore nobody is let in by what was good before, and whoever was erased stays erased."""

import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from contactapp import clock
from contactapp.auth import erased
from contactapp.database import Sql, lane, write_transaction
from contactapp.jobs import service as jobs
from contactapp.pictures.service import PHOTOS
from contactapp.worker import HANDLERS
from tests.support.backups import SECRETS, Place, back_up, carry_list, fill, person_of
from tests.support.cast import NOWHERE, PASSWORD, Cast, Person, refused
from tests.support.engines import on_one_engine
from tests.support.feed import follow, page
from tests.support.pictures import files
from tests.support.stored import issue_link

NEVER = "00000000-0000-0000-0000-000000000000"
KEYED = {"Idempotency-Key": "once"}
_GIVE_UP = Sql(
    "UPDATE job SET status = 'dead' WHERE id = (SELECT min(id) FROM job WHERE kind = 'mail.verify')"
)
_LETTERS = Sql("SELECT count(*) FROM job WHERE kind LIKE 'mail.%' AND status <> 'done'")
_KEY = Sql("SELECT k.wrapped FROM users u JOIN key k ON k.id = u.key_id WHERE u.id = ?")
_THERE = Sql("SELECT 1 FROM users WHERE id = ?")


def as_before(app, person):
    """The person with the tokens that they had."""
    twin = object.__new__(Person)
    twin.__dict__.update(person.__dict__)
    twin.app = app
    return twin


def work(app):
    with app.app_context():
        while job := jobs.claim():
            jobs.finish(job, HANDLERS[job.kind](job))


def instance_of(app):
    return app.extensions["contactapp.settings"].instance_path


@write_transaction
def give_up_a_letter():
    return lane().run(_GIVE_UP, ())


@pytest.fixture(scope="module")
def past(engine, new_app):
    """An installation that goes on after its backup `made`: Alice has what lets somebody in, has
    read and written; and Bob is erased. What she got by then are its attributes."""
    app = new_app(engine, **SECRETS)
    cast = Cast(app)
    alice, bob = cast.alice, cast.bob
    then = SimpleNamespace(app=app, cast=cast, path=f"/contacts/{fill(alice)['id']}")
    fill(bob)
    with app.app_context():
        assert give_up_a_letter() == 1
    then.feed = alice.post("/feeds", json={"kind": "birthdays"}).json
    fields = {"name": "program", "scopes": ["contacts:read"]}
    then.token = alice.post("/auth/api-tokens", json=fields).json["token"]
    then.link = issue_link(app, alice.id, "reset")
    _, then.early = follow(alice)
    card = {"first_name": "Hedy"}
    then.answer = alice.post("/contacts", json=card, headers=KEYED).json
    then.made = back_up(app)

    then.later = Person(app, "later")
    then.old = as_before(app, alice)
    then.new = as_before(app, alice)
    then.new.sign_in()
    alice.contact(first_name="Joan")
    then.tag = alice.patch(then.path, json={"nickname": "lost"}).headers["ETag"]
    _, then.late = follow(alice)
    assert bob.delete("/users/me", json={"password": PASSWORD}).status_code == 204
    work(app)
    return then


@pytest.fixture(scope="module")
def now(engine, past, new_database, reopened, tmp_path_factory):
    """The same, taken back to its backup on another machine; Alice has signed in anew."""
    place = Place(new_database(engine), tmp_path_factory.mktemp("now"))
    carry_list(instance_of(past.app), place.instance)
    report = place.restore(past.made.path)
    app = reopened(place)
    return SimpleNamespace(
        app=app, report=report, place=place, alice=person_of(app, past.cast.alice)
    )


# BR-3, TK-6
def test_whatever_let_somebody_in_is_dead(past, now):
    ended = now.report.ended
    assert (ended.sessions, ended.api_tokens, ended.feeds, ended.webhooks) == (2, 1, 1, 2)
    assert ended.links >= 1
    client = now.app.test_client()
    # The new one would have the number of Alice's session after the restore.
    for person in (past.old, past.new, past.later):
        refused(as_before(now.app, person).get("/contacts"), 401, "invalid_token")
        body = {"refresh_token": person.refresh}
        assert client.post("/api/v1/auth/refresh", json=body).status_code == 401
    bearer = {"Authorization": f"Bearer {past.token}"}
    refused(client.get("/api/v1/contacts", headers=bearer), 401, "invalid_token")
    assert client.get(urlsplit(past.feed["url"]).path).status_code == 404
    reset = {"token": past.link, "new_password": "an entirely different phrase"}
    assert client.post("/api/v1/auth/password/reset", json=reset).status_code == 400
    assert now.alice.get("/contacts").json["total"] == 3


# BR-3
def test_no_letter_from_then_is_sent_also_not_by_a_replay(now):
    with now.app.app_context():
        assert lane().one(_LETTERS) == (0,)
    assert now.report.ended.letters >= 3  # two to verify addresses, and one to reset


# BR-3
def test_of_what_may_have_been_deleted_since_nobody_is_told(now):
    [webhook] = now.alice.get("/webhooks").json["items"]
    assert (webhook["url"], webhook["status"], webhook["active"]) == (NOWHERE, "restored", False)
    assert now.alice.get(f"/webhooks/{webhook['id']}/deliveries").json["total"] == 0


# BR-3
def test_every_cursor_of_the_feed_is_too_old(past, now):
    for since in (past.early, past.late):
        refused(now.alice.get("/changes", query_string={"since": since}), 410, "cursor_expired")
    items, cursor = follow(now.alice)
    assert items
    assert page(now.alice, cursor)["items"] == []
    now.alice.contact(first_name="Mary")
    assert len(follow(now.alice, cursor)[0]) == 1


# BR-3
def test_a_tag_of_a_version_that_was_given_twice_does_not_match(past, now):
    alice, path, lost = now.alice, past.path, past.tag
    tag = alice.patch(path, json={"nickname": "kept"}).headers["ETag"]
    assert tag.split("-")[0] == lost.split("-")[0]
    refused(alice.patch(path, json={}, headers={"If-Match": lost}), 412, "version_mismatch")
    seen = alice.get(path, headers={"If-None-Match": lost})
    assert (seen.status_code, seen.json["nickname"]) == (200, "kept")
    assert alice.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert alice.patch(path, json={"nickname": "so"}, headers={"If-Match": tag}).status_code == 200
    number = alice.get(path).json["version"]
    by_hand = {"If-Match": f'"v{number}-0"'}
    assert alice.patch(path, json={"nickname": "hand"}, headers=by_hand).status_code == 200


# BR-3
def test_a_request_that_was_answered_before_is_answered_as_then(past, now):
    card = {"first_name": "Hedy"}
    again = now.alice.post("/contacts", json=card, headers=KEYED)
    assert (again.status_code, again.json["id"]) == (201, past.answer["id"])


# BR-3, PR-2
def test_who_was_erased_stays_erased(past, now):
    bob = past.cast.bob
    assert (now.report.erased, now.report.missing) == (1, 0)
    login = {"email": bob.email, "password": PASSWORD}
    assert now.app.test_client().post("/api/v1/auth/token", json=login).status_code == 401
    with now.app.app_context():
        assert lane().one(_KEY, (bob.id,)) == (b"",)
    assert (len(files(now.app)), len(files(now.app, PHOTOS))) == (3, 3)  # Alice's
    work(now.app)
    with now.app.app_context():
        assert lane().one(_THERE, (bob.id,)) is None


# BR-3
@on_one_engine
def test_the_list_of_another_folder_is_kept_for_backups_to_come(past, place):
    list_ = instance_of(past.app) / erased.NAME
    assert place.restore(past.made.path, lists=[list_]).erased == 1
    assert erased.listed(place.instance / erased.NAME) == erased.listed(list_)
    assert place.restore(past.made.path, force=True).erased == 1


# BR-3
@on_one_engine
def test_who_is_on_no_list_but_shut_in_the_database_there_stays_erased(
    home, settled, reopened, monkeypatch
):
    monkeypatch.setattr(erased, "note", _full_disk)
    app = reopened(settled)
    bob = person_of(app, home.cast.bob)
    assert bob.delete("/users/me", json={"password": PASSWORD}).status_code == 204
    monkeypatch.undo()
    with app.app_context():
        lane().close_all()
    assert settled.restore(home.archive, force=True).erased == 1


def _full_disk(_uid):
    raise OSError(28, "No space left on device")


# BR-3
@on_one_engine
def test_an_account_is_on_the_list_though_the_disk_was_full(engine, new_app, monkeypatch):
    app = new_app(engine, **SECRETS)
    bob = Person(app, "bob")
    with monkeypatch.context() as full:
        full.setattr(erased, "note", _full_disk)
        assert bob.delete("/users/me", json={"password": PASSWORD}).status_code == 204
        with pytest.raises(OSError, match="No space"):
            work(app)
    with app.app_context():
        [uid] = lane().one(Sql("SELECT uid FROM users WHERE id = ?"), (bob.id,))
    monkeypatch.setattr(clock, "now_ms", lambda: time.time_ns() // 1_000_000 + jobs.LEASE_MS)
    work(app)
    assert erased.listed(instance_of(app) / erased.NAME) == {uid}


def test_half_a_line_of_the_list_is_passed_over(tmp_path):
    path = tmp_path / "erased.list"
    path.write_text(f"{NEVER} 2026-11-22T00:00:00Z\n{NEVER[:20]}")
    assert erased.listed(path) == {NEVER}
    assert erased.listed(tmp_path / "none") == set()
