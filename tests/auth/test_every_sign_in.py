"""What holds of every route on which somebody signs in, whichever system it is from."""

import pytest

from tests.support.cast import PASSWORD, Person
from tests.support.engines import on_one_engine
from tests.support.stored import set_user

NATIVE = "/api/v1/auth/token"
MULTIPART = "multipart/form-data"
SIGN_INS = [
    *[(NATIVE, kind) for kind in ("json", "data", "parts")],
    *[("/api/v1/auth/login", kind) for kind in ("json", "data", "parts")],
    ("/api/users/login", "json"),
    ("/token", "json"),
    *[("/auth/token", kind) for kind in ("json", "data", "parts")],
    *[("/api/token", kind) for kind in ("json", "data", "parts")],
]
each_sign_in = pytest.mark.parametrize(("path", "kind"), SIGN_INS)


def sign_in(app, path, kind, login, password=PASSWORD, headers=None):
    fields = {"username": login, "password": password}
    return app.test_client().post(path, headers=headers, **sent_as(kind, fields))


def sent_as(kind, fields):
    """How the test client is told to send them."""
    return {"data": fields, "content_type": MULTIPART} if kind == "parts" else {kind: fields}


def refused(answer, status, code):
    """Assert that it is this error, in whatever words the route tells it."""
    assert answer.status_code == status, answer.text
    assert answer.json["code"].lower() == code
    assert not {"access_token", "refresh_token", "data"} & answer.json.keys()


def token_of(answer):
    assert answer.status_code == 200, answer.text
    return (answer.json.get("data") or answer.json)["access_token"]


def test_the_table_names_every_sign_in(app):
    found = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "POST" in rule.methods and rule.rule.endswith(("/token", "/login"))
    }
    assert found == {path for path, _ in SIGN_INS}


@each_sign_in
def test_it_opens_a_session_like_any_other(app, alice, path, kind):
    before = len(alice.get("/auth/sessions").json["items"])
    alice.access = token_of(sign_in(app, path, kind, alice.name))
    sessions = alice.get("/auth/sessions").json["items"]
    assert len(sessions) == before + 1
    assert sessions[0]["is_current"]
    assert [kind_["kind"] for kind_ in alice.get("/audit").json["items"][:1]] == ["signed_in"]
    assert alice.post("/auth/logout").status_code == 204
    assert alice.get("/users/me").status_code == 401


# AU-1
@each_sign_in
def test_nobody_learns_which_accounts_exist(app, cast, path, kind):
    set_user(app, cast.bob.id, active=False)
    tries = {
        "wrong password": (cast.alice.name, "a wrong one"),
        "unknown": ("nobody", PASSWORD),
        "no name": ("@@", PASSWORD),
        "disabled": (cast.bob.name, PASSWORD),
        "disabled, wrong password": (cast.bob.name, "a wrong one"),
    }
    seen = set()
    for login, password in tries.values():
        answer = sign_in(app, path, kind, login, password, {"X-Request-ID": "the-same"})
        refused(answer, 401, "invalid_credentials")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        kept = [header for header in answer.headers if "RateLimit" not in header[0]]
        seen.add((answer.data, tuple(kept)))
    assert len(seen) == 1, seen


@pytest.fixture(scope="module")
def strict_app(engine, new_app):
    """Where an address must be confirmed before anybody signs in."""
    return new_app(engine, EMAIL_VERIFICATION="required")


@each_sign_in
def test_an_account_that_is_not_confirmed_is_told_so_and_only_its_owner(strict_app, path, kind):
    name = f"ann{SIGN_INS.index((path, kind))}"
    account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    assert strict_app.test_client().post("/api/v1/auth/register", json=account).status_code == 201
    refused(sign_in(strict_app, path, kind, name), 403, "email_not_verified")
    refused(sign_in(strict_app, path, kind, name, "a wrong one"), 401, "invalid_credentials")


@pytest.fixture(scope="module")
def limited_app(engine, new_app):
    return new_app(engine, SIGN_IN_RATE_LIMITS="3 per 15 minutes")


# RL-5
@each_sign_in
def test_tries_count_together_over_all_routes(limited_app, path, kind):
    for tried, then in (((path, kind), (NATIVE, "json")), ((NATIVE, "data"), (path, kind))):
        person = Person(limited_app, "ann")
        for _ in range(3):
            answer = sign_in(limited_app, *tried, person.name, "a guess")
            refused(answer, 401, "invalid_credentials")
        answer = sign_in(limited_app, *then, person.name)
        refused(answer, 429, "rate_limited")
        assert int(answer.headers["Retry-After"]) > 0


@on_one_engine
@each_sign_in
def test_a_password_in_the_address_is_refused(app, alice, path, kind):
    client = app.test_client()
    query = {"username": alice.name, "password": PASSWORD}
    answer = client.post(path, query_string=query, **sent_as(kind, query))
    assert answer.status_code == 400, answer.text
    assert PASSWORD not in answer.text


@on_one_engine
@each_sign_in
def test_it_is_asked_by_post_alone(app, path, kind):
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert app.test_client().open(path, method=method).status_code == 405


# IV-1, IV-4, FI-6
@on_one_engine
@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([("username", b"a"), ("username", b"b"), ("password", b"x")], 400),
        ([("username", b"a\xff"), ("password", b"x")], 400),
        ([("username", b"a\0b"), ("password", b"x")], 422),
        ([("username", b"a"), ('password"; filename="x', b"x")], 422),
        ([(f"f{number}", b"") for number in range(1001)], 413),
        ([("username", b"\r\n" + b"x" * 600_000)], 413),
        ([], 422),
    ],
)
@pytest.mark.parametrize("path", [NATIVE, "/auth/token"])
def test_parts_that_are_no_form_are_refused(client, path, parts, status):
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), text)
        for name, text in parts
    )
    kind = f"{MULTIPART}; boundary=b"
    answer = client.post(path, data=body + b"--b--\r\n", content_type=kind)
    assert answer.status_code == status, answer.text
