"""The contacts of the earlier systems: their shape, their lists, and what is refused."""

import re

import pytest

from contactapp.compat import contacts
from tests.changes.test_change_log import log_of
from tests.compat.conftest import ORIGIN
from tests.compat.frontend import UNION
from tests.support.cast import Cast
from tests.support.stored import book_state

PLACES = ["/contacts", "/api/contacts"]
LISTS = [*PLACES, "/contacts/search?query=grace", "/contacts/birthdays"]
WRITES = {
    ("POST", ""): ({"name": "Ada King"}, "create", "first_name last_name"),
    ("PUT", "/1"): ({"name": "Ada King"}, "update", "first_name last_name"),
    ("PATCH", "/1"): ({"custom_fields": {"a": 1}}, "update", "custom_fields"),
    ("DELETE", "/1"): (None, "delete", "first_name"),
}


def ask(person, method, path, headers=(), **kwargs):
    bearer = {"Authorization": f"Bearer {person.access}"}
    client = person.app.test_client()
    return client.open(path, method=method, headers={**bearer, **dict(headers)}, **kwargs)


def told(answer, status, code):
    """Assert that an answer is this error, told as these systems do, and return it."""
    assert (answer.status_code, answer.mimetype) == (status, "application/json"), answer.text
    body = answer.json
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"] == body["message"]
    assert body["title"]
    return body


@pytest.mark.parametrize("place", PLACES)
def test_a_contact_has_the_one_shape_everywhere(alice, place):
    made = alice.contact(
        prefix="Dr", first_name="Grace", last_name="Hopper", phone="112", additional_info="x",
        custom_fields={"a": 1}, company="Navy", title="Admiral", email="g@example.com",
        birthday="--12-09",
    )  # fmt: skip
    expected = {
        "id": made["id"],
        "name": "Dr Grace Hopper",
        "first_name": "Grace",
        "last_name": "Hopper",
        "phone": "112",
        "phone_number": "112",
        "email": "g@example.com",
        "birthday": "--12-09",
        "additional_info": "x",
        "custom_fields": {"a": 1},
        "company": "Navy",
        "title": "Admiral",
    }
    one = f"{place}/{made['id']}"
    assert expected.keys() == UNION
    assert ask(alice, "GET", place).json == [expected]
    assert ask(alice, "GET", one).json == expected
    assert ask(alice, "PUT", one, json=expected).json == expected
    assert alice.get(f"/contacts/{made['id']}").json == made  # nothing was changed by that
    new = ask(alice, "POST", place, json=expected)
    assert new.json == {**expected, "id": new.json["id"], "name": "Grace Hopper"}
    assert new.headers["Location"] == f"{place}/{new.json['id']}"
    gone = ask(alice, "DELETE", one).json
    assert gone == {**expected, "message": gone["message"]}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("write", WRITES)
def test_a_write_leaves_one_row_in_the_log(alice, place, write):
    alice.contact(first_name="Grace")
    (method, end), (body, op, fields) = write, WRITES[write]
    path = place + end.replace("1", str(alice.get("/contacts").json["items"][0]["id"]))
    assert ask(alice, method, path, json=body).status_code in {200, 201}
    *before, row = log_of(alice)
    assert len(before) == 1
    assert (row["op"], row["changed_fields"]) == (op, fields)
    state = book_state(alice)
    if method in {"PUT", "PATCH"}:
        assert ask(alice, method, path, json=body).status_code == 200
    assert ask(alice, method, path + "?book=1", json={"email": "x"}).status_code in {404, 422, 200}
    assert method == "DELETE" or book_state(alice) == state


