"""Making, showing, changing and deleting webhooks."""

import re

import pytest

from contactapp.books.service import share_book, unshare_book
from contactapp.webhooks import service
from tests.support.cast import PASSWORD, refused
from tests.support.engines import on_one_engine
from tests.support.stored import issue_link, set_user
from tests.webhooks.conftest import deliveries, hook, rows, send

SHOWN = {
    *("id", "url", "description", "types", "book_id", "active", "status", "failing_since"),
    *("disabled_at", "former_secret_until", "version", "created_at", "updated_at"),
}


def test_it_is_made_shown_changed_and_deleted(owner, receiver):
    made = hook(owner, receiver, description=" Ours ", types=["contact.created", "note", "note"])
    secret = made.pop("secret")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert set(made) == SHOWN
    assert (made["description"], made["types"]) == ("Ours", ["contact.created", "note"])
    assert (made["book_id"], made["active"], made["status"]) == (owner.book_id, True, "active")
    path = f"/webhooks/{made['id']}"
    answer = owner.get(path)
    assert answer.json == made
    assert secret not in owner.get("/webhooks").text
    patch = {"description": None, "types": None, "active": False}
    changed = owner.patch(path, json=patch, headers={"If-Match": answer.headers["ETag"]})
    assert changed.status_code == 200, changed.text
    now = changed.json
    assert (now["description"], now["types"], now["status"]) == (None, [], "paused")
    assert now["version"] == 2
    stale = owner.patch(path, json={"active": True}, headers={"If-Match": answer.headers["ETag"]})
    assert refused(stale, 412, "version_mismatch")["current_version"] == 2
    gone = owner.delete(path, headers={"If-Match": answer.headers["ETag"]})
    refused(gone, 412, "version_mismatch")
    assert owner.delete(path).status_code == 204
    refused(owner.get(path), 404, "not_found")
    assert owner.get("/webhooks").json["items"] == []
    kinds = [event["kind"] for event in owner.get("/audit").json["items"]]
    assert [kind for kind in kinds if kind.startswith("webhook")] == [
        *("webhook_deleted", "webhook_changed", "webhook_made")
    ]


@on_one_engine
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": None}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": 7}, "/url"),
        ({"url": "https://x.example/" + "x" * 2000}, "/url"),
        ({"url": "http://127.0.0.1/", "types": ["contact.eaten"]}, "/types/0"),
        ({"url": "http://127.0.0.1/", "types": "contact"}, "/types"),
        ({"url": "http://127.0.0.1/", "active": 1}, "/active"),
        ({"url": "http://127.0.0.1/", "description": "x" * 201}, "/description"),
        ({"url": "http://127.0.0.1/", "secret": "whsec_bWluZQ=="}, "/secret"),
        ({"url": "http://127.0.0.1/", "user_id": 1}, "/user_id"),
    ],
)
def test_a_wrong_value_is_422_and_nothing_is_made(owner, body, pointer):
    refused(owner.post("/webhooks", json=body), 422, "invalid_fields", pointer)
    assert owner.get("/webhooks").json["total"] == 0


# AZ-1, AZ-2
def test_somebody_elses_is_not_there(people, receiver):
    made = hook(people.alice, receiver)
    people.alice.contact()
    [delivery] = deliveries(people.alice, made)
    path = f"/webhooks/{made['id']}"
    asked = [
        *(("GET", path), ("DELETE", path), ("PATCH", path), ("POST", f"{path}/secret")),
        *(("POST", f"{path}/test"), ("GET", f"{path}/deliveries")),
        ("GET", f"{path}/deliveries/{delivery['id']}"),
        ("POST", f"{path}/deliveries/{delivery['id']}/replay"),
    ]
    for person in (people.bob, people.carol):
        for method, where in asked:
            body = {"active": False} if method == "PATCH" else None
            refused(person.request(method, where, json=body), 404, "not_found")
    own = hook(people.bob, receiver)
    for method, ending in (("GET", ""), ("POST", "/replay")):  # theirs, below one's own
        where = f"/webhooks/{own['id']}/deliveries/{delivery['id']}{ending}"
        refused(people.bob.request(method, where), 404, "not_found")
    refused(people.bob.post(f"/webhooks?book={people.alice.book_id}", json={}), 404, "not_found")
    assert people.alice.get(path).json["version"] == 1


