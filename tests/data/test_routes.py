"""One entry of key-value data: added, shown, replaced, changed and deleted."""

import pytest

from tests.support.cast import refused

VALUES = [
    *(None, True, False, 0, -1, 2**53 - 1, -(2**53 - 1), 1.5, 1e300, "", "text", "Zoë 🜚"),
    *([], {}, [1, [2, [None]]], {"a": {"b": [1, 2.0]}, "": ""}),
]


def test_an_entry_is_added_with_its_place_and_tag(alice):
    answer = alice.post("/data", json={"key": "colour", "value": {"hue": 5}})
    assert answer.status_code == 201
    shown = answer.json
    assert {**shown, "created_at": 0, "updated_at": 0} == {
        "key": "colour",
        "value": {"hue": 5},
        "version": 1,
        "size": len('{"hue":5}'),
        "expires_at": None,
        "created_at": 0,
        "updated_at": 0,
    }
    assert shown["created_at"] == shown["updated_at"]
    assert answer.headers["Location"] == "/api/v1/data/colour"
    again = alice.get("/data/colour")
    assert (again.json, again.headers["ETag"]) == (shown, answer.headers["ETag"])


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_any_json_and_comes_back_as_it_is(alice, value):
    assert alice.put("/data/k", json={"value": value}).status_code == 201
    shown = alice.get("/data/k").json["value"]
    assert (shown, type(shown)) == (value, type(value))


def test_a_key_that_is_there_is_409_and_stays(alice):
    alice.post("/data", json={"key": "k", "value": 1})
    refused(alice.post("/data", json={"key": "k", "value": 2}), 409, "key_exists")
    assert alice.get("/data/k").json["value"] == 1


def test_put_makes_and_then_replaces(alice):
    first = alice.put("/data/k", json={"value": 1})
    second = alice.put("/data/k", json={"value": 2})
    assert (first.status_code, second.status_code) == (201, 200)
    assert (second.json["value"], second.json["version"]) == (2, 2)
    assert second.json["created_at"] == first.json["created_at"]
    assert alice.get("/data/k").json == second.json


def test_what_is_absent_is_404_for_every_verb(alice):
    for method, body in (
        *(("GET", None), ("HEAD", None), ("DELETE", None)),
        ("PATCH", {"value": 1}),
    ):
        answer = alice.request(method, "/data/nothing", json=body)
        assert answer.status_code == 404
        if method != "HEAD":
            refused(answer, 404, "key_not_found")


def test_what_is_deleted_is_gone_and_comes_back_as_another(alice):
    first = alice.put("/data/k", json={"value": 1})
    answer = alice.delete("/data/k")
    assert (answer.status_code, answer.data) == (204, b"")
    refused(alice.get("/data/k"), 404, "key_not_found")
    again = alice.put("/data/k", json={"value": 1})
    assert again.status_code == 201
    assert again.headers["ETag"] != first.headers["ETag"]
    stale = {"If-Match": first.headers["ETag"]}
    refused(alice.put("/data/k", json={"value": 2}, headers=stale), 412, "version_mismatch")


def test_what_was_read_can_be_put_back(alice):
    shown = alice.put("/data/k", json={"value": {"a": 1}}).json
    answer = alice.put("/data/k", json=shown)
    assert (answer.status_code, answer.json) == (200, shown)


def test_a_write_that_changes_nothing_makes_no_version(alice):
    first = alice.put("/data/k", json={"value": {"a": 1, "b": [True]}})
    for method, value in (("PUT", {"b": [True], "a": 1}), ("PATCH", {"a": 1}), ("PATCH", {})):
        answer = alice.request(method, "/data/k", json={"value": value})
        assert answer.json == first.json
    assert alice.put("/data/k", json={"value": {"a": 1, "b": [1]}}).json["version"] == 2
    assert alice.put("/data/k", json={"value": {"a": 1.0, "b": [1]}}).json["version"] == 3


# RFC 7396 appendix A, in what an entry's value can be
@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_merges_into_the_value(alice, before, patch, after):
    alice.put("/data/k", json={"value": before})
    assert alice.patch("/data/k", json={"value": patch}).json["value"] == after
    assert alice.get("/data/k").json["value"] == after


def test_an_empty_patch_changes_nothing(alice):
    shown = alice.put("/data/k", json={"value": 5, "ttl": 60}).json
    assert alice.patch("/data/k", json={}).json == shown