def test_every_write_of_contacts_is_swept(app):
    rules = {
        (method, re.sub("<.*>", "1", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods & {"POST", "PUT", "PATCH", "DELETE"}
        if rule.rule.startswith(tuple(PLACES))
    }
    assert rules == {(method, place + end) for method, end in WRITES for place in PLACES}


# AZ-1, AZ-2
@pytest.mark.parametrize("place", PLACES)
def test_a_foreign_contact_is_as_if_it_were_not_there(cast, place):
    made, state = cast.alice.contact(first_name="Zaphod-marker"), book_state(cast.alice)
    for person in (cast.bob, cast.carol, cast.eve, cast.admin):
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
            kwargs = {
                "json": {"name": "Mallory"} if method in {"PUT", "PATCH"} else None,
                "headers": {"X-Request-ID": "the-same"},
            }
            query = f"?book={cast.alice.book_id}"
            foreign = ask(person, method, f"{place}/{made['id']}{query}", **kwargs)
            absent = ask(person, method, f"{place}/{2**52}{query}", **kwargs)
            assert foreign.status_code == absent.status_code == 404
            assert foreign.data == absent.data
            assert "marker" not in foreign.text
        assert ask(person, "GET", f"{place}?book={cast.alice.book_id}").json == []
    assert book_state(cast.alice) == state


# AZ-4
@pytest.mark.parametrize("place", PLACES)
def test_nothing_but_a_contact_is_set(alice, place):
    made = alice.contact(first_name="Ada")
    body = {"id": 9, "user_id": 9, "owner_id": 9, "book_id": 9, "version": 9, "is_admin": True,
            "created_at": "2020-01-01T00:00:00Z", "deleted_at": 1, "uid": "x"}  # fmt: skip
    assert ask(alice, "PUT", f"{place}/{made['id']}", json=body).status_code == 200
    assert alice.get(f"/contacts/{made['id']}").json == made


@pytest.mark.parametrize("place", PLACES)
def test_what_the_shape_lacks_is_ignored_and_stays(alice, place):
    hidden = {"prefix": "Dr", "middle_name": "K", "nickname": "Ace", "starred": True}
    made = alice.contact(first_name="Ada", department="Sums", anniversary="2001", **hidden)
    others = {name: [] for name in (*hidden, "suffix", "department", "anniversary", "labels")}
    assert ask(alice, "PUT", f"{place}/{made['id']}", json=others).status_code == 200
    assert alice.get(f"/contacts/{made['id']}").json == made
    new = ask(alice, "POST", place, json={**others, "name": "Ada King"}).json
    assert (new["first_name"], new["last_name"]) == ("Ada", "King")


@pytest.mark.parametrize("place", PLACES)
def test_if_match_changes_the_version_that_was_seen_and_no_other(alice, place):
    one = f"{place}/{alice.contact(first_name='Ada')['id']}"
    tag = ask(alice, "GET", one).headers["ETag"]
    assert ask(alice, "GET", one, {"If-None-Match": tag}).status_code == 304
    assert ask(alice, "PUT", one, {"If-Match": tag}, json={"name": "B"}).status_code == 200
    for method in ("PUT", "PATCH", "DELETE"):
        answer = ask(alice, method, one, {"If-Match": tag}, json={"name": "C"})
        told(answer, 412, "version_mismatch")
    now = ask(alice, "GET", one)
    assert now.json["name"] == "B"
    assert ask(alice, "DELETE", one, {"If-Match": now.headers["ETag"]}).status_code == 200


# IV-1, IV-3
@pytest.mark.parametrize(
    ("kwargs", "status", "code"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400, "malformed_body"),
        ({"data": b'{"a":1,"a":2}', "content_type": "application/json"}, 400, "malformed_body"),
        ({"json": []}, 400, "malformed_body"),
        ({"json": {"name": "a\x00"}}, 422, "invalid_fields"),
        ({"json": {"name": 7}}, 422, "invalid_fields"),
        ({"json": {}}, 422, "invalid_fields"),
        ({"json": {"name": "x" * 101}}, 422, "invalid_fields"),
        ({"data": {"name": "Ada"}}, 415, "unsupported_media_type"),
        ({"data": b"{}" + b" " * 2**20, "content_type": "application/json"}, 413, "body_too_large"),
    ],
)
def test_a_bad_body_is_told_as_these_systems_do(alice, kwargs, status, code):
    state = book_state(alice)
    for place in PLACES:
        told(ask(alice, "POST", place, **kwargs), status, code)
    assert book_state(alice) == state


@pytest.mark.parametrize("number", ["0", "007", "-1", "1e3", "٣", str(2**63), "x", "1/notes"])
def test_what_is_no_id_is_404(alice, number):
    for place in PLACES:
        told(ask(alice, "GET", f"{place}/{number}"), 404, "not_found")


def test_a_method_that_is_not_there_is_405(alice):
    answer = ask(alice, "DELETE", "/contacts")
    told(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize("path", [*LISTS, "/contacts/1", "/register", "/token", "/auth/token"])
def test_a_frontend_elsewhere_may_ask_if_it_is_listed(path, app_with_cors):
    client = app_with_cors.test_client()
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.test", None)):
        answer = client.options(path, headers={"Origin": origin})
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        methods = answer.headers.get("Access-Control-Allow-Methods")
        assert methods == (answer.headers["Allow"] if allowed else None)


@pytest.fixture(scope="module")
def app_with_cors(new_app):
    return new_app("sqlite", CORS_ORIGINS=ORIGIN)


@pytest.mark.parametrize(
    ("systems", "there", "gone"),
    [
        ("contacts-app", ["/contacts", "/api/contacts", "/api/users/info"], ["/register", "/auth"]),
        ("contacts-api", ["/contacts", "/register", "/token"], ["/api/contacts", "/auth/token"]),
        ("profiles", ["/contacts", "/auth/token"], ["/token", "/api/users/info"]),
        ("key-values", [], ["/contacts", "/token", "/auth/token", "/api/contacts"]),
    ],
)
def test_the_contacts_are_there_with_each_system_that_had_them(new_app, systems, there, gone):
    app = new_app("sqlite", COMPAT=systems)
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    assert rules >= set(there)
    assert not rules & set(gone)


def test_the_document_of_the_api_does_not_have_them(app):
    paths = app.test_client().get("/openapi.json").json["paths"]
    assert paths
    assert all(path.startswith("/api/v1/") for path in paths)
    assert any(rule.endpoint.startswith(f"{contacts.name}.") for rule in app.url_map.iter_rules())


def test_a_fault_is_told_shortly_and_names_no_field_where_it_is_of_all(alice):
    told_ = told(ask(alice, "POST", "/contacts", json={}), 422, "invalid_fields")
    assert told_["detail"].startswith("At least one of first_name, ")
    custom = {"x" * 100_000: [], "y": []}
    told_ = told(
        ask(alice, "POST", "/contacts", json={"custom_fields": custom}), 422, "invalid_fields"
    )
    assert "custom_fields/y: " in told_["detail"]
    assert len(told_["detail"]) < 500


def test_a_name_that_is_too_long_changes_nothing(app):
    alice = Cast(app).alice
    one = f"/contacts/{alice.contact(first_name='Ada')['id']}"
    body = {"name": f"{'x' * 101} y"}
    answer = ask(alice, "PUT", one, json=body)
    assert told(answer, 422, "invalid_fields")["message"].startswith("name: ")
    assert ask(alice, "GET", one).json["name"] == "Ada"
