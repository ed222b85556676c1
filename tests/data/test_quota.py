"""How many entries and bytes a user may have: exact, shown with every answer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.cast import Person, refused

NAMES = tuple(
    f"X-Data-{what}-{of}" for what in ("Entries", "Bytes") for of in ("Limit", "Remaining")
)


@pytest.fixture(scope="module")
def small(engine, new_app):
    return new_app(engine, DATA_MAX_ENTRIES="3", DATA_MAX_BYTES="20")


@pytest.fixture
def ann(small):
    return Person(small, "ann")


def left(answer):
    """What the headers say: entries and bytes that are left."""
    assert (answer.headers[NAMES[0]], answer.headers[NAMES[2]]) == ("3", "20")
    return int(answer.headers[NAMES[1]]), int(answer.headers[NAMES[3]])


def test_every_answer_tells_what_is_left(ann):
    assert left(ann.get("/data")) == (3, 20)
    assert left(ann.post("/data", json={"key": "a", "value": "12345"})) == (2, 13)
    answer = ann.get("/data/a")
    assert left(answer) == (2, 13)
    assert left(ann.get("/data/a", headers={"If-None-Match": answer.headers["ETag"]})) == (2, 13)
    assert left(ann.get("/data/nothing")) == (2, 13)
    assert left(ann.put("/data/a", json={"value": "123"})) == (2, 15)
    assert left(ann.patch("/data/a", json={"value": 1})) == (2, 19)
    assert left(ann.post("/data/a/increment", json={"by": 9})) == (2, 18)
    assert left(ann.delete("/data/a")) == (3, 20)
    assert left(ann.get("/data")) == (3, 20)


def test_one_entry_too_many_is_refused_and_nothing_is_done(ann):
    for key in "abc":
        ann.put(f"/data/{key}", json={"value": 1})
    before = ann.get("/data").json
    for method, path, body in (
        ("POST", "/data", {"key": "d", "value": 1}),
        ("PUT", "/data/d", {"value": 1}),
        ("POST", "/data/d/increment", {}),
    ):
        problem = refused(ann.request(method, path, json=body), 403, "data_quota_exceeded")
        assert (problem["what"], problem["limit"], problem["used"]) == ("entries", 3, 3)
    assert ann.get("/data").json == before
    ann.delete("/data/a")
    assert ann.put("/data/d", json={"value": 1}).status_code == 201


def test_one_byte_too_many_is_refused_and_nothing_is_done(ann):
    assert ann.put("/data/a", json={"value": "x" * 18}).status_code == 201
    for method, path, body in (
        ("POST", "/data", {"key": "b", "value": 1}),
        ("PUT", "/data/a", {"value": "x" * 19}),
        ("PATCH", "/data/a", {"value": "x" * 19}),
    ):
        problem = refused(ann.request(method, path, json=body), 403, "data_quota_exceeded")
        assert (problem["what"], problem["limit"], problem["used"]) == ("bytes", 20, 20)
    assert ann.get("/data/a").json["value"] == "x" * 18
    assert ann.put("/data/a", json={"value": "y" * 18}).status_code == 200


def test_a_limit_that_was_lowered_keeps_nobody_from_shortening(engine, new_app, new_database):
    url = new_database(engine)
    ann = Person(new_app(engine, url), "ann")
    for key in "abcd":
        ann.put(f"/data/{key}", json={"value": "x" * 48})
    ann.app = new_app(engine, url, DATA_MAX_ENTRIES="3", DATA_MAX_BYTES="20")
    assert left(ann.get("/data/a")) == (0, 0)
    assert ann.put("/data/a", json={"value": "y" * 40}).status_code == 200
    refused(ann.put("/data/a", json={"value": "y" * 41}), 403, "data_quota_exceeded")
    assert ann.delete("/data/a").status_code == 204


def test_no_limit_is_not_shown(engine, new_app):
    ann = Person(new_app(engine, DATA_MAX_ENTRIES="0", DATA_MAX_BYTES="0"), "ann")
    answer = ann.put("/data/a", json={"value": 1})
    assert answer.status_code == 201
    assert not set(NAMES) & set(answer.headers.keys())


def test_parallel_writers_do_not_pass_the_limit(ann):
    def put(number):
        return ann.put(f"/data/{number}", json={"value": 1}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(put, range(16)))
    assert sorted(statuses) == [201] * 3 + [403] * 13
    assert left(ann.get("/data")) == (0, 17)
