"""The guard before every view: who may pass, what it reads and what it remembers."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from contactapp import clock
from contactapp.database import Lane, database
from tests.support.cast import Person, refused

# Every route that needs no user. A new one belongs here only if everybody may have its answer.
PUBLIC = {
    "GET /",
    "GET /account/<purpose>",
    "GET /docs",
    "GET /docs/errors",
    "GET /docs/static/<digest>/<name>",
    "GET /api/v1/feeds/<token>.ics",
    "GET /healthz",
    "GET /metrics",
    "GET /openapi.json",
    "GET /readyz",
    "POST /account/<purpose>",
    "POST /api/register",
    "POST /api/token",
    "POST /api/v1/auth/email/confirm",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/password/reset",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/register",
    "GET /media/<file_name>",
    "GET /media/photos/<file_name>",
    "GET /media/initials/<text>-<int(max=7):colour>.svg",
    "POST /api/v1/auth/token",
    "POST /api/v1/auth/verify-email",
    "POST /api/v1/auth/verify-email/resend",
    "GET /auth/reset-password-form",
    "GET /auth/verify-email",
    "POST /api/users/login",
    "POST /api/users/register",
    "POST /auth/forgot-password",
    "POST /auth/register",
    "POST /auth/reset-password",
    "POST /auth/reset-password-form",
    "POST /auth/token",
    "POST /auth/verify-email",
    "POST /register",
    "POST /token",
}


def routes(app):
    """Every method of every rule, as `GET /path`, HEAD and OPTIONS aside."""
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def statements(app, monkeypatch):
    """Every statement sent to the database meanwhile, on the lane and through SQLAlchemy."""
    seen, genuine = [], Lane._run

    def run(lane, sql, *args, **kwargs):
        seen.append(sql.qmark)
        return genuine(lane, sql, *args, **kwargs)

    def execute(connection, cursor, statement, *_):
        seen.append(statement)

    with app.app_context():
        engine = database().engine
    event.listen(engine, "before_cursor_execute", execute)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(Lane, "_run", run)
            yield seen
    finally:
        event.remove(engine, "before_cursor_execute", execute)


def last_used(person):
    query = text("SELECT last_used_at FROM session WHERE user_id = :id")
    with person.app.app_context(), database().engine.connect() as connection:
        return connection.execute(query, {"id": person.id}).scalar_one()


def unauthenticated(answer, code):
    """Assert that it is 401; the earlier systems tell it in other words."""
    assert answer.status_code == 401, answer.text
    if answer.request.path.startswith("/api/v1/"):
        refused(answer, 401, code)


# AZ-1
def test_every_route_without_a_user_answers_401_unless_it_is_public(app, client):
    for route in routes(app) - PUBLIC:
        method, rule = route.split(" ")
        path = re.sub("<[^>]+>", "1", rule)
        answer = client.open(path, method=method)
        unauthenticated(answer, "not_authenticated")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="contactapp"'
        answer = client.open(path, method=method, headers=bearer("nonsense"))
        unauthenticated(answer, "invalid_token")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        if method == "GET":
            assert client.head(path).status_code == 401


# AZ-1
def test_the_public_routes_ask_for_nobody(app, client):
    assert routes(app) >= PUBLIC
    for route in PUBLIC:
        method, rule = route.split(" ")
        answer = client.open(re.sub("<[^>]+>", "1", rule), method=method)
        assert answer.status_code != 401, route


def test_an_unknown_path_is_not_found_for_everybody(client, alice):
    refused(client.get("/api/v1/nothing"), 404, "not_found")
    refused(client.get("/api/v1/nothing", headers=bearer("nonsense")), 404, "not_found")
    refused(alice.get("/nothing"), 404, "not_found")


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER   {} ", "Bearer Bearer {}"])
def test_a_doubled_bearer_is_forgiven(client, alice, form):
    headers = {"Authorization": form.format(alice.access)}
    assert client.get("/api/v1/users/me", headers=headers).json["id"] == alice.id


@pytest.mark.parametrize(
    "header", ["{}", "Basic {}", "Token {}", "Bearer", "Bearer ", "Bearer {} {}", "Bearer {},{}"]
)
def test_any_other_header_is_no_token(client, alice, header):
    headers = {"Authorization": header.format(alice.access, alice.access)}
    refused(client.get("/api/v1/users/me", headers=headers), 401, "invalid_token")


def test_a_warm_list_costs_one_statement(app, alice, monkeypatch):
    alice.contact(first_name="Grace")
    assert alice.get("/contacts").json["total"] == 1
    for path in ("/contacts", "/contacts?limit=1&sort=-last_name"):
        with statements(app, monkeypatch) as seen:
            assert alice.get(path).json["total"] == 1
        assert len(seen) == 1, seen


def test_a_refused_request_costs_at_most_one_statement(app, client, alice, monkeypatch):
    url = "/api/v1/contacts"
    with statements(app, monkeypatch) as seen:
        client.get(url)
        client.get(url, headers=bearer("nonsense"))
        client.get(url, headers=bearer(alice.refresh))
    assert seen == []
    alice.post("/auth/logout")
    with statements(app, monkeypatch) as seen:
        refused(alice.get("/contacts"), 401, "invalid_token")
    assert len(seen) == 1, seen


def test_the_last_use_is_written_at_most_once_a_minute(app, alice, monkeypatch):
    start = last_used(alice)
    written = []
    for seconds in (1, 59, 61, 62, 120, 122):
        monkeypatch.setattr("contactapp.clock.now_ms", lambda ms=start + seconds * 1000: ms)
        with statements(app, monkeypatch) as seen:
            assert alice.get("/contacts").status_code == 200
        writes = [statement for statement in seen if statement.startswith("UPDATE")]
        written.append((len(writes), (last_used(alice) - start) // 1000))
    assert written == [(0, 0), (0, 0), (1, 61), (0, 61), (0, 61), (1, 122)]


# CC-4
def test_a_reader_waits_for_no_writer(engine, new_app, monkeypatch):
    app = new_app(engine, BUSY_TIMEOUT_SECONDS="600")
    ada = Person(app, "ada")
    now = clock.now_ms()
    monkeypatch.setattr("contactapp.clock.now_ms", lambda: now + 61_000)
    hold = text("UPDATE session SET last_used_at = last_used_at")
    with app.app_context(), ThreadPoolExecutor(1) as pool, database().engine.begin() as connection:
        connection.execute(hold)
        # A reader that waits would do so for the ten minutes of the setting.
        assert pool.submit(ada.get, "/contacts").result(timeout=30).status_code == 200
    assert last_used(ada) <= now
    assert ada.get("/contacts").status_code == 200
    assert last_used(ada) == now + 61_000


# TK-6
def test_a_disabled_users_token_dies_at_once(app, alice, bob):
    assert alice.get("/users/me").status_code == 200
    for active, status in ((False, 401), (True, 200)):
        with app.app_context(), database().engine.begin() as connection:
            change = text("UPDATE users SET active = :active WHERE id = :id")
            connection.execute(change, {"active": active, "id": alice.id})
        assert alice.get("/users/me").status_code == status
        assert bob.get("/users/me").status_code == 200


def test_a_remembered_signature_is_not_a_remembered_validity(app, client, alice, monkeypatch):
    cache = app.extensions["contactapp.tokens"].verified
    alice.get("/users/me")
    hits = cache.cache_info().hits
    assert alice.get("/users/me").status_code == 200
    assert cache.cache_info().hits == hits + 1
    now = clock.now_ms()
    with monkeypatch.context() as patched:
        patched.setattr("contactapp.clock.now_ms", lambda: now + 901_000)
        refused(alice.get("/users/me"), 401, "invalid_token")
    assert alice.get("/users/me").status_code == 200
    assert alice.post("/auth/logout").status_code == 204
    refused(alice.get("/users/me"), 401, "invalid_token")
    assert cache.cache_info().hits == hits + 5


def test_an_access_token_dies_exactly_at_its_expiry(alice, monkeypatch):
    issued = clock.now_ms() // 1000 * 1000
    for milliseconds, status in ((898_999, 200), (902_000, 401)):
        monkeypatch.setattr("contactapp.clock.now_ms", lambda ms=issued + milliseconds: ms)
        assert alice.get("/users/me").status_code == status


# DU-5
def test_a_clock_that_was_set_back_signs_nobody_out(client, alice, monkeypatch):
    ahead = clock.now_ms() + 3_600_000
    with monkeypatch.context() as patched:
        patched.setattr("contactapp.clock.now_ms", lambda: ahead)
        alice.sign_in()
    assert alice.get("/users/me").status_code == 200
    refresh = client.post("/api/v1/auth/refresh", json={"refresh_token": alice.refresh})
    assert refresh.status_code == 200


def test_the_users_own_quota_counts_only_for_a_token_that_is_genuine(engine, new_app):
    app = new_app(engine, RATE_LIMITS="3 per minute")
    ada = Person(app, "ada")
    client = app.test_client()
    for _ in range(5):
        refused(client.get("/api/v1/users/me", headers=bearer(ada.refresh)), 401, "invalid_token")
    statuses = [ada.get("/users/me").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]


# EM-2
def test_a_forgotten_password_is_the_same_work_for_everybody(app, client, alice, monkeypatch):
    done = []
    for email in (alice.email, "nobody@example.com"):
        with statements(app, monkeypatch) as seen:
            body = {"email": email}
            answer = client.post("/api/v1/auth/password/forgot", json=body)
        done.append((answer.status_code, answer.json, list(seen)))
    assert done[0] == done[1]
    assert done[0][0] == 202