def test_a_tag_answers_304_and_head_has_no_body(alice):
    tag = alice.put("/data/k", json={"value": 5}).headers["ETag"]
    answer = alice.get("/data/k", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")
    head = alice.request("HEAD", "/data/k")
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", tag)
    alice.put("/data/k", json={"value": 6})
    assert alice.get("/data/k", headers={"If-None-Match": tag}).status_code == 200


# CC-3
def test_if_match_compares_and_sets(alice):
    first = alice.put("/data/k", json={"value": 1}).headers["ETag"]
    second = alice.put("/data/k", json={"value": 2}, headers={"If-Match": first})
    assert second.status_code == 200
    for method, path, body in (
        ("PUT", "/data/k", {"value": 3}),
        ("PATCH", "/data/k", {"value": 3}),
        ("POST", "/data/k/increment", {}),
        ("DELETE", "/data/k", None),
    ):
        answer = alice.request(method, path, json=body, headers={"If-Match": first})
        assert refused(answer, 412, "version_mismatch")["current_version"] == 2
    assert alice.get("/data/k").json == second.json
    assert alice.delete("/data/k", headers={"If-Match": second.headers["ETag"]}).status_code == 204


@pytest.mark.parametrize("tag", ["*", '"v1-00000000"'])
def test_if_match_never_makes_an_entry(alice, tag):
    for method, path, body in (
        ("PUT", "/data/k", {"value": 3}),
        ("POST", "/data/k/increment", {}),
    ):
        answer = alice.request(method, path, json=body, headers={"If-Match": tag})
        refused(answer, 412, "version_mismatch")
    refused(alice.get("/data/k"), 404, "key_not_found")


def test_if_none_match_makes_only(alice):
    only = {"If-None-Match": "*"}
    assert alice.put("/data/k", json={"value": 1}, headers=only).status_code == 201
    for method, path, body in (
        ("PUT", "/data/k", {"value": 3}),
        ("PATCH", "/data/k", {"value": 3}),
        ("POST", "/data/k/increment", {}),
        ("DELETE", "/data/k", None),
    ):
        answer = alice.request(method, path, json=body, headers=only)
        refused(answer, 412, "version_mismatch")
    assert alice.get("/data/k").json["value"] == 1
    both = {"If-None-Match": "*", "If-Match": "*"}
    refused(alice.put("/data/k", json={"value": 3}, headers=both), 412, "version_mismatch")


# AZ-1 to AZ-3
def test_two_users_have_the_same_key_each_for_themselves(alice, bob):
    alice.put("/data/k", json={"value": "hers"})
    refused(bob.get("/data/k"), 404, "key_not_found")
    refused(bob.delete("/data/k"), 404, "key_not_found")
    bob.post("/data", json={"key": "k", "value": "his"})
    assert alice.get("/data/k").json["value"] == "hers"
    assert bob.delete("/data/k").status_code == 204
    assert alice.get("/data/k").json["value"] == "hers"


# AZ-4
@pytest.mark.parametrize(
    "name", ["id", "user_id", "owner_id", "sealed", "deleted_at", "is_admin", "role", "items"]
)
def test_an_unknown_name_is_refused_and_changes_nothing(alice, name):
    shown = alice.put("/data/k", json={"value": 1}).json
    for method, path, body in (
        ("POST", "/data", {"key": "other", "value": 1}),
        ("PUT", "/data/k", {"value": 2}),
        ("PATCH", "/data/k", {"value": 2}),
        ("POST", "/data/k/increment", {}),
    ):
        answer = alice.request(method, path, json={**body, name: 7})
        refused(answer, 422, "invalid_fields", f"/{name}")
    assert alice.get("/data/k").json == shown


# AZ-4
def test_what_is_read_only_is_ignored(alice):
    sent = {"version": 9, "size": 9, "expires_at": None, "created_at": "1999-01-01T00:00:00Z"}
    shown = alice.post("/data", json={"key": "k", "value": 1, **sent}).json
    assert (shown["version"], shown["size"]) == (1, 1)
    changed = alice.put("/data/k", json={"key": "other", "value": 2, **sent}).json
    assert (changed["key"], changed["version"], changed["size"]) == ("k", 2, 1)
    assert changed["created_at"] == shown["created_at"]


def test_no_route_of_data_takes_a_book_or_any_query(cast):
    for path in ("/data/k", "/data/k/increment"):
        method = "POST" if path.endswith("increment") else "GET"
        answer = cast.carol.request(method, f"{path}?book={cast.alice.book_id}", json={})
        refused(answer, 400, "unknown_parameter")
