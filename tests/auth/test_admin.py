"""What admins see and change of accounts."""

import threading

import pytest

from contactapp.auth import admin
from contactapp.auth.admin import Change
from contactapp.errors import Conflict
from tests.support.cast import PASSWORD, Person, refused
from tests.support.stored import set_user


@pytest.fixture
def boss(cast):
    return cast.admin


def test_pages_of_accounts_by_id(boss, alice, bob):
    seen, cursor = [], ""
    while cursor is not None:
        answer = boss.get(f"/users?limit=3{cursor and '&cursor=' + cursor}")
        seen += [user["id"] for user in answer.json["items"]]
        cursor = answer.json["next_cursor"]
    assert seen == sorted(seen)
    assert {boss.id, alice.id, bob.id} <= set(seen)
    assert answer.json["total"] == len(seen)
    skipped = boss.get(f"/users?limit=2&skip={len(seen) - 1}").json["items"]
    assert [user["id"] for user in skipped] == seen[-1:]


def test_an_account_is_found_by_its_exact_address(boss, alice):
    [found] = boss.get(f"/users?email={alice.email.upper()}").json["items"]
    assert (found["id"], found["email"], found["username"]) == (alice.id, alice.email, alice.name)
    assert boss.get("/users?email=nobody@example.com").json["items"] == []
    assert boss.get(f"/users?email={alice.email}&skip=1").json["items"] == []
    refused(boss.get(f"/users?email={alice.email}&cursor=no"), 400, "invalid_cursor")


# TK-6
def test_a_deactivated_account_loses_its_sessions_for_good(boss, alice, client):
    answer = boss.patch(f"/users/{alice.id}", json={"active": False})
    assert (answer.status_code, answer.json["active"]) == (200, False)
    refused(alice.get("/contacts"), 401, "invalid_token")
    body = {"refresh_token": alice.refresh}
    refused(client.post("/api/v1/auth/refresh", json=body), 401, "invalid_token")
    login = {"username": alice.name, "password": PASSWORD}
    refused(client.post("/api/v1/auth/token", json=login), 401, "invalid_credentials")
    assert boss.patch(f"/users/{alice.id}", json={"active": True}).status_code == 200
    refused(alice.get("/contacts"), 401, "invalid_token")
    alice.sign_in()
    assert alice.get("/contacts").status_code == 200


def test_the_contact_limit_of_one_account(boss, alice):
    boss.patch(f"/users/{alice.id}", json={"contact_limit": 1})
    alice.contact()
    refused(alice.post("/contacts", json={"first_name": "B"}), 403, "contact_limit_reached")
    boss.patch(f"/users/{alice.id}", json={"contact_limit": None})
    alice.contact()


def test_a_role_counts_from_the_next_request(boss, alice):
    refused(alice.get("/users"), 403, "forbidden")
    boss.patch(f"/users/{alice.id}", json={"role": "admin"})
    assert alice.get("/users").status_code == 200
    boss.patch(f"/users/{alice.id}", json={"role": "user"})
    refused(alice.get("/users"), 403, "forbidden")


def test_if_match_and_what_was_got_can_be_sent_back(boss, alice):
    answer = boss.get(f"/users/{alice.id}")
    tag = {"If-Match": answer.headers["ETag"]}
    same = boss.patch(f"/users/{alice.id}", json=answer.json, headers=tag)
    assert (same.status_code, same.json) == (200, answer.json)
    changed = boss.patch(f"/users/{alice.id}", json={"contact_limit": 5}, headers=tag)
    assert changed.json["version"] == answer.json["version"] + 1
    stale = boss.patch(f"/users/{alice.id}", json={"contact_limit": 6}, headers=tag)
    refused(stale, 412, "version_mismatch")


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"role": "owner"}, "/role"),
        ({"active": "yes"}, "/active"),
        ({"active": 1}, "/active"),
        ({"contact_limit": -1}, "/contact_limit"),
        ({"contact_limit": "5"}, "/contact_limit"),
        ({"is_admin": True}, "/is_admin"),
    ],
)
def test_wrong_values_are_named(boss, alice, patch, pointer):
    refused(boss.patch(f"/users/{alice.id}", json=patch), 422, "invalid_fields", pointer)


def test_the_last_admin_stays(engine, new_app):
    app = new_app(engine)
    only = Person(app, "only", "admin")
    for patch in ({"role": "user"}, {"active": False}):
        refused(only.patch(f"/users/{only.id}", json=patch), 409, "last_admin")
    refused(only.delete("/users/me", json={"password": PASSWORD}), 409, "last_admin")
    Person(app, "second", "admin")
    assert only.patch(f"/users/{only.id}", json={"role": "user"}).status_code == 200


def test_two_admins_who_go_at_once_leave_one(engine, new_app):
    app = new_app(engine)
    for _ in range(5):
        pair = [Person(app, "a", "admin"), Person(app, "b", "admin")]
        start, outcomes = threading.Barrier(2), []

        def go(person, start=start, outcomes=outcomes):
            with app.app_context():
                start.wait()
                try:
                    admin.change_user(person.id, {"role": "user"}, Change(None, "tests"))
                    outcomes.append("gone")
                except Conflict:
                    outcomes.append("stays")

        threads = [threading.Thread(target=go, args=(person,)) for person in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["gone", "stays"]
        for person in pair:
            set_user(app, person.id, role="user")


# AU-9
def test_a_fresh_installation_has_no_account(engine, new_app):
    app = new_app(engine)
    with app.app_context():
        assert admin.every_user() == []
