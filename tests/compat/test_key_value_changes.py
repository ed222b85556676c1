"""User management with key-value data: what a write leaves in the change log of the data."""

import pytest

from tests.data.test_changes import log_of
from tests.support.key_values import bearer

DEEDS = {
    ("POST", "/api/data"): ({"key": "new", "value": 1}, "create"),
    ("PUT", "/api/data/k"): ({"value": 2}, "update"),
    ("DELETE", "/api/data/k"): (None, "delete"),
}


@pytest.fixture(params=DEEDS, ids=" ".join)
def deed(request):
    return request.param


@pytest.fixture
def ask(alice, deed):
    alice.put("/data/k", json={"value": 1})

    def send(body=DEEDS[deed][0], **headers):
        method, path = deed
        headers = {**bearer(alice.access), "X-Request-ID": "the-deed", **headers}
        return alice.app.test_client().open(path, method=method, json=body, headers=headers)

    return send


def test_every_mutating_route_of_its_data_is_swept(app):
    found = {
        (method, rule.rule.replace("<key:key>", "k"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods & {"POST", "PUT", "PATCH", "DELETE"}
        if rule.rule.startswith("/api/data")
    }
    assert found == set(DEEDS)


def test_a_write_leaves_one_row_that_tells_it(alice, ask, deed):
    assert ask().status_code in {200, 201}
    _, row = log_of(alice)
    assert (row["actor_id"], row["request_id"], row["entity"]) == (alice.id, "the-deed", "data")
    assert (row["op"], row["version"]) == (DEEDS[deed][1], 2)


def test_a_write_that_is_refused_leaves_none(alice, ask, deed):
    for status, sent in (
        (400, {"body": {"key": "", "value": None}}),
        (401, {"Authorization": "Bearer nonsense"}),
        (412, {"If-Match": '"v9-00"'}),
    ):
        if (status, deed[0]) not in {(400, "DELETE"), (412, "POST")}:
            assert ask(**sent).status_code == status
    assert len(log_of(alice)) == 1


def test_a_write_that_changes_nothing_leaves_none(alice):
    alice.put("/data/k", json={"value": 1})
    answer = alice.app.test_client().put(
        "/api/data/k", json={"value": 1}, headers=bearer(alice.access)
    )
    assert answer.status_code == 200
    assert len(log_of(alice)) == 1
