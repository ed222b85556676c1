"""What a value may be: JSON as strict as everywhere, of 64 KiB."""

import pytest

from contactapp.data.entry import MAX_VALUE
from contactapp.database import Sql, lane, write_transaction
from tests.support.cast import refused
from tests.support.engines import on_one_engine

_SEALED = Sql("SELECT sealed FROM data_entry WHERE user_id = ?")
JSON = "application/json"
WAYS = [("POST", "/data"), ("PUT", "/data/k"), ("PATCH", "/data/k")]


def send(person, method, path, value, **kwargs):
    """A body whose value is this text of JSON."""
    key = '"key":"k",' if method == "POST" else ""
    text = f'{{{key}"value":{value}}}'
    raw = text.encode() if isinstance(text, str) else text
    return person.request(method, path, data=raw, content_type=JSON, **kwargs)


@pytest.fixture(params=WAYS, ids=" ".join)
def way(request, alice):
    """A verb that stores a value, and what it finds."""
    if request.param[0] == "PATCH":
        alice.put("/data/k", json={"value": "before"})
    return request.param


# IV-3
@on_one_engine
@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", '{"a":1,"a":2}', "[1,]", "'a'", ""),
        *("[" * 31 + "]" * 30, "[" * 32 + "]" * 32, "[" * 100_000, '{"a":' * 50_000, "01", "+1"),
        *("\u00a01", "/* */1", '"\\x41"', '"a\nb"', "undefined", "1 2"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_is_not_strict_json_is_400(alice, way, value):
    refused(send(alice, *way, value), 400, "malformed_body")


# IV-3
@on_one_engine
@pytest.mark.parametrize("raw", [b"null", b"[]", b'"x"', b"1", b"true", b"", b"\xef\xbb\xbf{}"])
def test_a_body_that_is_no_object_is_400(alice, way, raw):
    answer = alice.request(*way, data=raw, content_type=JSON)
    refused(answer, 400, "malformed_body")


# IV-3
def test_a_body_that_is_not_utf_8_is_400(alice, way):
    for raw in ('{"value":1}'.encode("utf-16"), b'{"value":"\xff"}'):
        refused(alice.request(*way, data=raw, content_type=JSON), 400, "malformed_body")
    refused(alice.request(*way, data=b"value=1"), 415, "unsupported_media_type")


# IV-1
@on_one_engine
@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        *(('"\\u0000"', "/value"), ('"\\ud800"', "/value"), ('["a\\u0000"]', "/value/0")),
        *(('{"a":{"b":"\\udfff"}}', "/value/a/b"), ('{"\\u0000":1}', "/value/\ufffd")),
    ],
)
def test_nul_and_surrogates_are_422_with_their_place(alice, way, value, pointer):
    refused(send(alice, *way, value), 422, "invalid_fields", pointer)


# IV-2
@on_one_engine
@pytest.mark.parametrize("value", [str(2**53), str(-(2**53)), str(2**63), str(2**64), "9" * 5000])
def test_whole_numbers_that_others_would_round_are_422(alice, way, value):
    refused(send(alice, *way, value), 422, "invalid_fields", "/value")
    refused(send(alice, *way, f"[{value}]"), 422, "invalid_fields", "/value/0")


# IV-2
@pytest.mark.parametrize(
    "text", ["0", "-0", "-0.0", "1E5", "1e-400", "0.1", "1e308", "9007199254740991"]
)
def test_numbers_come_back_as_they_were_understood(alice, text):
    shown = send(alice, "PUT", "/data/k", text).json["value"]
    assert shown == float(text)
    assert alice.get("/data/k").json["value"] == shown


# IV-3
def test_a_value_nests_one_level_less_than_a_body(alice, way):
    answer = send(alice, *way, "[" * 31 + "]" * 31)
    assert answer.status_code in {200, 201}
    assert alice.get("/data/k").data.count(b"[") == 31


# IV-4
def test_a_value_has_64_kib_of_json(alice, way):
    longest = MAX_VALUE - 2
    assert send(alice, *way, f'"{"x" * longest}"').json["size"] == MAX_VALUE
    assert len(alice.get("/data/k").json["value"]) == longest
    if way[0] == "POST":
        alice.delete("/data/k")
    for value in (
        f'"{"x" * (longest + 1)}"',
        f'"{"é" * (longest // 2 + 1)}"',
        f"[{'1,' * 33_000}1]",
    ):
        answer = send(alice, *way, value)
        body = refused(answer, 422, "invalid_fields", "/value")
        assert body["errors"][0]["code"] == "too_large"


# IV-4
def test_spaces_and_escapes_do_not_count(alice):
    answer = send(alice, "PUT", "/data/k", f'[{" " * MAX_VALUE}"\\u0041"]')
    assert (answer.json["size"], answer.json["value"]) == (5, ["A"])


# IV-4
def test_a_patch_cannot_make_a_value_too_large(alice):
    first = alice.put("/data/k", json={"value": {"a": "x" * 60_000}}).json
    answer = alice.patch("/data/k", json={"value": {"b": "x" * 60_000}})
    refused(answer, 422, "invalid_fields", "/value")
    assert alice.get("/data/k").json == first


# IV-4
def test_a_body_over_the_limit_is_413(alice, way):
    value = f'"{"x" * 2**20}"'
    refused(send(alice, *way, value), 413, "body_too_large")


def test_a_value_is_required_where_one_is_made(alice):
    refused(alice.post("/data", json={"key": "k"}), 422, "invalid_fields", "/value")
    refused(alice.put("/data/k", json={}), 422, "invalid_fields", "/value")
    refused(alice.post("/data", json={"value": 1}), 422, "invalid_fields", "/key")


def test_a_value_is_sealed(alice):
    alice.put("/data/k", json={"value": "Zaphod-marker"})
    with alice.app.app_context():
        [[sealed]] = lane().all(_SEALED, (alice.id,))
    assert b"Zaphod" not in bytes(sealed)


def test_what_is_sealed_for_one_key_does_not_open_for_another(alice):
    for key in ("a", "b"):
        alice.put(f"/data/{key}", json={"value": key})

    @write_transaction
    def swap():
        sql = Sql("UPDATE data_entry SET sealed = ? WHERE user_id = ? AND key = ?")
        rows = lane().all(_SEALED, (alice.id,))
        for (sealed,), key in zip(rows, "ba", strict=True):
            lane().run(sql, (bytes(sealed), alice.id, key))

    with alice.app.app_context():
        swap()
    for key in ("a", "b"):
        answer = alice.get(f"/data/{key}")
        refused(answer, 500, "internal_error")
