"""The clock is set back or forward by an hour: nothing is ordered by time, nobody is shut out."""

import pytest

from contactapp import clock
from tests.support.books import at, names, opened
from tests.support.cast import Person, refused
from tests.support.ledger import read_ledger

HOUR = 3600
STEPS = (0, -HOUR, HOUR, 0, -HOUR)  # seconds from now
LASTING = {"ACCESS_TOKEN_SECONDS": "7200"}


def url_of(app):
    return app.extensions["contactapp.settings"].database_url


def refresh(app, token):
    return app.test_client().post("/api/v1/auth/refresh", json={"refresh_token": token})


@pytest.fixture
def stepped(monkeypatch):
    """Set the clock to so many seconds from now, where it stands still."""
    now = clock.now_ms()

    def step(seconds):
        monkeypatch.setattr(clock, "now_ms", lambda: now + round(1000 * seconds))

    return step


# DU-5
def test_changes_keep_the_order_of_their_commits(engine, new_app, stepped):
    app = new_app(engine, **LASTING)
    here = Person(app, "ada")
    there = at(new_app(engine, database=url_of(app), **LASTING), here)
    made = [here.contact(first_name="Grace"), here.contact(first_name="Hedy")]
    assert names(there) == ["Grace", "Hedy"]
    path = f"/contacts/{made[0]['id']}"
    tags = [there.get("/contacts").headers["ETag"]]
    for number, seconds in enumerate(STEPS, 1):
        version = {"If-Match": here.get(path).headers["ETag"]}
        stepped(seconds)
        answer = here.patch(path, json={"first_name": f"Grace{number}"}, headers=version)
        assert (answer.status_code, answer.json["version"]) == (200, number + 1)
        refused(
            here.patch(path, json={"first_name": "x"}, headers=version), 412, "version_mismatch"
        )
        # The other process reads what is new by its place in the log, whatever its time.
        assert opened(there, lambda: names(there)) == (1, [f"Grace{number}", "Hedy"])
        tags.append(there.get("/contacts").headers["ETag"])
    assert len(set(tags)) == len(tags)
    [cards] = read_ledger(app).values()
    assert len(cards) == 2


# DU-5
def test_the_quota_stays_exact_and_its_wait_true(engine, new_app, stepped):
    app = new_app(engine, **LASTING, RATE_LIMITS="3 per minute", PENALTY_SECONDS="0")
    ada = Person(app, "ada")
    statuses = lambda: [ada.get("/users/me").status_code for _ in range(4)]  # noqa: E731
    now = HOUR
    for step in (-HOUR, HOUR, -HOUR):
        stepped(now)
        assert statuses() == [200, 200, 200, 429]
        now += step
        stepped(now)
        if step < 0:  # what was used up stays used, for one window at most
            answer = ada.get("/users/me")
            refused(answer, 429, "rate_limited")
            assert 0 < int(answer.headers["Retry-After"]) <= 60
            now += int(answer.headers["Retry-After"])


# DU-5
def test_tries_of_passwords_stay_counted(engine, new_app, stepped):
    app = new_app(engine, SIGN_IN_RATE_LIMITS="3 per 15 minutes", PENALTY_SECONDS="0")
    ada = Person(app, "ada")

    def guess():
        body = {"email": ada.email, "password": "a wrong password"}
        return app.test_client().post("/api/v1/auth/token", json=body).status_code

    assert [guess() for _ in range(4)] == [401, 401, 401, 429]
    stepped(-HOUR)
    assert guess() == 429
    stepped(-HOUR + 900)
    assert guess() == 401


# DU-5, TK-4
def test_a_spent_refresh_token_ends_its_session_also_after_the_clock_was_set_back(alice, stepped):
    stepped(HOUR)
    answer = refresh(alice.app, alice.refresh)
    assert answer.status_code == 200
    stepped(0)
    refused(refresh(alice.app, alice.refresh), 401, "refresh_token_reused")
    alice.access = answer.json["access_token"]
    refused(alice.get("/users/me"), 401, "invalid_token")


# DU-5
@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_sessions_outlive_a_step_and_ended_ones_stay_ended(alice, bob, stepped, seconds):
    assert bob.post("/auth/logout").status_code == 204
    for step in (seconds, 0, seconds):
        stepped(step)
        answer = refresh(alice.app, alice.refresh)
        assert answer.status_code == 200
        alice.access, alice.refresh = answer.json["access_token"], answer.json["refresh_token"]
        assert [s["is_current"] for s in alice.get("/auth/sessions").json["items"]] == [True]
        refused(bob.get("/users/me"), 401, "invalid_token")
