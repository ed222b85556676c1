"""The address of a contact that was merged: reading leads on, writing is refused."""

import re

import pytest

from tests.contacts.test_merge import merged, undone
from tests.contacts.test_trash import destroy
from tests.support.cast import refused
from tests.support.stored import book_state, contact_row

_ARGUMENT = re.compile(r"<[^>]*>")


@pytest.fixture
def two(alice):
    """A survivor and what became a part of it."""
    ids = [alice.contact(first_name="Ada", last_name=name)["id"] for name in ("King", "Lovelace")]
    merged(alice, *ids)
    return ids


def rules(app, *methods):
    """The addresses below a contact's, and the methods of these that they take."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/contacts/<id:contact_id>"):
            for method in sorted(rule.methods & set(methods)):
                yield method, rule.rule.removeprefix("/api/v1/contacts/<id:contact_id>")


def test_reading_it_leads_to_the_survivor_whatever_is_read(alice, two):
    asked = list(rules(alice.app, "GET", "HEAD"))
    assert {end for _, end in asked} >= {"", "/notes", "/history", "/photo"}
    for method, end in asked:
        path = _ARGUMENT.sub("1", end)
        for query in ("", f"?book={alice.book_id}"):
            answer = alice.request(method, f"/contacts/{two[1]}{path}{query}")
            assert (answer.status_code, answer.data) == (308, b""), (method, end)
            assert answer.headers["Location"] == f"/api/v1/contacts/{two[0]}{path}{query}"
            assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert alice.get(f"/contacts/{two[1]}", follow_redirects=True).json["id"] == two[0]


def test_the_query_is_kept_as_it_was_sent(alice, two):
    query = f"?limit=2&q=%C3%A9+%26&book={alice.book_id}"
    answer = alice.get(f"/contacts/{two[1]}/notes/{query}")
    assert answer.headers["Location"] == f"/api/v1/contacts/{two[0]}/notes/{query}"


# What is written needs a body that would do, or it is refused before anybody looks.
BODIES = {
    ("PUT", ""): {"first_name": "Mallory"},
    ("PATCH", ""): {"first_name": "Mallory"},
    ("POST", "/revert"): {"version": 1},
    ("POST", "/merge"): {"source_ids": [2**52]},
    ("POST", "/suggestions/accept"): {"ids": ["phone-0"]},
    ("POST", "/notes"): {"body": "text"},
    ("PUT", "/notes/<id:note_id>"): {"body": "text"},
    ("PATCH", "/notes/<id:note_id>"): {"body": "text"},
}


def test_writing_it_is_409_and_changes_nothing(alice, two):
    rows, state = [contact_row(alice.app, id_) for id_ in two], book_state(alice)
    asked = set(rules(alice.app, "PUT", "PATCH", "POST", "DELETE")) - {("POST", "/restore")}
    assert set(BODIES) <= asked
    for method, end in sorted(asked):
        path = f"/contacts/{two[1]}{_ARGUMENT.sub('1', end)}"
        body = {"json": BODIES.get((method, end))}
        if end == "/photo" and method == "PUT":
            continue  # in test_photo, with a photo
        problem = refused(alice.request(method, path, **body), 409, "merged")
        assert problem["merged_into"] == two[0], (method, end)
    assert ([contact_row(alice.app, id_) for id_ in two], book_state(alice)) == (rows, state)


def test_who_follows_and_deletes_does_not_delete_the_survivor(alice, two):
    """A client that repeats its request wherever it is led to."""
    for method in ("DELETE", "PATCH"):
        body = {"nickname": "x"} if method == "PATCH" else None
        answer = alice.request(method, f"/contacts/{two[1]}", json=body, follow_redirects=True)
        refused(answer, 409, "merged")
    assert alice.get(f"/contacts/{two[0]}").json["nickname"] is None


def test_a_chain_is_followed_to_its_end(alice, two):
    last = alice.contact(first_name="Countess")["id"]
    merged(alice, last, two[0])
    location = alice.get(f"/contacts/{two[1]}").headers["Location"]
    assert location == f"/api/v1/contacts/{last}"
    assert refused(alice.delete(f"/contacts/{two[1]}"), 409, "merged")["merged_into"] == last


@pytest.mark.parametrize("permanent", [False, True])
def test_where_the_survivor_is_gone_too_it_is_404(alice, two, permanent):
    if permanent:
        destroy(alice, {"id": two[0]})
    else:
        alice.delete(f"/contacts/{two[0]}")
    refused(alice.get(f"/contacts/{two[1]}"), 404, "not_found")
    refused(alice.delete(f"/contacts/{two[1]}"), 404, "not_found")
    assert alice.post(f"/contacts/{two[1]}/restore").status_code == 200
    assert alice.get(f"/contacts/{two[1]}").status_code == 200


def test_a_circle_of_merges_ends(alice, two):
    alice.post(f"/contacts/{two[1]}/restore")
    merged(alice, two[1], two[0])
    assert alice.get(f"/contacts/{two[0]}").headers["Location"].endswith(f"/{two[1]}")
    assert alice.get(f"/contacts/{two[1]}").status_code == 200


def test_undone_nobody_is_led_on(alice):
    ids = [alice.contact(first_name="Ada")["id"] for _ in range(2)]
    operation_id = merged(alice, *ids)["operation_id"]
    assert alice.get(f"/contacts/{ids[1]}").status_code == 308
    undone(alice, operation_id)
    assert alice.get(f"/contacts/{ids[1]}").json["id"] == ids[1]


# AZ-2
def test_strangers_are_told_nothing_of_it(cast, two):
    for method in ("GET", "HEAD", "PATCH", "DELETE"):
        body = {"nickname": "x"} if method == "PATCH" else None
        answer = cast.bob.request(method, f"/contacts/{two[1]}", json=body)
        assert answer.status_code == 404
        assert "Location" not in answer.headers
    query = f"?book={cast.alice.book_id}"
    assert cast.eve.get(f"/contacts/{two[1]}{query}").status_code == 308
    refused(cast.eve.delete(f"/contacts/{two[1]}{query}"), 403, "read_only_book")


def test_the_earlier_systems_know_no_redirects(alice, two):
    headers = {"Authorization": f"Bearer {alice.access}"}
    for path in ("/contacts", "/api/contacts"):
        answer = alice.app.test_client().get(f"{path}/{two[1]}", headers=headers)
        assert answer.status_code == 404
