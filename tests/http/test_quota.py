"""The default quota over HTTP, and its exactness over the workers of a real server."""

import itertools

import pytest

from contactapp import clock
from tests.support.cast import PASSWORD, Cast, refused
from tests.support.wire import Wire, at_once, process_of

USER_LIMIT, ADDRESS_LIMIT = 5, 3
LIMITS = {
    "RATE_LIMITS": f"{USER_LIMIT} per minute;1000 per hour",
    "ANONYMOUS_RATE_LIMITS": f"{ADDRESS_LIMIT} per 30 seconds",
}
L = 20


@pytest.fixture
def at(monkeypatch):
    """Stop the clock; `at(7)` moves it on by so many seconds."""
    stopped = clock.now_ms()

    def move(seconds):
        monkeypatch.setattr(clock, "now_ms", lambda: stopped + round(seconds * 1000))

    move(0)
    return move


@pytest.fixture(scope="module")
def both(engine, new_app, new_database):
    """Two applications on one database: without limits to register on, and with small ones."""
    database = new_database(engine)
    return new_app(engine, database), new_app(engine, database, **LIMITS)


@pytest.fixture
def limited(both):
    """The application with small limits, and two people who have not asked it yet."""
    cast = Cast(both[0])
    people = (cast.alice, cast.bob)
    for person in people:
        person.app = both[1]
    return both[1], *people


@pytest.fixture
def here():
    """An address that nobody has asked from yet."""
    return f"198.51.{next(_third)}.1"


_third = itertools.count(1)


def from_address(app, address, path="/api/v1/nowhere", authorization=""):
    headers = {"Authorization": authorization}
    return app.test_client().get(path, headers=headers, environ_base={"REMOTE_ADDR": address})


# RL-1
def test_a_user_is_counted_whatever_the_address_and_the_others_are_not(limited, at, here):
    app, alice, bob = limited
    statuses = [
        alice.get("/users/me", environ_base={"REMOTE_ADDR": f"192.0.2.{n}"}).status_code
        for n in range(USER_LIMIT + 2)
    ]
    assert statuses == [200] * USER_LIMIT + [429] * 2
    assert bob.get("/users/me").status_code == 200
    assert from_address(app, here).status_code == 404


# RL-1
def test_an_address_without_a_user_is_counted(limited, at, here):
    app, alice, _bob = limited
    statuses = [from_address(app, here).status_code for _ in range(ADDRESS_LIMIT + 2)]
    assert statuses == [404] * ADDRESS_LIMIT + [429] * 2
    assert from_address(app, f"{here}2").status_code == 404
    mine = alice.get("/users/me", environ_base={"REMOTE_ADDR": here})
    assert mine.status_code == 200


# RL-5
def test_a_token_that_is_not_valid_is_counted_by_its_address(limited, at, here):
    app, _alice, _bob = limited
    statuses = [
        from_address(app, here, "/api/v1/users/me", f"Bearer {n}").status_code
        for n in range(ADDRESS_LIMIT + 1)
    ]
    assert statuses == [401] * ADDRESS_LIMIT + [429]


# RL-1
def test_refusing_comes_before_all_work(limited, at, here):
    app, *_ = limited
    for _ in range(ADDRESS_LIMIT):
        from_address(app, here)
    person = {"email": "late@example.com", "password": PASSWORD}

    def post(path, address):
        there = {"REMOTE_ADDR": address}
        return app.test_client().post(f"/api/v1/auth/{path}", json=person, environ_base=there)

    refused(post("register", here), 429, "rate_limited")
    refused(post("token", f"{here}2"), 401, "invalid_credentials")


def test_the_headers_say_what_is_left(limited, at):
    _app, alice, _bob = limited
    policy = '"5-per-60s";q=5;w=60, "1000-per-3600s";q=1000;w=3600'
    for left in range(USER_LIMIT - 1, -1, -1):
        at(USER_LIMIT - 1 - left)
        headers = alice.get("/users/me").headers
        reset = 60 - (USER_LIMIT - 1 - left)
        assert headers["RateLimit-Policy"] == policy
        assert headers["RateLimit"] == f'"5-per-60s";r={left};t={reset}'
        assert headers["X-RateLimit-Limit"] == str(USER_LIMIT)
        assert headers["X-RateLimit-Remaining"] == str(left)
        assert headers["X-RateLimit-Reset"] == str(reset)
    assert "Retry-After" not in headers