# AZ-6
def test_who_may_no_longer_read_the_book_is_told_nothing(people, receiver):
    for lose, regain in (
        (
            lambda: unshare_book(people.alice.id, people.eve.id),
            lambda: share_book(people.alice.id, people.eve.id, "viewer"),
        ),
        (
            lambda: set_user(people.app, people.eve.id, active=False),
            lambda: set_user(people.app, people.eve.id, active=True),
        ),
    ):
        made = hook(people.eve, receiver, people.alice.book_id)
        people.alice.contact(first_name="Before")
        with people.app.app_context():
            lose()
        people.alice.contact(first_name="After")
        send(people.eve, made)
        with people.app.app_context():
            regain()
        assert receiver.got == []
        [found] = deliveries(people.eve, made)  # what came after is not even counted for them
        assert found["status"] == "cancelled"
        last = people.alice.contact(first_name="Again")["id"]
        send(people.eve, made)
        assert receiver.got.pop().event["data"]["id"] == last
        people.eve.delete(f"/webhooks/{made['id']}")


# AZ-1
def test_a_token_that_may_only_write_has_nothing_told(people, receiver):
    owner = people.alice
    made = hook(owner, receiver)
    for scopes, body, missing in (
        (["contacts:write"], {}, "contacts:read"),
        (["contacts:write"], {"types": ["data"]}, "contacts:read"),
        (["contacts:write", "contacts:read"], {"types": ["data"]}, "data:read"),
        (["contacts:read"], {}, "contacts:write"),
    ):
        token = owner.post("/auth/api-tokens", json={"name": "T", "scopes": scopes}).json["token"]
        as_token = {"Authorization": f"Bearer {token}"}
        tries = [("POST", "/webhooks", {"url": receiver.url, **body})]
        tries += [("PATCH", f"/webhooks/{made['id']}", {"url": receiver.url, **body})]
        for method, path, sent in tries:
            answer = owner.request(method, path, json=sent, headers=as_token)
            assert refused(answer, 403, "insufficient_scope")["scope"] == missing
    answer = people.eve.post(
        f"/webhooks?book={owner.book_id}", json={"url": receiver.url, "types": ["data.created"]}
    )
    refused(answer, 422, "invalid_fields", "/types")


@on_one_engine
def test_a_user_has_ten(owner, receiver, monkeypatch):
    monkeypatch.setattr(service, "MAX_WEBHOOKS", 2)
    for _ in range(2):
        hook(owner, receiver)
    problem = refused(
        owner.post("/webhooks", json={"url": receiver.url}), 403, "webhook_limit_reached"
    )
    assert (problem["limit"], problem["used"]) == (2, 2)


# AU-8
def test_who_resets_the_password_gets_rid_of_webhooks_that_others_made(owner, receiver):
    made = hook(owner, receiver)
    token = issue_link(owner.app, owner.id, "reset")
    body = {"token": token, "new_password": "a new long phrase"}
    client = owner.app.test_client()
    assert client.post("/api/v1/auth/password/reset", json=body).status_code == 200
    assert rows(owner.app, "SELECT id FROM webhook WHERE id = ?", made["id"]) == []


# PR-2
def test_an_erased_account_has_no_webhooks_nor_has_anybody_of_its_books(people, receiver):
    own, shared = hook(people.alice, receiver), hook(people.carol, receiver, people.alice.book_id)
    people.alice.contact()
    assert people.alice.delete("/users/me", json={"password": PASSWORD}).status_code == 204
    assert [send(people.carol, made).more for made in (own, shared)] == [False, False]
    assert receiver.got == []
    assert rows(people.app, "SELECT 1 FROM webhook WHERE id = ?", own["id"]) == []


# PR-3
def test_address_description_and_secret_are_sealed(owner, receiver):
    made = hook(owner, receiver, description="Zanzibar")
    owner.contact(first_name="Grace")
    send(owner, made)
    found = rows(owner.app, "SELECT * FROM webhook WHERE id = ?", made["id"])
    found += rows(owner.app, "SELECT * FROM webhook_delivery WHERE webhook_id = ?", made["id"])
    text = repr([bytes(v) if isinstance(v, memoryview) else v for row in found for v in row])
    for word in ("Zanzibar", "127.0.0.1", made["secret"][6:], "Grace"):
        assert word not in text
