"""A forgotten password, and changing one that is known."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from contactapp import clock
from contactapp.auth.schemas import PasswordReset
from tests.mail.conftest import assert_refused, idle
from tests.support.cast import PASSWORD, Person

FORGOT, RESET, CHANGE = "/auth/password/forgot", "/auth/password/reset", "/auth/password/change"
NEW = "a quite different phrase"


@pytest.fixture
def forgetful(ann, post_office, visitor):
    """The letter that Ann gets who forgot her password."""
    post_office.wait(ann.email)
    assert visitor.post(FORGOT, {"email": ann.email}).status_code == 202
    return post_office.wait(ann.email, subject="new password")


# AU-7
def test_the_link_sets_a_password_once_and_ends_all_sessions(ann, forgetful, visitor):
    body = {"token": forgetful.token, "new_password": NEW}
    answer = visitor.post(RESET, body)
    assert answer.status_code == 200
    assert answer.json.keys() == {"message"}  # nobody is signed in by it
    assert ann.get("/users/me").status_code == 401
    assert visitor.post("/auth/refresh", {"refresh_token": ann.refresh}).status_code == 401
    assert (visitor.sign_in(ann), visitor.sign_in(ann, NEW)) == (401, 200)
    assert_refused(visitor.post(RESET, body), "invalid_link")


def test_it_proves_the_address_and_tells_the_owner(ann, forgetful, visitor, post_office):
    visitor.post(RESET, {"token": forgetful.token, "new_password": NEW})
    letter = post_office.wait(ann.email, subject="Your password was changed")
    assert letter.text.startswith(f"Hello {ann.name},")
    fields = {"email": ann.email, "password": NEW}
    access = visitor.post("/auth/token", fields).json["access_token"]
    me = visitor.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {access}"})
    assert me.json["email_verified"] is True


# AU-7, EM-4
def test_the_page_asks_for_the_password(ann, forgetful, visitor):
    page = visitor.client.get(forgetful.path)
    assert 'type="password"' in page.text
    weak = visitor.client.post("/account/reset", data={"token": forgetful.token, "password": "x"})
    assert weak.status_code == 422
    assert f'value="{forgetful.token}"' in weak.text
    form = {"token": forgetful.token, "password": NEW}
    assert "all devices were signed out" in visitor.client.post("/account/reset", data=form).text
    assert visitor.sign_in(ann, NEW) == 200


# AU-5
def test_a_weak_password_is_refused_and_spends_nothing(ann, forgetful, visitor):
    for weak in ("short", "password123", ann.email):
        answer = visitor.post(RESET, {"token": forgetful.token, "new_password": weak})
        assert_refused(answer, "invalid_fields", 422)
        assert answer.json["errors"][0]["pointer"] == "/new_password"
    assert visitor.post(RESET, {"token": forgetful.token, "new_password": NEW}).status_code == 200


# AU-7
def test_a_link_is_good_for_half_an_hour(ann, forgetful, visitor, monkeypatch):
    now = clock.now_ms()
    body = {"token": forgetful.token, "new_password": NEW}
    with monkeypatch.context() as future:
        future.setattr(clock, "now_ms", lambda: now + 30 * 60_000)
        assert_refused(visitor.post(RESET, body), "invalid_link")
    with monkeypatch.context() as future:
        future.setattr(clock, "now_ms", lambda: now + 29 * 60_000)
        assert visitor.post(RESET, body).status_code == 200


# AU-7
def test_an_older_link_is_dead_when_a_newer_one_was_asked_for(ann, forgetful, visitor, post_office):
    visitor.post(FORGOT, {"email": ann.email})
    newer = post_office.wait(ann.email, 2, subject="new password")
    old = {"token": forgetful.token, "new_password": NEW}
    assert_refused(visitor.post(RESET, old), "invalid_link")
    assert visitor.post(RESET, {"token": newer.token, "new_password": NEW}).status_code == 200


# AU-7
def test_a_link_is_void_after_any_password_change(ann, forgetful, visitor):
    changed = ann.post(CHANGE, json={"current_password": PASSWORD, "new_password": NEW})
    assert changed.status_code == 200
    body = {"token": forgetful.token, "new_password": "one phrase more"}
    assert_refused(visitor.post(RESET, body), "invalid_link")


# AU-7
def test_of_twenty_parallel_resets_one_succeeds(
    engine, new_server, new_app, mailing, start_worker, post_office
):
    server = new_server(engine, WORKERS="2", THREADS="12", **mailing)
    start_worker(
        new_app(engine, database=server.database, INSTANCE_PATH=str(server.instance), **mailing),
        **mailing,
    )
    person = server.person()
    email = f"{person.name}@example.com"
    person.post(FORGOT, json={"email": email})
    token = post_office.wait(email, subject="new password").token

    def reset(number):
        body = {"token": token, "new_password": f"a different phrase {number}"}
        return requests.post(f"{person.url}{RESET}", json=body, timeout=60).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(reset, range(20)))
    assert statuses == [200] + [400] * 19


# EM-2, AU-1
def test_whoever_asks_learns_nothing(app, ann, visitor, post_office):
    known, unknown, strange = (
        visitor.post(FORGOT, {"email": email})
        for email in (ann.email, "nobody@example.com", "not an address")
    )
    assert known.data == unknown.data == strange.data
    assert known.status_code == unknown.status_code == strange.status_code == 202
    idle(app)
    assert post_office.to("nobody@example.com") == []


# AU-6
def test_changing_it_takes_the_current_one(ann, visitor):
    for wrong in ("not this one", ""):
        answer = ann.post(CHANGE, json={"current_password": wrong, "new_password": NEW})
        assert_refused(answer, "wrong_password", 403)
    assert_refused(ann.post(CHANGE, json={"new_password": NEW}), "invalid_fields", 422)
    assert visitor.sign_in(ann) == 200


# AU-6
def test_changing_it_ends_the_other_sessions_at_once(ann, visitor, post_office):
    mine, spent = ann.access, ann.refresh
    ann.sign_in()
    other_access, other_refresh = ann.access, ann.refresh
    ann.access = mine
    answer = ann.post(CHANGE, json={"current_password": PASSWORD, "new_password": NEW})
    assert answer.status_code == 200
    bearer = {"Authorization": f"Bearer {other_access}"}
    assert visitor.client.get("/api/v1/users/me", headers=bearer).status_code == 401
    assert visitor.post("/auth/refresh", {"refresh_token": other_refresh}).status_code == 401
    new = answer.json
    ann.access = new["access_token"]
    assert ann.get("/users/me").status_code == 200
    assert visitor.post("/auth/refresh", {"refresh_token": new["refresh_token"]}).status_code == 200
    assert visitor.post("/auth/refresh", {"refresh_token": spent}).status_code == 401
    assert (visitor.sign_in(ann), visitor.sign_in(ann, NEW)) == (401, 200)
    post_office.wait(ann.email, subject="Your password was changed")


def test_nobody_is_told_of_a_change_that_failed(app, ann, post_office):
    ann.post(CHANGE, json={"current_password": "wrong", "new_password": NEW})
    post_office.wait(ann.email)
    idle(app)
    assert len(post_office.to(ann.email)) == 1


def test_a_secret_field_is_never_answered(ann):
    answer = ann.post(CHANGE, json={"current_password": NEW, "new_password": "x"})
    assert NEW not in answer.text
    assert PasswordReset().fields["new_password"].load_only


def test_another_person_is_not_touched(app, ann, forgetful, visitor):
    bob = Person(app, "bob")
    visitor.post(RESET, {"token": forgetful.token, "new_password": NEW})
    assert bob.get("/users/me").status_code == 200
    assert visitor.sign_in(bob) == 200
