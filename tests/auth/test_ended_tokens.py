"""What is left of an API token, or of a session, that has ended."""

import pytest

from contactapp.database import Sql, lane
from tests.auth.test_api_tokens import made
from tests.support.cast import Person, refused
from tests.support.stored import issue_link


# TK-6, AU-8
@pytest.mark.parametrize(
    ("by", "path", "fields"),
    [
        ("session", "/auth/api-tokens", {"name": "Mine", "scopes": ["contacts:read"]}),
        ("session", "/feeds", {"kind": "birthdays"}),
        ("API token", "/feeds", {"kind": "birthdays"}),
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
        for table in ("api_token", "feed"):
            assert lane().one(Sql(f"SELECT count(*) FROM {table}"))[0] == 0
