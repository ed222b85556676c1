"""A token serves the one purpose it was made for, as long as its key is there."""

import base64
import os
from contextlib import closing

import pytest

from contactapp.crypto import derive
from tests.support.cast import Person, refused
from tests.support.forger import ME, REFRESH, Forger, decoded, refused_everywhere


@pytest.fixture
def forger(app, alice):
    return Forger(app, alice)


def with_token(client, token, url=ME):
    return client.get(url, headers={"Authorization": f"Bearer {token}"})


# TK-2
def test_a_refresh_token_opens_nothing(client, alice):
    for url in (ME, "/api/v1/contacts", "/api/v1/auth/sessions", "/api/v1/books"):
        refused(with_token(client, alice.refresh, url), 401, "invalid_token")
    bearer = {"Authorization": f"Bearer {alice.refresh}"}
    refused(client.post("/api/v1/auth/logout", headers=bearer), 401, "invalid_token")
    assert alice.get("/users/me").status_code == 200


# TK-2
def test_an_access_token_refreshes_nothing(client, alice):
    body = {"refresh_token": alice.access}
    refused(client.post(REFRESH, json=body), 401, "invalid_token")
    bearer = {"Authorization": f"Bearer {alice.access}"}
    refused(client.post(REFRESH, headers=bearer), 401, "invalid_token")
    assert client.post(REFRESH, json={"refresh_token": alice.refresh}).status_code == 200


# TK-2
def test_a_ticket_opens_streams_and_nothing_else(client, alice):
    ticket = alice.post("/changes/tickets").json["ticket"]
    for url in (ME, "/api/v1/contacts", "/api/v1/changes", "/api/v1/changes/stream"):
        refused(with_token(client, ticket, url), 401, "invalid_token")
        if not url.endswith("/stream"):
            refused(client.get(f"{url}?ticket={ticket}"), 401, "not_authenticated")
    refused(client.post(REFRESH, json={"refresh_token": ticket}), 401, "invalid_token")
    made = alice.post("/auth/api-tokens", json={"name": "A", "scopes": ["contacts:read"]}).json
    for other in (alice.access, alice.refresh, made["token"], "", "ct_", f"ct_{'A' * 43}"):
        answer = client.get("/api/v1/changes/stream", query_string={"ticket": other})
        refused(answer, 401, "invalid_token")
    with closing(client.get(f"/api/v1/changes/stream?ticket={ticket}")) as answer:
        assert answer.status_code == 200


# TK-2
@pytest.mark.parametrize("kid", ["access", "refresh"])
@pytest.mark.parametrize("key", ["access", "refresh"])
@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_kid_key_and_type_must_agree(client, forger, kid, key, kind):
    if kid == key == kind:
        return
    id_ = forger.header["kid"].partition(".")[0]
    token = forger.sign(
        {**forger.header, "kid": f"{id_}.{kid}"},
        {**forger.payload, "type": kind},
        forger.keys.key(f"{id_}.{key}"),
    )
    refused_everywhere(client, token)


# TK-2
@pytest.mark.parametrize("purpose", ["reset", "verify", "file", "mail", ""])
def test_a_key_of_another_purpose_signs_nothing_here(client, forger, purpose):
    key = derive(forger.secret, f"contactapp {purpose} token")
    id_ = forger.header["kid"].partition(".")[0]
    for kid in (f"{id_}.{purpose}", forger.header["kid"]):
        for kind in (purpose, "access", "refresh"):
            payload = {**forger.payload, "type": kind}
            refused_everywhere(client, forger.sign({**forger.header, "kid": kid}, payload, key))
    refused_everywhere(client, forger.sign(key=forger.secret))


# TK-2
def test_a_token_of_another_session_or_user_does_not_mix(client, forger, alice, bob):
    theirs = decoded(bob.access.split(".")[1])
    refused_everywhere(client, forger.claiming(sub=theirs["sub"]))
    refused_everywhere(client, forger.claiming(sid=theirs["sid"]))
    refused_everywhere(client, forger.claiming(sid=2**53 - 1))


# TK-8
def test_keys_rotate_without_signing_anybody_out(engine, new_app, new_database):
    url = new_database(engine)
    fixed = {"MASTER_KEYS": secret("m1"), "PASSWORD_PEPPERS": secret("p1")}
    one, two = secret("k1"), secret("k2")
    first = new_app(engine, url, **fixed, JWT_SECRETS=one)
    both = new_app(engine, url, **fixed, JWT_SECRETS=f"{two},{one}")
    only = new_app(engine, url, **fixed, JWT_SECRETS=two)
    ada = Person(first, "ada")
    contact = ada.contact(first_name="Grace")

    assert _listed(both, ada.access) == [contact]
    fresh = both.test_client().post(REFRESH, json={"refresh_token": ada.refresh}).json
    assert _kids(ada.access, ada.refresh) == ["k1.access", "k1.refresh"]
    assert _kids(fresh["access_token"], fresh["refresh_token"]) == ["k2.access", "k2.refresh"]

    for old in (ada.access, ada.refresh):
        refused_everywhere(only.test_client(), old)
    for new in (fresh["access_token"], fresh["refresh_token"]):
        refused_everywhere(first.test_client(), new)
    assert _listed(only, fresh["access_token"]) == [contact]
    body = {"refresh_token": fresh["refresh_token"]}
    assert only.test_client().post(REFRESH, json=body).status_code == 200


def secret(name):
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


def _listed(app, token):
    return with_token(app.test_client(), token, "/api/v1/contacts").json["items"]


def _kids(*tokens):
    return [decoded(token.partition(".")[0])["kid"] for token in tokens]
