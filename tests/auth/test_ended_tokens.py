"""What is left of an API token, or of a session, that has ended."""

import pytest

from contactapp import clock
from contactapp.database import Sql, lane
from tests.auth.test_api_tokens import Program, made
from tests.support.cast import NOWHERE, Person, refused
from tests.support.stored import issue_link


# TK-6, AU-8
@pytest.mark.parametrize(
    ("by", "path", "fields"),
    [
        ("session", "/auth/api-tokens", {"name": "Mine", "scopes": ["contacts:read"]}),
        ("session", "/feeds", {"kind": "birthdays"}),
        ("API token", "/feeds", {"kind": "birthdays"}),
        ("session", "/webhooks", {"url": NOWHERE}),
    ],
)
def test_what_a_reset_ended_opens_no_other_door(engine, new_app, monkeypatch, by, path, fields):
    """Also where it was let in before: whoever has it may ask for one again and again."""
    app = new_app(engine)
    ann = Person(app, "ann")
    if by == "API token":
        ann.access = made(ann)["token"]
    body = {"token": issue_link(app, ann.id, "reset"), "new_password": "a quite different phrase"}
    waiting = ["/api/v1/auth/password/reset"]

    def then():
        while waiting:
            assert app.test_client().post(waiting.pop(), json=body).status_code == 200

    before = app.before_request_funcs[None]
    monkeypatch.setitem(app.before_request_funcs, None, [*before, then])
    refused(ann.post(path, json=fields), 401, "invalid_token")
    with app.app_context():
        for table in ("api_token", "feed", "webhook"):
            assert lane().one(Sql(f"SELECT count(*) FROM {table}"))[0] == 0


# TK-6
@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_one_that_has_ended_spends_nobodys_quota(engine, new_app, monkeypatch, end):
    """But for a minute: whoever found it could keep its owner out."""
    app, now = new_app(engine, RATE_LIMITS="8 per hour"), clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    ann = Person(app, "ann")
    until = clock.rfc3339(now + 60_000) if end == "expired" else None
    token = made(ann, expires_at=until)  # one of eight
    program = Program(app, token)
    assert program.ask("GET", "/contacts").status_code == 200  # two
    if end == "revoked":
        ann.delete(f"/auth/api-tokens/{token['id']}")  # three
    now += 61_000
    for path in ("/contacts", "/nowhere", "/auth/api-tokens") * 3:
        assert program.ask("GET", path).status_code in {401, 404}
    assert ann.get("/contacts").status_code == 200


# TK-6, OB-2
def test_a_missing_scope_is_told_to_who_has_a_token_and_recorded(alice):
    token = made(alice, "data:read")
    program = Program(alice.app, token)
    for path in ("/contacts", "/users/me"):
        refused(program.ask("GET", path), 403, "insufficient_scope")
    refusals = alice.get("/audit?kind=refused").json["items"]
    assert [(item["details"]["code"], item["details"]["route"]) for item in refusals] == [
        ("insufficient_scope", "/api/v1/users/me"),
        ("insufficient_scope", "/api/v1/contacts"),
    ]
    alice.delete(f"/auth/api-tokens/{token['id']}")
    for path in ("/contacts", "/users/me"):
        refused(program.ask("GET", path), 401, "invalid_token")
