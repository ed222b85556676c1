"""GET and POST /auth/api-tokens, DELETE /auth/api-tokens/{id}, and what a token may do."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from contactapp import clock
from contactapp.auth.api_tokens import MAX_TOKENS
from contactapp.auth.scopes import SCOPES, needed
from contactapp.database import Sql, lane
from tests.support.cast import PASSWORD, Person, refused
from tests.support.engines import on_one_engine
from tests.support.stored import issue_link, set_user

ABSENT = 2**52
SAME = {"X-Request-ID": "the-same"}


def made(person, *scopes, **fields):
    """A new token as it is told."""
    body = {"name": "Backup", "scopes": list(scopes or SCOPES), **fields}
    answer = person.post("/auth/api-tokens", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json


class Program:
    """What asks with an API token."""

    def __init__(self, app, token):
        self.app, self.token = app, token["token"]

    def ask(self, method, path, **kwargs):
        bearer = {"Authorization": f"Bearer {self.token}"}
        return self.app.test_client().open(
            f"/api/v1{path}", method=method, headers=bearer, **kwargs
        )


def listed(person):
    return person.get("/auth/api-tokens").json["items"]


def test_it_is_shown_once_and_lets_a_program_in(alice):
    token = made(alice, "contacts:read")
    assert token["token"].startswith("ca_")
    [shown] = listed(alice)
    assert shown == {name: value for name, value in token.items() if name != "token"}
    assert (shown["name"], shown["scopes"]) == ("Backup", ["contacts:read"])
    assert (shown["expires_at"], shown["last_used_at"]) == (None, None)
    contact = alice.contact()
    answer = Program(alice.app, token).ask("GET", "/contacts")
    assert [item["id"] for item in answer.json["items"]] == [contact["id"]]
    assert listed(alice)[0]["last_used_at"] is not None


# PR-3
def test_the_database_holds_its_hash_and_not_its_name(alice):
    token = made(alice, name="Zanzibar")
    with alice.app.app_context():
        row = lane().one(Sql("SELECT * FROM api_token WHERE id = ?"), (token["id"],))
    held = [bytes(value) if isinstance(value, bytes | memoryview) else str(value) for value in row]
    assert hashlib.sha256(token["token"].encode()).digest() in held
    text = b"|".join(v if isinstance(v, bytes) else v.encode() for v in held)
    assert b"Zanzibar" not in text
    assert token["token"].encode() not in text


@on_one_engine
@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"scopes": ["contacts:read"]}, "/name"),
        ({"name": "", "scopes": ["admin"]}, "/name"),
        ({"name": "x" * 101, "scopes": ["admin"]}, "/name"),
        ({"name": "a\nb", "scopes": ["admin"]}, "/name"),
        ({"name": "x"}, "/scopes"),
        ({"name": "x", "scopes": []}, "/scopes"),
        ({"name": "x", "scopes": "admin"}, "/scopes"),
        ({"name": "x", "scopes": ["contacts:read", "everything"]}, "/scopes/1"),
        ({"name": "x", "scopes": [None]}, "/scopes/0"),
        ({"name": "x", "scopes": ["admin"], "expires_at": "tomorrow"}, "/expires_at"),
        ({"name": "x", "scopes": ["admin"], "expires_at": "2999-01-01T00:00:00"}, "/expires_at"),
        ({"name": "x", "scopes": ["admin"], "expires_at": "2001-01-01T00:00:00Z"}, "/expires_at"),
        (
            {"name": "x", "scopes": ["admin"], "expires_at": "9999-12-31T23:00:00-01:00"},
            "/expires_at",
        ),
        (
            {"name": "x", "scopes": ["admin"], "expires_at": "0001-01-01T00:00:00+14:00"},
            "/expires_at",
        ),
        ({"name": "x", "scopes": ["admin"], "token": "ca_mine"}, "/token"),
    ],
)
def test_every_wrong_field_is_named(alice, fields, pointer):
    refused(alice.post("/auth/api-tokens", json=fields), 422, "invalid_fields", pointer)
    assert listed(alice) == []


# TK-6
def test_a_revoked_one_is_dead_on_the_next_request(alice):
    token = made(alice)
    program = Program(alice.app, token)
    assert program.ask("GET", "/contacts").status_code == 200
    assert alice.delete(f"/auth/api-tokens/{token['id']}").status_code == 204
    answer = program.ask("GET", "/contacts")
    refused(answer, 401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    refused(alice.delete(f"/auth/api-tokens/{token['id']}"), 404, "not_found")
    assert listed(alice) == []


def test_it_ends_when_it_expires(alice, monkeypatch):
    token = made(alice, expires_at="2999-01-01T01:00:00+01:00")
    assert token["expires_at"] == "2999-01-01T00:00:00Z"
    program, ends = Program(alice.app, token), 32_472_144_000_000
    monkeypatch.setattr(clock, "now_ms", lambda: ends - 1)
    assert program.ask("GET", "/contacts").status_code == 200
    monkeypatch.setattr(clock, "now_ms", lambda: ends)
    refused(program.ask("GET", "/contacts"), 401, "invalid_token")


def test_it_may_be_for_as_long_as_years_have_four_digits(alice):
    assert made(alice, expires_at="9999-12-31T23:59:59Z")["expires_at"] == "9999-12-31T23:59:59Z"
    assert listed(alice)[0]["expires_at"] == "9999-12-31T23:59:59Z"


def test_who_makes_two_at_once_is_told_each(alice):
    names = [f"Number {number}" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda name: made(alice, name=name), names))
    assert [token["name"] for token in told] == names
    assert {t["id"]: t["name"] for t in told} == {t["id"]: t["name"] for t in listed(alice)}


# TK-6, AU-8
def test_it_ends_with_a_reset_and_with_the_account(engine, new_app):
    app = new_app(engine)
    ann, dan = Person(app, "ann"), Person(app, "dan")
    programs = [Program(app, made(person)) for person in (ann, dan)]
    assert [p.ask("GET", "/contacts").status_code for p in programs] == [200, 200]
    body = {"token": issue_link(app, ann.id, "reset"), "new_password": "a quite different phrase"}
    assert app.test_client().post("/api/v1/auth/password/reset", json=body).status_code == 200
    set_user(app, dan.id, active=False)
    assert [p.ask("GET", "/contacts").status_code for p in programs] == [401, 401]
    set_user(app, dan.id, active=True)
    dan.sign_in()
    assert programs[1].ask("GET", "/contacts").status_code == 200
    assert dan.post("/users/me/delete", json={"password": PASSWORD}).status_code == 204
    assert programs[1].ask("GET", "/contacts").status_code == 401


# AZ-1
@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/contacts", "contacts:read"),
        ("HEAD", "/contacts", "contacts:read"),
        ("POST", "/contacts", "contacts:write"),
        ("GET", "/contacts/search?q=a", "contacts:read"),
        ("DELETE", "/contacts/1", "contacts:write"),
        ("GET", "/notes", "contacts:read"),
        ("POST", "/notes/bulk", "contacts:write"),
        ("GET", "/changes", "contacts:read"),
        ("GET", "/changes/stream", "contacts:read"),
        ("POST", "/changes/tickets", "contacts:read"),
        ("GET", "/books", "contacts:read"),
        ("GET", "/data", "data:read"),
        ("GET", "/data/a", "data:read"),
        ("POST", "/data", "data:write"),
        ("DELETE", "/data/a", "data:write"),
        ("POST", "/data/a/increment", "data:write"),
        ("GET", "/feeds", "feeds:read"),
        ("POST", "/feeds", "contacts:write"),
        ("GET", "/webhooks", "contacts:read"),
        ("POST", "/webhooks", "contacts:write"),
        ("GET", "/users", "admin"),
    ],
)
def test_a_missing_scope_is_named(cast, method, path, scope):
    person = cast.admin
    others = Program(person.app, made(person, *(set(SCOPES) - {scope})))
    answer = others.ask(method, path, json={} if method == "POST" else None)
    assert answer.status_code == 403
    assert f'error="insufficient_scope", scope="{scope}"' in answer.headers["WWW-Authenticate"]
    if method != "HEAD":
        assert refused(answer, 403, "insufficient_scope")["scope"] == scope
    allowed = Program(person.app, made(person, scope))
    answer = allowed.ask(method, path, json={} if method == "POST" else None)
    assert answer.status_code in {200, 201, 404, 422}


# What a route reads and changes, by how its path begins; all others are for sessions only.
AREAS = {
    **dict.fromkeys(("contacts", "notes", "custom-fields", "labels"), "contacts"),
    **dict.fromkeys(("operations", "changes", "books", "exports", "webhooks"), "contacts"),
    **dict.fromkeys(("data", "data-history"), "data"),
}
SCOPE_OF = {
    ("POST", "changes"): "contacts:read",  # a ticket for what may be read anyway
    ("GET", "imports"): "contacts:write",  # what was uploaded is not in the book
    ("POST", "imports"): "contacts:write",
    ("GET", "feeds"): "feeds:read",
    ("POST", "feeds"): "contacts:write",
    ("DELETE", "feeds"): "contacts:write",
}


# AZ-1
@on_one_engine
def test_every_route_needs_the_scope_of_what_it_touches(app):
    areas, found = app.extensions["contactapp.areas"], {}
    for rule in app.url_map.iter_rules():
        _, _, path = rule.rule.partition("/api/v1/")
        if not path or rule.endpoint in app.extensions["contactapp.public"]:
            continue
        first = path.partition("/")[0]
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            wanted = SCOPE_OF.get((method, first))
            if first in AREAS and not wanted:
                wanted = f"{AREAS[first]}:{'read' if method == 'GET' else 'write'}"
            if first == "users" and rule.endpoint.startswith("accounts."):
                wanted = "admin"
            found[method, path] = needed(areas.get(rule.endpoint), method), wanted
    assert len(found) > 80
    assert {key: pair for key, pair in found.items() if pair[0] != pair[1]} == {}


# AZ-1
def test_changes_of_data_are_told_to_who_may_read_data(alice):
    alice.contact()
    assert alice.put("/data/key", json={"value": "a secret"}).status_code == 201
    for scopes, types in (
        (["contacts:read"], ["contact"]),
        (["contacts:read", "data:read"], ["contact", "data"]),
    ):
        answer = Program(alice.app, made(alice, *scopes)).ask("GET", "/changes")
        assert [item["type"] for item in answer.json["items"]] == types


# AZ-1
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users/me"),
        ("PATCH", "/users/me"),
        ("DELETE", "/users/me"),
        ("POST", "/users/me/export"),
        ("GET", "/auth/me"),
        ("GET", "/auth/sessions"),
        ("POST", "/auth/logout"),
        ("POST", "/auth/password/change"),
        ("GET", "/auth/api-tokens"),
        ("POST", "/auth/api-tokens"),
        ("GET", "/audit"),
    ],
)
def test_an_account_is_for_sessions_only(alice, method, path):
    program = Program(alice.app, made(alice))
    answer = program.ask(method, path, json={} if method != "GET" else None)
    assert refused(answer, 403, "insufficient_scope")["scope"] is None


def test_the_scope_admin_makes_nobody_an_admin(alice):
    refused(Program(alice.app, made(alice)).ask("GET", "/users"), 403, "forbidden")


# AZ-1, AZ-2
def test_it_opens_what_its_owner_may_and_nothing_else(cast):
    mine, hers = cast.bob.contact(), cast.alice.contact()
    program = Program(cast.bob.app, made(cast.bob))
    assert program.ask("GET", f"/contacts/{mine['id']}").status_code == 200
    refused(program.ask("GET", f"/contacts/{hers['id']}"), 404, "not_found")
    refused(program.ask("GET", f"/contacts?book={cast.alice.book_id}"), 404, "not_found")
    viewer = Program(cast.eve.app, made(cast.eve))
    book = f"?book={cast.alice.book_id}"
    assert viewer.ask("GET", f"/contacts/{hers['id']}{book}").status_code == 200
    refused(viewer.ask("DELETE", f"/contacts/{hers['id']}{book}"), 403, "read_only_book")


# AZ-1
def test_a_stranger_neither_lists_nor_revokes_it(cast):
    token = made(cast.alice)
    for person in (cast.bob, cast.carol, cast.admin):
        assert listed(person) == []
        foreign = person.delete(f"/auth/api-tokens/{token['id']}", headers=SAME)
        absent = person.delete(f"/auth/api-tokens/{ABSENT}", headers=SAME)
        refused(foreign, 404, "not_found")
        assert foreign.data == absent.data
    assert Program(cast.bob.app, token).ask("GET", "/contacts").status_code == 200


# TK-1
@pytest.mark.parametrize("text", ["ca_", "ca_" + "A" * 43, "ca_" + "A" * 5000, "ca_é" + "A" * 42])
def test_what_is_no_token_of_ours_is_401(alice, text):
    answer = Program(alice.app, {"token": text.encode().decode("latin-1")}).ask("GET", "/contacts")
    refused(answer, 401, "invalid_token")


def test_its_requests_are_its_owners_in_the_quota(engine, new_app):
    app = new_app(engine, RATE_LIMITS="5 per minute")
    person = Person(app, "ann")
    program = Program(app, made(person))  # one of five
    assert [program.ask("GET", "/contacts").status_code for _ in range(5)] == [200] * 4 + [429]
    assert person.get("/contacts").status_code == 429


# OB-2
def test_making_and_revoking_are_events_and_a_change_says_by_which(alice):
    token = made(alice)
    written = Program(alice.app, token).ask("POST", "/contacts", json={"first_name": "Ada"})
    assert written.status_code == 201
    with alice.app.app_context():
        row = lane().one(
            Sql("SELECT token_id, actor_id FROM change WHERE entity = 'contact' AND entity_id = ?"),
            (written.json["id"],),
        )
    assert tuple(row) == (token["id"], alice.id)
    alice.delete(f"/auth/api-tokens/{token['id']}")
    events = alice.get("/audit?kind=api_token_made,api_token_revoked").json["items"]
    assert [event["kind"] for event in events] == ["api_token_revoked", "api_token_made"]
    assert token["token"] not in str(events)


def test_there_is_a_limit(alice):
    for _ in range(MAX_TOKENS):
        made(alice)
    body = {"name": "One more", "scopes": ["admin"]}
    problem = refused(alice.post("/auth/api-tokens", json=body), 403, "api_token_limit_reached")
    assert (problem["limit"], problem["used"]) == (MAX_TOKENS, MAX_TOKENS)
    assert len(alice.get("/auth/api-tokens?limit=500").json["items"]) == MAX_TOKENS
