"""Counting: exact, whoever counts at the same time."""

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from tests.support.cast import refused

LARGEST = 2**53 - 1


def test_it_begins_at_nothing(alice):
    first = alice.post("/data/k/increment", json={})
    second = alice.post("/data/k/increment", json={"by": 41})
    assert (first.status_code, first.json["value"]) == (201, 1)
    assert (second.status_code, second.json["value"], second.json["version"]) == (200, 42, 2)
    assert second.headers["ETag"] == alice.get("/data/k").headers["ETag"]
    assert alice.post("/data/k/increment", json={"by": -50}).json["value"] == -8


def test_a_slash_at_its_end_is_optional(alice):
    for end in ("", "/"):
        alice.post(f"/data/a/increment{end}", json={})
    assert alice.get("/data/a").json["value"] == 2
    assert alice.put("/data/a/increment/", json={"value": 7}).json["key"] == "a/increment/"


def test_nothing_added_is_no_change_but_makes_a_number(alice):
    assert alice.post("/data/k/increment", json={"by": 0}).status_code == 201
    assert alice.post("/data/k/increment", json={"by": 0}).json["version"] == 1


# IV-2
@pytest.mark.parametrize("by", [1.5, 1.0, True, "1", None, [], {}, LARGEST + 1, -LARGEST - 1])
def test_what_is_no_whole_number_cannot_be_added(alice, by):
    refused(alice.post("/data/k/increment", json={"by": by}), 422, "invalid_fields", "/by")
    refused(alice.get("/data/k"), 404, "key_not_found")


@pytest.mark.parametrize("value", [None, True, False, 1.0, 1.5, "1", "", [], [1], {}, {"a": 1}])
def test_what_is_no_whole_number_cannot_be_counted_on(alice, value):
    shown = alice.put("/data/k", json={"value": value}).json
    refused(alice.post("/data/k/increment", json={"by": 1}), 409, "not_a_number")
    assert alice.get("/data/k").json == shown


# IV-2
@pytest.mark.parametrize("sign", [1, -1])
def test_it_ends_where_others_would_round(alice, sign):
    alice.put("/data/k", json={"value": sign * (LARGEST - 1)})
    assert alice.post("/data/k/increment", json={"by": sign}).json["value"] == sign * LARGEST
    answer = alice.post("/data/k/increment", json={"by": sign})
    refused(answer, 422, "invalid_fields", "/by")
    assert alice.get("/data/k").json["value"] == sign * LARGEST


# CC-3
def test_a_thousand_parallel_increments_sum_exactly(live_server):
    ann = live_server.person("ann")
    headers = {
        "Authorization": ann.http.headers["Authorization"],
        "Content-Type": "application/json",
    }

    def count(_):
        wire = HTTPConnection("127.0.0.1", live_server.port, timeout=60)
        found = []
        for _ in range(125):
            wire.request("POST", "/api/v1/data/hits/increment", b"{}", headers)
            answer = wire.getresponse()
            found.append((answer.status, json.loads(answer.read())["value"]))
        wire.close()
        return found

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for found in pool.map(count, range(8)) for answer in found]
    assert sorted(status for status, _ in answers) == [200] * 999 + [201]
    assert sorted(value for _, value in answers) == list(range(1, 1001))
    assert ann.get("/data/hits").json()["value"] == 1000


# CC-1
def test_twenty_parallel_creates_of_one_key_make_one_entry(live_server):
    ann = live_server.person("ann")

    def create(number):
        answer = ann.post("/data", json={"key": "k", "value": number})
        return answer.status_code, number

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(create, range(20)))
    assert sorted(status for status, _ in answers) == [201] + [409] * 19
    [made] = [number for status, number in answers if status == 201]
    assert ann.get("/data/k").json()["value"] == made


# CC-3
def test_of_two_that_compare_and_set_one_does(live_server):
    ann = live_server.person("ann")
    tag = ann.request("PUT", "/data/k", json={"value": 0}).headers["ETag"]

    def change(number):
        answer = ann.request("PUT", "/data/k", json={"value": number}, headers={"If-Match": tag})
        return answer.status_code

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(change, (1, 2))) == [200, 412]
        tag = ann.get("/data/k").headers["ETag"]
        tag = ann.request("PUT", "/data/k", json={"value": 0}).headers["ETag"]
