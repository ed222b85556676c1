"""Which browser origins may read answers."""

import pytest

from tests.support.cast import Cast

LISTED = "https://app.example.org"
OTHER = "http://localhost:3000"
EXPOSED = {
    "ETag",
    "Link",
    "Location",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
}
REFUSED = [
    "https://evil.test",
    "null",
    "*",
    "",
    "https://app.example.org.evil.test",
    "https://evilapp.example.org",
    "https://evil.test/app.example.org",
    "https://evil.test#https://app.example.org",
    "https://app.example.org@evil.test",
    "https://app_example.org",
    "https://appxexample.org",
    "https://app.example.org:8443",
    "https://app.example.org/",
    "https://app.example.org, https://evil.test",
    "http://app.example.org",
    "HTTPS://APP.EXAMPLE.ORG",
    "https://example.org",
    "https://sub.app.example.org",
    "https://app%2eexample.org",
    "https://app.example.org\t",
    "http://localhost",
    "http://localhost:30000",
]
PATHS = ["/api/v1/users/me", "/api/v1/contacts+x", "/api/v1/%2e%2e/contacts", "/healthz", "/no"]


@pytest.fixture(scope="module")
def person(new_app):
    return Cast(new_app("sqlite", CORS_ORIGINS=f"{LISTED},{OTHER}")).alice


@pytest.fixture
def ask(person):
    def send(origin, path="/api/v1/users/me", method="GET", **headers):
        bearer = {"Authorization": f"Bearer {person.access}"}
        origin = {} if origin is None else {"Origin": origin}
        client = person.app.test_client()
        return client.open(path, method=method, headers={**bearer, **origin, **headers})

    return send


def cors_headers(answer):
    return {name for name, _ in answer.headers if name.startswith("Access-Control")}


# HD-2
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", [None, *REFUSED])
def test_an_origin_that_is_not_listed_reads_nothing(ask, origin, path):
    for method in ("GET", "OPTIONS", "POST"):
        answer = ask(origin, path, method, **{"Access-Control-Request-Method": "DELETE"})
        assert cors_headers(answer) == set()
        assert "Origin" in answer.headers.getlist("Vary")


# HD-2
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", [LISTED, OTHER])
def test_a_listed_origin_is_echoed_exactly(ask, origin, path):
    for method in ("GET", "POST"):
        answer = ask(origin, path, method)
        assert answer.headers.getlist("Access-Control-Allow-Origin") == [origin]
        assert "Origin" in answer.headers.getlist("Vary")
        assert "Access-Control-Allow-Credentials" not in answer.headers


# HD-2
def test_errors_can_be_read_too(ask):
    for answer in (ask(LISTED, Authorization=""), ask(LISTED, "/api/v1/contacts?unknown=1")):
        assert answer.status_code in {400, 401}
        assert answer.headers["Access-Control-Allow-Origin"] == LISTED


# HD-2
def test_scripts_may_read_the_headers_they_need(ask):
    exposed = ask(LISTED).headers["Access-Control-Expose-Headers"]
    assert set(exposed.split(", ")) >= EXPOSED
    assert "*" not in exposed


# HD-2
@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/contacts", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/v1/contacts/1", {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}),
        ("/api/v1/users/me/", {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}),
    ],
)
def test_a_preflight_lists_methods_and_headers(ask, path, methods):
    wanted = {"Access-Control-Request-Method": "POST", "Authorization": ""}
    answer = ask(LISTED, path, "OPTIONS", **wanted)
    assert answer.status_code == 200
    assert answer.get_data() == b""
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == methods
    allowed = {name.lower() for name in answer.headers["Access-Control-Allow-Headers"].split(", ")}
    assert allowed >= {
        "authorization",
        "content-type",
        "if-match",
        "if-none-match",
        "last-event-id",
    }
    assert int(answer.headers["Access-Control-Max-Age"]) > 0


# HD-2
def test_without_a_list_nobody_reads_anything(client):
    for method in ("GET", "OPTIONS"):
        answer = client.open("/healthz", method=method, headers={"Origin": LISTED})
        assert cors_headers(answer) == set()