# RL-2
@pytest.mark.parametrize("later", [0, 0.001, 17.5, 59.999])
def test_waiting_exactly_retry_after_gets_through(limited, at, later):
    _app, alice, _bob = limited
    for _ in range(USER_LIMIT):
        assert alice.get("/users/me").status_code == 200
    at(later)
    answer = alice.get("/users/me")
    refused(answer, 429, "rate_limited")
    wait = int(answer.headers["Retry-After"])
    assert 1 <= wait <= 60
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    at(later + wait)
    assert alice.get("/users/me").status_code == 200


# RL-2
def test_asking_on_does_not_make_the_wait_longer(limited, at):
    _app, alice, _bob = limited
    waits = []
    for second in range(30):
        at(second)
        answer = alice.get("/users/me")
        if answer.status_code == 429:
            waits.append(second + int(answer.headers["Retry-After"]))
    assert set(waits) == {60}
    assert len(waits) == 30 - USER_LIMIT


def test_what_watches_the_server_is_never_limited(limited, at, here):
    app, *_ = limited
    for path in ("/healthz", "/readyz", "/healthz/"):
        answers = [from_address(app, here, path) for _ in range(ADDRESS_LIMIT + 3)]
        assert {answer.status_code for answer in answers} == {200}
        assert not any("RateLimit" in name for name, _ in answers[-1].headers)


# HD-2
def test_a_preflight_is_not_charged_to_the_address(limited, at, here):
    app, *_ = limited
    there = {"REMOTE_ADDR": here}
    for _ in range(ADDRESS_LIMIT + 1):
        preflight = app.test_client().options("/api/v1/contacts", environ_base=there)
        assert preflight.status_code == 200
    assert from_address(app, here).status_code == 404


def test_an_empty_setting_is_no_limit(new_app):
    app = new_app("sqlite", RATE_LIMITS="", ANONYMOUS_RATE_LIMITS="", REGISTER_RATE_LIMITS="")
    alice = Cast(app).alice
    for answer in (alice.get("/users/me"), app.test_client().get("/api/v1/nowhere")):
        assert not any("RateLimit" in name for name, _ in answer.headers)
    assert {alice.get("/users/me").status_code for _ in range(50)} == {200}


# RL-1
def test_registrations_have_a_limit_of_their_own(new_app, at):
    app = new_app("sqlite", REGISTER_RATE_LIMITS="2 per 10 minutes")

    def register(n):
        person = {"email": f"r{n}@example.com", "password": PASSWORD}
        return app.test_client().post("/api/v1/auth/register", json=person)

    assert [register(n).status_code for n in range(2)] == [201, 201]
    at(100.5)
    answer = register(2)
    refused(answer, 429, "rate_limited")
    assert answer.headers["Retry-After"] == "500"  # 499.5 s are left
    at(600.5)
    assert register(2).status_code == 201


# RL-1
@pytest.mark.parametrize("store", ["table", "redis"])
def test_exactly_the_limit_passes_over_all_workers(request, new_server, store):
    url = "" if store == "table" else request.getfixturevalue("redis_url")
    limits = {"RATE_LIMITS": f"{L} per hour", "ANONYMOUS_RATE_LIMITS": f"{L} per hour"}
    server = new_server("sqlite", WORKERS="4", REDIS_URL=url, **limits)
    wire = Wire(server)
    person = {"email": "ada@example.com", "password": PASSWORD}
    assert wire.ask("POST", "/auth/register", json=person).status_code == 201
    token = wire.ask("POST", "/auth/token", json=person).json()["access_token"]
    assert passed(wire, "/users/me", token) == L
    # Of the address's, three were spent above: the document, the registration, the sign-in.
    assert passed(wire, "/nowhere", None) == L - 3
    server.kill()  # nothing is to be kept


def passed(wire, path, token):
    """How many of 5 times the limit are not refused, sent in parallel to several processes; not all
    at once, or on a busy machine Redis answers later than a request waits for it."""
    wire.from_every_worker("OPTIONS", path, workers=4)  # not counted; the last may be starting
    rounds = [at_once([lambda: wire.ask("GET", path, token)] * L) for _ in range(5)]
    answers = [answer for answered in rounds for answer in answered]
    assert {answer.status_code for answer in answers} <= {200, 404, 429}
    assert all(int(a.headers["Retry-After"]) > 0 for a in answers if a.status_code == 429)
    assert len({process_of(answer) for answer in answers}) > 1
    return sum(answer.status_code != 429 for answer in answers)
