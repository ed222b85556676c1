"""Entries that end by themselves: gone for every reader at once, deleted later by a job."""

import pytest

from contactapp import clock
from contactapp.data.entry import MAX_TTL
from contactapp.data.purging import _BATCH
from contactapp.database import Sql, lane, write_transaction
from tests.support.cast import refused
from tests.support.chains import do_job

_ROWS = Sql("SELECT count(*) FROM data_entry WHERE user_id = ?")
_STATE = Sql(
    "SELECT s.seq, s.items, s.size FROM stream s JOIN users u ON u.stream_id = s.id WHERE u.id = ?"
)
_LOG = Sql(
    "SELECT k.op, k.actor_id, k.entity_id FROM change k JOIN users u ON u.stream_id = k.stream_id "
    "WHERE u.id = ? ORDER BY k.seq"
)


class Hands:
    """The clock of a test."""

    def __init__(self):
        self.now = clock.now_ms()

    def on(self, seconds):
        self.now += int(seconds * 1000)


@pytest.fixture
def hands(monkeypatch):
    hands = Hands()
    monkeypatch.setattr(clock, "now_ms", lambda: hands.now)
    return hands


def rows(person):
    with person.app.app_context():
        return lane().one(_ROWS, (person.id,))[0]


def state(person):
    with person.app.app_context():
        return lane().one(_STATE, (person.id,))


def log(person):
    with person.app.app_context():
        return lane().all(_LOG, (person.id,))


def test_an_entry_is_there_until_its_time_and_not_longer(alice, hands):
    shown = alice.put("/data/k", json={"value": 1, "ttl": 60}).json
    assert shown["expires_at"] == clock.rfc3339(hands.now + 60_000)
    hands.on(59.999)
    assert alice.get("/data/k").json == shown
    assert alice.get("/data").json["total"] == 1
    hands.on(0.001)
    refused(alice.get("/data/k"), 404, "key_not_found")
    assert alice.get("/data").json == {"items": [], "next_cursor": None, "total": 0}
    refused(alice.patch("/data/k", json={"value": 2}), 404, "key_not_found")
    refused(alice.delete("/data/k"), 404, "key_not_found")
    tag = {"If-Match": '"v1-00000000"'}
    refused(alice.put("/data/k", json={"value": 2}, headers=tag), 412, "version_mismatch")


@pytest.mark.parametrize(
    ("method", "path", "body", "value"),
    [
        ("POST", "/data", {"key": "k", "value": 2}, 2),
        ("PUT", "/data/k", {"value": 2}, 2),
        ("POST", "/data/k/increment", {"by": 2}, 2),
    ],
)
def test_a_new_entry_takes_the_place_of_an_expired_one(alice, hands, method, path, body, value):
    alice.put("/data/k", json={"value": 40, "ttl": 1})
    hands.on(1)
    answer = alice.request(method, path, json=body, headers={"If-None-Match": "*"})
    assert (answer.status_code, answer.json["value"]) == (201, value)
    assert answer.json["created_at"] == clock.rfc3339(hands.now)
    assert (rows(alice), state(alice)) == (1, (3, 1, 1))
    (created, _, first), (deleted, nobody, gone), (again, _, second) = log(alice)
    assert [created, deleted, again] == ["create", "delete", "create"]
    assert (nobody, gone) == (0, first)
    assert second != first


def test_put_without_a_ttl_ends_the_expiry_and_patch_and_increment_keep_it(alice, hands):
    expiry = alice.put("/data/k", json={"value": 1, "ttl": 60}).json["expires_at"]
    assert alice.patch("/data/k", json={"value": 2}).json["expires_at"] == expiry
    assert alice.post("/data/k/increment", json={}).json["expires_at"] == expiry
    assert alice.patch("/data/k", json={"ttl": None}).json["expires_at"] is None
    later = clock.rfc3339(hands.now + 5000)
    assert alice.patch("/data/k", json={"ttl": 5}).json["expires_at"] == later
    assert alice.put("/data/k", json={"value": 3}).json["expires_at"] is None
    assert alice.post("/data/k/increment", json={"ttl": 5}).json["expires_at"] == later
    assert alice.put("/data/k", json={"value": 4, "ttl": None}).json["expires_at"] is None


def test_a_ttl_moves_the_expiry_and_is_a_change(alice, hands):
    assert alice.put("/data/k", json={"value": 1, "ttl": 60}).json["version"] == 1
    assert alice.put("/data/k", json={"value": 1, "ttl": 60}).json["version"] == 1
    hands.on(1)
    assert alice.put("/data/k", json={"value": 1, "ttl": 60}).json["version"] == 2


# IV-2
@pytest.mark.parametrize("ttl", [0, -1, 1.5, 60.0, True, "60", [], MAX_TTL + 1, 2**63, 10**400])
def test_what_is_no_ttl_is_422(alice, ttl):
    for method, path, body in (
        ("POST", "/data", {"key": "k", "value": 1}),
        ("PUT", "/data/k", {"value": 1}),
        ("PATCH", "/data/k", {}),
        ("POST", "/data/k/increment", {}),
    ):
        sent = f'{{"ttl":{ttl}' if isinstance(ttl, int) and ttl > 2**64 else None
        if sent is None:
            answer = alice.request(method, path, json={**body, "ttl": ttl})
        else:
            kind = "application/json"
            answer = alice.request(method, path, data=f"{sent}}}", content_type=kind)
        refused(answer, 422, "invalid_fields", "/ttl")
    assert rows(alice) == 0


def test_the_longest_ttl_is_ten_years(alice, hands):
    answer = alice.put("/data/k", json={"value": 1, "ttl": MAX_TTL})
    assert answer.json["expires_at"] == clock.rfc3339(hands.now + 1000 * MAX_TTL)


def test_the_job_deletes_what_has_expired_and_gives_its_quota_back(alice, bob, hands):
    for person in (alice, bob):
        person.put("/data/stays", json={"value": 1})
        for number in range(_BATCH + 5):
            person.put(f"/data/{number}", json={"value": "x" * 8, "ttl": 1 if number < 3 else 2})
    hands.on(1)
    do_job(alice.app, "data.purge")
    assert (rows(alice), rows(bob)) == (_BATCH + 3, _BATCH + 3)
    hands.on(61)
    do_job(alice.app, "data.purge")
    seq = 1 + 2 * (_BATCH + 5)
    assert rows(alice) == rows(bob) == 1
    assert state(alice) == state(bob) == (seq, 1, 1)
    assert {row[:2] for row in log(alice) if row[0] == "delete"} == {("delete", 0)}
    do_job(alice.app, "data.purge")
    assert state(alice)[0] == seq


def test_the_job_passes_an_account_by_that_is_being_erased(alice, bob, hands):
    for person in (alice, bob):
        person.put("/data/k", json={"value": 1, "ttl": 1})

    @write_transaction
    def destroy():
        sql = Sql("UPDATE key SET wrapped = ? WHERE id = (SELECT key_id FROM users WHERE id = ?)")
        assert lane().run(sql, (b"", alice.id)) == 1

    with alice.app.app_context():
        destroy()
    hands.on(1)
    do_job(alice.app, "data.purge")
    assert (rows(alice), rows(bob)) == (1, 0)
