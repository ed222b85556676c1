"""Each event once, with who, what, when and by which request; and none without what it tells."""

import pytest
from sqlalchemy import text

from contactapp import clock
from contactapp.auth import refusals
from contactapp.database import Sql, database, lane
from contactapp.engine import DatabaseFull
from tests.support.cast import PASSWORD, Cast, Person, refused
from tests.support.chains import chain_events
from tests.support.command import contactapp
from tests.support.stored import book_state, issue_link, user_row

GUESS = {"password": "a guess"}
NEW = "a quite different phrase"


def spent_token(cast, monkeypatch):
    body = {"refresh_token": cast.alice.refresh}
    cast.app.test_client().post("/api/v1/auth/refresh", json=body)
    now = clock.now_ms() + 60_000
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    return "/auth/refresh", body


def reset(cast, _):
    token = issue_link(cast.app, cast.alice.id, "reset")
    return "/auth/password/reset", {"token": token, "new_password": NEW}


# What somebody does who is not signed in: what they send, the answer, and what is recorded of it.
STRANGERS = {
    "a sign-in": (
        lambda cast, _: ("/auth/token", {"email": cast.alice.email, "password": PASSWORD}),
        (200, "signed_in", True),
    ),
    "a wrong password": (
        lambda cast, _: ("/auth/token", {"email": cast.alice.email, **GUESS}),
        (401, "sign_in_failed", False),
    ),
    "a spent token": (spent_token, (401, "refresh_token_reused", False)),
    "a reset": (reset, (200, "password_reset", True)),
}
# The same of Alice or of an admin who acts on her account.
SIGNED_IN = {
    "signing out": ("alice", "POST", "/auth/logout", None, 204, "signed_out"),
    "an export": ("alice", "POST", "/users/me/export", {"password": PASSWORD}, 200, "exported"),
    "an export without": ("alice", "POST", "/users/me/export", GUESS, 403, "refused"),
    "an admin's route": ("alice", "GET", "/users", None, 403, "refused"),
    "a new role": ("admin", "PATCH", "/users/{}", {"role": "admin"}, 200, "role_changed"),
    "a new limit": (
        "admin",
        "PATCH",
        "/users/{}",
        {"contact_limit": 3},
        200,
        "contact_limit_changed",
    ),
    "the end": ("admin", "PATCH", "/users/{}", {"active": False}, 200, "deactivated"),
}
MINE = {"X-Request-ID": "this-very-request"}


def recorded(cast):
    """[(kind, whose account, who)] of what this request left in the trail."""
    found = cast.admin.get("/audit?request_id=this-very-request").json["items"]
    now = clock.now_ms() // 1000
    assert all(item["at"] >= clock.rfc3339((now - 60) * 1000) for item in found)
    return [(item["kind"], item["user_id"], item["actor_id"]) for item in found]


@pytest.fixture
def here(engine, new_app):
    """Everybody, in an application of their own."""
    return Cast(new_app(engine))


# OB-2
@pytest.mark.parametrize("what", STRANGERS)
def test_what_strangers_do_is_recorded_once(here, what, monkeypatch):
    deed, (status, kind, known) = STRANGERS[what]
    path, body = deed(here, monkeypatch)
    answer = here.app.test_client().post(f"/api/v1{path}", json=body, headers=MINE)
    assert answer.status_code == status
    assert recorded(here) == [(kind, here.alice.id, here.alice.id if known else None)]


# OB-2
@pytest.mark.parametrize("what", SIGNED_IN)
def test_what_people_do_is_recorded_once(cast, what):
    name, method, path, body, status, kind = SIGNED_IN[what]
    who, request_id = getattr(cast, name), f"{cast.alice.id}-{kind}-{status}"
    answer = who.request(
        method, path.format(cast.alice.id), json=body, headers={"X-Request-ID": request_id}
    )
    assert answer.status_code == status
    answer.get_data()
    found = cast.admin.get(f"/audit?request_id={request_id}").json["items"]
    [(of, by)] = [(item["user_id"], item["actor_id"]) for item in found if item["kind"] == kind]
    assert len(found) == 1
    assert (of, by) == (cast.alice.id, who.id)


# OB-2
def test_a_refusal_says_what_was_asked_for(cast):
    cast.eve.post(f"/contacts?book={cast.alice.book_id}", json={"first_name": "Mallory"})
    item = cast.eve.get("/audit?kind=refused").json["items"][0]
    assert item["details"] == {
        "code": "read_only_book",
        "method": "POST",
        "route": "/api/v1/contacts",
        "address": "127.0.0.1",
        "user_agent": item["details"]["user_agent"],
    }
    assert cast.alice.get("/audit?kind=refused").json["items"] == []


