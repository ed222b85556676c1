"""Members of a body that a client has no business to set."""

import pytest

from tests.support.cast import refused
from tests.support.engines import on_one_engine
from tests.support.stored import book_state, contact_row, user_row

READ_ONLY = {
    "id": 1,
    "uid": "00000000-0000-4000-8000-000000000000",
    "book_id": 1,
    "version": 99,
    "created_at": "1999-01-01T00:00:00Z",
    "updated_at": "1999-01-01T00:00:00Z",
    "created_by": 1,
    "updated_by": 1,
}
UNKNOWN = {
    "user_id": 1,
    "owner_id": 1,
    "deleted_at": None,
    "is_admin": True,
    "role": "admin",
    "email_verified": True,
    "sealed": "AAAA",
    "book": 1,
    "contact_limit": 0,
    "key_id": 1,
    "__class__": {},
    "_id": 1,
    "ID": 1,
}


# AZ-4
@pytest.mark.parametrize("field", READ_ONLY)
def test_a_read_only_field_is_ignored(cast, field):
    theirs = cast.bob.contact()
    value = theirs[field] if field in {"id", "uid", "book_id"} else READ_ONLY[field]
    made = cast.alice.contact(first_name="Grace", **{field: value})
    assert made[field] != value
    before, state = contact_row(cast.app, made["id"]), book_state(cast.alice)
    path = f"/contacts/{made['id']}"
    for method in ("PUT", "PATCH"):
        answer = cast.alice.request(method, path, json={"first_name": "Grace", field: value})
        assert (answer.status_code, answer.json) == (200, made)
    assert (contact_row(cast.app, made["id"]), book_state(cast.alice)) == (before, state)
    assert cast.bob.get(f"/contacts/{theirs['id']}").json == theirs


# AZ-4
def test_a_write_beside_read_only_fields_writes_only_itself(alice):
    made = alice.contact(first_name="Grace")
    for method in ("PUT", "PATCH"):
        body = {**READ_ONLY, "first_name": f"by {method}"}
        answer = alice.request(method, f"/contacts/{made['id']}", json=body)
        made = {**made, "first_name": body["first_name"], "name": body["first_name"]}
        made |= {"version": made["version"] + 1, "updated_at": answer.json["updated_at"]}
        assert answer.json == made


# AZ-4
@on_one_engine
@pytest.mark.parametrize("field", UNKNOWN)
def test_any_other_name_is_422_and_nothing_is_written(alice, field):
    made = alice.contact()
    rows = contact_row(alice.app, made["id"]), user_row(alice.app, alice.id), book_state(alice)
    path = f"/contacts/{made['id']}"
    for method, where in (("POST", "/contacts"), ("PUT", path), ("PATCH", path)):
        answer = alice.request(method, where, json={"first_name": "Eve", field: UNKNOWN[field]})
        problem = refused(answer, 422, "invalid_fields", f"/{field}")
        assert [error["code"] for error in problem["errors"]] == ["unknown_field"]
    now = contact_row(alice.app, made["id"]), user_row(alice.app, alice.id), book_state(alice)
    assert now == rows


# AZ-4
def test_nobody_makes_themselves_an_admin_through_their_profile(alice):
    before = user_row(alice.app, alice.id)
    ignored = {"role": "admin", "email_verified": True, "contact_limit": 0, "contact_count": 0}
    answer = alice.patch("/users/me", json={**ignored, "id": 1, "book_id": 1, "version": 9})
    assert (answer.status_code, answer.json["role"]) == (200, "user")
    for name in ("active", "password_hash", "is_admin", "owner_id", "key_id"):
        refused(alice.patch("/users/me", json={name: True}), 422, "invalid_fields", f"/{name}")
    assert user_row(alice.app, alice.id) == before


# AZ-4
@pytest.mark.parametrize("name", ["role", "active", "email_verified", "contact_limit", "id"])
def test_nobody_registers_as_more_than_a_user(client, name):
    body = {"email": f"mallory-{name}@example.com", "password": "correct horse battery staple"}
    answer = client.post("/api/v1/auth/register", json={**body, name: True})
    refused(answer, 422, "invalid_fields", f"/{name}")
