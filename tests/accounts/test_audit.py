"""The audit trail of accounts."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contactapp import clock
from contactapp.audit import service as audit
from contactapp.changes.chain import GENESIS
from contactapp.changes.service import next_head
from contactapp.database import Sql, database, lane, write_transaction
from contactapp.jobs.service import Job
from contactapp.keyring import keyring
from tests.support.cast import PASSWORD, Person, refused

JOB = Job(1, "audit.chain", None, None, 1, 60_000, "lease")


@pytest.fixture
def own_app(engine, new_app):
    return new_app(engine)


def chain(app):
    """What the job does."""
    with app.app_context():
        write_transaction(audit.chain(app.extensions["contactapp.quota"], JOB))()


def kinds(person):
    return [event["kind"] for event in person.get("/audit").json["items"]]


def test_who_asks_sees_their_own_events_newest_first(alice, bob, client):
    login = {"username": alice.name, "password": "a guess"}
    client.post("/api/v1/auth/token", json=login, headers={"User-Agent": "Guesser/1"})
    alice.patch("/users/me", json={"full_name": "Alice", "age": 40})
    assert kinds(alice) == ["profile_changed", "sign_in_failed", "signed_in", "registered"]
    profile, failed, signed_in, _ = alice.get("/audit").json["items"]
    assert profile["details"] == {"fields": ["age", "full_name"]}
    assert failed["actor_id"] is None  # who knows
    assert failed["details"] == {"address": "127.0.0.1", "user_agent": "Guesser/1"}
    assert signed_in["details"]["address"] == "127.0.0.1"
    assert {e["user_id"] for e in alice.get("/audit").json["items"]} == {alice.id}
    assert kinds(bob) == ["signed_in", "registered"]


def test_an_event_names_its_request(alice):
    headers = {"X-Request-ID": "my-request"}
    alice.patch("/users/me", json={"age": 41}, headers=headers)
    event = alice.get("/audit").json["items"][0]
    assert (event["request_id"], event["actor_id"]) == ("my-request", alice.id)


def test_a_write_that_changes_nothing_is_no_event(alice):
    alice.patch("/users/me", json={"age": 41})
    before = kinds(alice)
    alice.patch("/users/me", json={"age": 41})
    assert kinds(alice) == before


# TK-3
def test_a_spent_refresh_token_is_an_event(alice, client, monkeypatch):
    spent = {"refresh_token": alice.refresh}
    client.post("/api/v1/auth/refresh", json=spent)
    now = clock.now_ms() + 60_000
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    refused(client.post("/api/v1/auth/refresh", json=spent), 401, "refresh_token_reused")
    alice.sign_in()
    assert "refresh_token_reused" in kinds(alice)


def test_pages_by_cursor(alice):
    for age in range(30, 40):
        alice.patch("/users/me", json={"age": age})
    whole = alice.get("/audit").json
    seen, cursor = [], ""
    while cursor is not None:
        page = alice.get(f"/audit?limit=5{cursor and '&cursor=' + cursor}").json
        seen += page["items"]
        cursor = page["next_cursor"]
    assert seen == whole["items"]
    assert whole["total"] == len(seen) == 12


# AZ-7
def test_a_cursor_is_its_users_own(alice, bob):
    alice.patch("/users/me", json={"age": 20})
    cursor = alice.get("/audit?limit=1").json["next_cursor"]
    refused(bob.get(f"/audit?cursor={cursor}"), 400, "invalid_cursor")


def test_an_admin_sees_everybodys_and_who_did_what(cast, alice):
    boss = cast.admin
    boss.patch(f"/users/{alice.id}", json={"contact_limit": 7})
    event = boss.get("/audit").json["items"][0]
    assert event["kind"] == "contact_limit_changed"
    assert (event["user_id"], event["actor_id"]) == (alice.id, boss.id)
    assert event["details"] == {"before": None, "after": 7}
    assert alice.get("/audit").json["items"][0] == event


def test_details_are_sealed(alice, client):
    agent = {"User-Agent": "Marker-8151"}
    client.post("/api/v1/auth/token", json={"username": alice.name, "password": "x"}, headers=agent)
    with alice.app.app_context():
        rows = lane().all(Sql("SELECT sealed FROM audit_event WHERE user_id = ?"), (alice.id,))
    assert not any(b"Marker" in bytes(row[0] or b"") for row in rows)


def test_failures_of_unknown_accounts_are_one_row_a_minute(own_app, monkeypatch):
    boss, client = Person(own_app, "boss", "admin"), own_app.test_client()
    for n in range(7):
        login = {"username": f"nobody-{n}", "password": "a guess"}
        refused(client.post("/api/v1/auth/token", json=login), 401, "invalid_credentials")
    minute = clock.now_ms() // 60_000
    monkeypatch.setattr(clock, "now_ms", lambda: (minute + 1) * 60_000 + 500)
    for _ in range(2):
        chain(own_app)
    found = [e for e in boss.get("/audit").json["items"] if e["kind"] == audit.UNKNOWN]
    assert sum(event["count"] for event in found) == 7
    assert len(found) <= 2  # where the minute ended among the tries
    assert {event["user_id"] for event in found} == {None}


def test_the_job_chains_every_event_once(own_app):
    one = Person(own_app, "one")
    chain(own_app)
    one.patch("/users/me", json={"age": 3})
    chain(own_app)
    with own_app.app_context():
        rows = lane().all(_CHAIN)
        key, head = keyring().purpose("chain"), GENESIS
        assert [row[-2] for row in rows] == [1, 2, 3]
        for row in rows:
            content = dict(zip((*audit.CHAINED, "seq"), row[:-1], strict=True))
            content["sealed_hash"] = bytes(content["sealed_hash"])
            head = next_head(key, head, content)
            assert bytes(row[-1]) == head


_CHAIN = Sql(f"SELECT {', '.join(audit.CHAINED)}, seq, head FROM audit_event ORDER BY seq")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET kind = 'other'",
        "UPDATE audit_event SET at = 1",
        "UPDATE audit_event SET user_id = NULL",
        "UPDATE audit_event SET sealed_hash = sealed",
        "UPDATE audit_event SET head = NULL, seq = NULL",
        "UPDATE audit_event SET seq = seq + 100",
        "DELETE FROM audit_event",
    ],
)
def test_the_database_refuses_to_change_the_trail(own_app, statement):
    Person(own_app, "one")
    chain(own_app)
    with (
        own_app.app_context(),
        pytest.raises(DBAPIError, match="audit_event is append-only"),
        database().engine.begin() as connection,
    ):
        connection.execute(text(statement))


def test_no_event_without_its_write(alice, bob):
    alice.patch("/users/me", json={"age": 41})
    before = kinds(alice)
    refused(alice.patch("/users/me", json={"username": bob.name}), 409, "username_taken")
    refused(alice.post("/users/me/export", json={"password": "a guess"}), 403, "wrong_password")
    assert kinds(alice) == ["refused", *before]
    assert alice.post("/users/me/export", json={"password": PASSWORD}).status_code == 200
    assert kinds(alice)[0] == "exported"