# OB-2, AZ-1
def test_who_asks_for_a_foreign_book_is_recorded_as_for_one_that_is_not_there(cast):
    bob = cast.bob
    for book_id in (cast.alice.book_id, 2**52):
        refused(bob.get(f"/contacts?book={book_id}"), 404, "not_found")
        refused(bob.post(f"/contacts?book={book_id}", json={}), 404, "not_found")
    found = bob.get("/audit?kind=refused").json["items"]
    assert [item["details"]["method"] for item in found] == ["POST", "GET"]
    assert cast.alice.get("/audit?kind=refused").json["items"] == []


# OB-2
def test_a_thousand_refusals_are_a_row_a_minute_for_each_route(alice, monkeypatch):
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    for _ in range(40):
        refused(alice.get("/users"), 403, "forbidden")
        refused(alice.get(f"/users/{alice.id}"), 403, "forbidden")
        refused(alice.post("/users/me/export", json=GUESS), 403, "wrong_password")
    found = alice.get("/audit?kind=refused").json["items"]
    assert len({item["details"]["route"] for item in found}) == len(found) == 3
    monkeypatch.setattr(clock, "now_ms", lambda: now + 61_000)
    for _ in range(3):
        refused(alice.get("/users"), 403, "forbidden")
    assert alice.get("/audit?kind=refused").json["total"] == 4


# OB-2
def test_a_sign_in_that_waits_for_the_mail_is_recorded(engine, new_app):
    app = new_app(engine, EMAIL_VERIFICATION="required")
    fields = {"email": "ann@example.com", "username": "ann", "password": PASSWORD}
    client = app.test_client()
    assert client.post("/api/v1/auth/register", json=fields).status_code == 201
    login = {"username": "ann", "password": PASSWORD}
    refused(client.post("/api/v1/auth/token", json=login), 403, "email_not_verified")
    boss = Person(app, "boss", "admin")
    assert boss.get("/audit?kind=sign_in_failed").json["total"] == 1


# OB-2
def test_who_goes_over_a_limit_is_recorded_once_a_minute(
    engine, new_app, new_database, monkeypatch
):
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    url = new_database(engine)
    free, limited = new_app(engine, url), new_app(engine, url, RATE_LIMITS="3 per hour")
    ann, boss = Person(free, "ann"), Person(free, "boss", "admin")
    ann.app = limited
    statuses = [ann.get("/users/me").status_code for _ in range(30)]
    assert statuses == [200] * 3 + [429] * 27
    [item] = boss.get("/audit?kind=limited").json["items"]
    assert (item["user_id"], item["actor_id"], item["count"]) == (ann.id, ann.id, 1)
    assert item["details"]["route"] == "/api/v1/users/me"


# OB-2
def test_the_limit_of_a_route_is_recorded_too(engine, new_app):
    ann = Person(new_app(engine, EXPORT_RATE_LIMITS="1 per hour"), "ann")
    for status in (403, 429, 429):
        assert ann.post("/users/me/export", json=GUESS).status_code == status
    [item] = ann.get("/audit?kind=limited").json["items"]
    assert item["details"]["route"] == "/api/v1/users/me/export"


# OB-2
def test_what_nobody_asks_for_over_a_limit_is_counted_and_no_row_each(engine, new_app, monkeypatch):
    minute = clock.now_ms() // 60_000
    monkeypatch.setattr(clock, "now_ms", lambda: minute * 60_000 + 100)
    app = new_app(engine, SIGN_IN_RATE_LIMITS="2 per hour", REGISTER_RATE_LIMITS="1 per hour")
    ann, boss = Person(app, "ann"), Person(app, "boss", "admin")
    client, fields = app.test_client(), {"email": "new@example.com", "password": PASSWORD}
    assert client.post("/api/v1/auth/register", json=fields).status_code == 201
    before = boss.get("/audit").json["total"]
    login = {"email": ann.email, **GUESS}
    statuses = [client.post("/api/v1/auth/token", json=login).status_code for _ in range(12)]
    assert statuses == [401] * 2 + [429] * 10
    assert client.post("/api/v1/auth/register", json=fields).status_code == 429
    assert boss.get("/audit").json["total"] == before + 2  # the two that were looked at
    monkeypatch.setattr(clock, "now_ms", lambda: (minute + 1) * 60_000 + 500)
    for _ in range(2):
        chain_events(app)
    [item] = boss.get("/audit?kind=limited_unknown").json["items"]
    assert (item["count"], item["user_id"], item["actor_id"]) == (11, None, None)


