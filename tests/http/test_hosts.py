"""Requests for a name that is not ours are refused."""

import pytest

from contactapp import create_app
from contactapp.config import load
from tests.support.cast import refused

PATH = "/api/v1/contacts"


@pytest.fixture(scope="module")
def production(new_app, tmp_path_factory):
    from tests.test_config import PRODUCTION

    folder = tmp_path_factory.mktemp("production")
    given = {
        **PRODUCTION,
        "BCRYPT_COST": "10",
        "INSTANCE_PATH": str(folder),
        "BASE_URL": "https://contacts.example.org",
        "ALLOWED_HOSTS": "internal.example.net,10.0.0.5",
    }
    return create_app(load(given, environ={}))


# EM-1
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "contacts.example.org.evil.example",
        "contacts.example.org@evil.example",
        "192.0.2.1",
        "[2001:db8::1]:443",
        "[",
        "localhost.evil.example:80",
        "a" * 300,
    ],
)
def test_an_unknown_host_is_400(production, host):
    answer = production.test_client().get(PATH, headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json["code"] in {"unknown_host", "bad_request"}


# EM-1
@pytest.mark.parametrize(
    "host",
    [
        "contacts.example.org",
        "CONTACTS.example.org:443",
        "contacts.example.org.",
        "internal.example.net:8443",
        "10.0.0.5",
        "127.0.0.1:8000",
        "[::1]:8000",
        "localhost",
    ],
)
def test_our_own_names_are_served(production, host):
    answer = production.test_client().get("/", headers={"Host": host})
    assert answer.status_code == 200


# EM-1
def test_no_other_header_says_the_host(production):
    for name in ("X-Forwarded-Host", "Forwarded", "X-Host", "X-Original-Host"):
        answer = production.test_client().get(
            "/", headers={"Host": "evil.example", name: "localhost"}
        )
        assert answer.status_code == 400


def test_probes_are_answered_whatever_they_are_asked_for(production):
    answer = production.test_client().get("/healthz", headers={"Host": "10.1.2.3"})
    assert answer.status_code == 200


def test_development_also_answers_to_bare_addresses(client):
    assert client.get("/", headers={"Host": "192.168.1.7:8000"}).status_code == 200
    refused(client.get(PATH, headers={"Host": "evil.example"}), 400, "unknown_host")
