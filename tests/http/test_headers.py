"""What every answer carries, whatever it answers."""

import re

import pytest

from tests.support.cast import Cast

POLICY = "default-src 'none'; frame-ancestors 'none'"
JSON, PROBLEM = "application/json", "application/problem+json"
FORM = {"data": "a=b", "content_type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def alice(app):
    return Cast(app).alice


@pytest.fixture(scope="module")
def limited(new_app):
    return new_app("sqlite", ANONYMOUS_RATE_LIMITS="1 per minute")


def not_modified(alice):
    tag = alice.get("/users/me").headers["ETag"]
    return alice.get("/users/me", headers={"If-None-Match": tag})


def created(alice):
    return alice.post("/contacts", json={"first_name": "Ada"})


def removed(alice):
    return alice.delete(f"/contacts/{created(alice).json['id']}")


def stale(alice):
    return alice.patch("/users/me", json={}, headers={"If-Match": '"v999-0"'})


# Each answer: its status, its content type, who asks and for what.
ANSWERS = {
    "200": (200, JSON, lambda alice: alice.get("/users/me")),
    "200 of a list": (200, JSON, lambda alice: alice.get("/contacts")),
    "200 of HEAD": (200, JSON, lambda alice: alice.request("HEAD", "/contacts")),
    "201": (201, JSON, created),
    "204": (204, None, removed),
    "304": (304, None, not_modified),
    "400": (400, PROBLEM, lambda alice: alice.get("/contacts?unknown=1")),
    "401": (401, PROBLEM, lambda alice: alice.get("/contacts", headers={"Authorization": ""})),
    "404": (404, PROBLEM, lambda alice: alice.get("/contacts/999999")),
    "404 of no route": (404, PROBLEM, lambda alice: alice.get("/nowhere")),
    "405": (405, PROBLEM, lambda alice: alice.put("/contacts", json={})),
    "405 of TRACE": (405, PROBLEM, lambda alice: alice.request("TRACE", "/contacts")),
    "412": (412, PROBLEM, stale),
    "413": (413, PROBLEM, lambda alice: alice.post("/contacts", data=b" " * (2**20 + 1))),
    "415": (415, PROBLEM, lambda alice: alice.post("/contacts", **FORM)),
    "422": (422, PROBLEM, lambda alice: alice.post("/contacts", json={})),
}


# HD-1
@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_below_the_api_has_the_headers(alice, name):
    status, kind, ask = ANSWERS[name]
    if name == "413":
        answer = alice.post("/contacts", data=b" " * (2**20 + 1), content_type=JSON)
    else:
        answer = ask(alice)
    assert answer.status_code == status
    assert_hardened(answer)
    assert answer.headers.get("Content-Type") == kind
    assert answer.headers["Cache-Control"] == "no-store"
    assert_true_status(answer)


def assert_hardened(answer, policy=POLICY):
    once = {name: answer.headers.getlist(name) for name, _ in answer.headers}
    assert [name for name, values in once.items() if len(values) > 1 and name != "Vary"] == []
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Content-Security-Policy"] == policy
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["X-Request-ID"])
    assert "Set-Cookie" not in answer.headers
    assert "Strict-Transport-Security" not in answer.headers
    assert not re.search(r"\d", answer.headers.get("Server", ""))
    assert "X-Powered-By" not in answer.headers


def assert_true_status(answer):
    if answer.status_code >= 400:
        assert answer.json["status"] == answer.status_code
        assert answer.json["request_id"] == answer.headers["X-Request-ID"]


# HD-1
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/nowhere", "/"])
def test_what_is_public_has_the_headers_too(client, path):
    answer = client.get(path)
    assert_hardened(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == (PROBLEM if answer.status_code == 404 else JSON)


# HD-1
@pytest.mark.parametrize("path", ["/docs", "/docs/errors"])
def test_pages_have_a_policy_of_their_own_and_a_charset(client, path):
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert_hardened(answer, policy)
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


# HD-1
def test_the_files_of_the_pages_have_the_headers(client):
    files = re.findall(r'"(/docs/static/[^"]+)"', client.get("/docs").text)
    assert files
    for file in files:
        with client.get(file) as answer:
            assert_hardened(answer)
            kind = answer.headers["Content-Type"]
        assert kind.startswith("image/") or kind.endswith("; charset=utf-8"), (file, kind)
        missing = client.get(f"{file}x")
        assert missing.status_code == 404
        assert_hardened(missing)


# HD-1
def test_429_has_the_headers(limited):
    answers = [limited.test_client().get("/api/v1/nowhere") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [404, 429]
    for answer in answers:
        assert_hardened(answer)
        assert_true_status(answer)


# HD-1
def test_500_has_the_headers(broken_app):
    answer = broken_app.test_client().get("/broken")
    assert answer.status_code == 500
    assert_hardened(answer)
    assert_true_status(answer)
    assert answer.headers["Content-Type"] == PROBLEM


# HD-1
def test_405_names_what_is_allowed(alice):
    answer = alice.delete("/contacts")
    allowed = {name.strip() for name in answer.headers["Allow"].split(",")}
    assert (answer.status_code, allowed) == (405, {"GET", "HEAD", "OPTIONS", "POST"})


# HD-1
def test_401_has_a_challenge(client):
    for token in ("", "Bearer x", "Basic YTpi"):
        answer = client.get("/api/v1/contacts", headers={"Authorization": token})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


# HD-1
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK", "PROPFIND", "X"])
def test_other_methods_are_405_everywhere(client, method):
    for path in ("/api/v1/contacts", "/api/v1/auth/token", "/healthz", "/docs"):
        assert client.open(path, method=method).status_code == 405


# OB-1
@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_a_harmless_request_id_comes_back(client, given):
    assert client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


# OB-1
@pytest.mark.parametrize(
    "given",
    ["", "x" * 65, "x" * 10_000, "a b", "a;b", "a\tb", "\x1b[31m", "é", "<b>", '"a"', "a/b"],
)
def test_any_other_request_id_is_replaced(client, given):
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    found = answer.headers["X-Request-ID"]
    assert found != given
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", found)


def test_request_ids_are_unique(apps):
    found = [
        app.test_client().get("/healthz").headers["X-Request-ID"]
        for app in apps.values()
        for _ in range(50)
    ]
    assert len(set(found)) == len(found)


def test_a_trailing_slash_is_optional_and_never_redirects(app, alice):
    bearer = {"Authorization": f"Bearer {alice.access}"}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "999999", rule.rule).rstrip("/")
        if "/auth/logout" in path or not path:
            continue
        for method in rule.methods - {"OPTIONS"}:
            with app.test_client() as client:
                answers = [
                    client.open(path + end, method=method, headers=bearer) for end in ("", "/")
                ]
            statuses = [answer.status_code for answer in answers]
            assert statuses[0] == statuses[1], (method, path, statuses)
            assert not 300 <= statuses[0] < 400, (method, path, statuses)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("//evil.test", 404),
        ("//evil.test/", 404),
        ("//evil.test/..", 404),
        ("/api//v1/contacts", 404),
        ("/docs//", 404),
        ("/\\evil.test", 404),
        ("//healthz", 200),
    ],
)
def test_two_slashes_never_redirect(client, path, status):
    answer = client.get("/", environ_overrides={"PATH_INFO": path, "REQUEST_URI": path})
    assert answer.status_code == status
    assert "Location" not in answer.headers