def test_a_refusal_that_cannot_be_recorded_is_answered_all_the_same(alice, monkeypatch):
    genuine = refusals._add

    def full(*_):
        raise DatabaseFull("no space")

    monkeypatch.setattr(refusals, "_add", full)
    refused(alice.get("/users"), 403, "forbidden")
    monkeypatch.setattr(refusals, "_add", genuine)
    assert alice.get("/audit?kind=refused").json["total"] == 0
    refused(alice.get("/users"), 403, "forbidden")
    assert alice.get("/audit?kind=refused").json["total"] == 1


BROKEN = {
    "sqlite": [
        "CREATE TRIGGER broken BEFORE INSERT ON {} BEGIN SELECT RAISE(ABORT, 'broken'); END"
    ],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'broken'; END $$",
        "CREATE TRIGGER broken BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION broken()",
    ],
}


def execute(app, *statements):
    with app.app_context(), database().engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def everything(app):
    """Every row of every table that a deed could write to."""
    tables = (
        "users",
        "session",
        "link",
        "job",
        "book",
        "book_member",
        "contact",
        "change",
        "stream",
    )
    with app.app_context():
        return {
            table: sorted(lane().all(Sql(f"SELECT * FROM {table}")), key=repr)
            for table in (*tables, "audit_event", "known_place")
        }


DEEDS = {
    "a profile": ("audit_event", lambda c: c.alice.patch("/users/me", json={"age": 77})),
    "a sign-in": (
        "audit_event",
        lambda c: c.app.test_client().post(
            "/api/v1/auth/token", json={"email": c.alice.email, "password": PASSWORD}
        ),
    ),
    "signing out": ("audit_event", lambda c: c.alice.post("/auth/logout")),
    "a registration": (
        "audit_event",
        lambda c: c.app.test_client().post(
            "/api/v1/auth/register", json={"email": "new@example.com", "password": PASSWORD}
        ),
    ),
    "a role": (
        "audit_event",
        lambda c: c.admin.patch(f"/users/{c.alice.id}", json={"role": "admin"}),
    ),
    "leaving": ("audit_event", lambda c: c.alice.delete("/users/me", json={"password": PASSWORD})),
    "an export": (
        "audit_event",
        lambda c: c.alice.post("/users/me/export", json={"password": PASSWORD}),
    ),
    "a contact": ("change", lambda c: c.alice.post("/contacts", json={"first_name": "Ada"})),
    "a new name": (
        "change",
        lambda c: c.alice.patch(f"/contacts/{c.ada}", json={"first_name": "Eva"}),
    ),
    "a deletion": ("change", lambda c: c.alice.delete(f"/contacts/{c.ada}")),
}


@pytest.fixture(scope="module")
def unrecorded(engine, new_app):
    """Everybody in an application of which a test makes the trail fail."""
    cast = Cast(new_app(engine))
    cast.ada = cast.alice.contact(first_name="Ada")["id"]
    assert cast.admin.get("/users/me").status_code == 200
    return cast


# OB-2
@pytest.mark.parametrize("what", DEEDS)
def test_what_cannot_be_recorded_is_not_done(unrecorded, engine, what):
    table, deed = DEEDS[what]
    before = everything(unrecorded.app)
    execute(unrecorded.app, *(statement.format(table) for statement in BROKEN[engine]))
    try:
        answer = deed(unrecorded)
        assert answer.status_code >= 500
    finally:
        on = "" if engine == "sqlite" else f" ON {table}"
        execute(unrecorded.app, f"DROP TRIGGER broken{on}")
    assert everything(unrecorded.app) == before
    assert user_row(unrecorded.app, unrecorded.alice.id)
    assert book_state(unrecorded.alice).seq == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_commands_that_share_books_are_recorded(here, tmp_path):
    given = here.app.extensions["contactapp.settings"]
    settings = {"DATABASE_URL": given.database_url, "INSTANCE_PATH": str(given.instance_path)}
    alice, bob = here.alice, here.bob
    for verb in ("share", "unshare", "unshare"):
        code, _, err = contactapp(tmp_path, settings, "books", verb, alice.email, bob.email)
        assert code == 0, err
    unshared, shared, *_ = alice.get("/audit").json["items"]
    assert (unshared["kind"], shared["kind"]) == ("book_unshared", "book_shared")
    assert (shared["actor_id"], shared["request_id"]) == (0, "cli")
    details = {"book_id": alice.book_id, "user_id": bob.id}
    assert (shared["details"], unshared["details"]) == ({**details, "role": "viewer"}, details)
