"""JSON of our own: complete, and the same bytes again."""

import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contactapp.exchange.json import MAX_CONTACT, read, write
from contactapp.exchange.record import Photo, Unreadable
from tests.support.exchange import content, in_pieces, records
from tests.support.hostile_files import check_document, documents

ADA = {"uid": "u", "first_name": "Ada", "notes": ['{[\\"'], "vcard": ["ROLE:x"]}
DOCUMENT = {"format": "contactapp", "version": 1, "contacts": [ADA, ADA]}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(records, max_size=2))
def test_what_is_written_reads_back_and_is_written_the_same_again(several):
    written = b"".join(write(several))
    assert len(json.loads(written)["contacts"]) == len(several)
    again = list(read(in_pieces(written, 5)))
    assert list(map(content, again)) == list(map(content, several))
    assert [one.line for one in again] == list(range(2, len(several) + 2))
    assert b"".join(write(again)) == written


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([ADA, ADA]),
        json.dumps([ADA, ADA], indent=2),
        json.dumps(ADA) + "\n" + json.dumps(ADA),
        "\ufeff"
        + json.dumps({"format": "contactapp", "version": 1, "contacts": [ADA, ADA]}, indent=1),
        json.dumps(DOCUMENT, sort_keys=True),
        json.dumps({"version": 1, **DOCUMENT}),
    ],
)
def test_other_ways_to_write_it_are_read_too(text):
    expected = ({"first_name": "Ada"}, ['{[\\"'], None, "u", ["ROLE:x"])
    assert [content(one) for one in read(in_pieces(text.encode(), 3))] == [expected] * 2


def test_a_contact_that_cannot_be_read_is_a_problem_of_its_lines():
    objects = [
        '{"a": 1, "a": 2}',
        '{"first_name":\n"\\u0000"}',
        '{"a": NaN}',
        '{"notes": "x"}',
        '{"uid": 1}',
        '{"vcard": [1]}',
        '{"photo": {"type": "image/png", "data": "?"}}',
        '{"photo": []}',
        '{"photo": {"type": 1, "data": ""}}',
        '{"x" 1}',
        '{"a": ' + "[" * 40 + "]" * 40 + "}",
        '{"nickname": "last"}',
    ]
    *problems, last = read([("[\n" + ",\n".join(objects) + "\n]").encode()])
    codes = [one.code for one in problems]
    assert codes == ["malformed_contact", "invalid_text", *["malformed_contact"] * 9]
    assert [(one.line, one.end) for one in problems[:3]] == [(2, 2), (3, 4), (5, 5)]
    assert last.fields == {"nickname": "last"}


def test_a_kept_line_that_is_more_than_a_property_is_left_out():
    [found] = read([b'[{"nickname":"a","vcard":["X:a\\r\\nEND:VCARD","ROLE:b"]}]'])
    assert found.kept == ["ROLE:b"]
    assert [one.code for one in found.warnings] == ["left_out"]


def test_a_photo_comes_with_its_type():
    [found] = read([b'[{"photo":{"type":"image/png","data":"AAEC"}}]'])
    assert found.photo == Photo("image/png", b"\0\1\2")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"BEGIN:VCARD",
        b'[{"a": 1}',
        b'[{"a": "',
        b"[}]]",
        b"[]][",
        b"[" * 1001 + b"]" * 1001,
        b'{"format":"contactapp","version":2,"contacts":[]}',
    ],
)
def test_what_is_no_document_is_refused(data):
    with pytest.raises(Unreadable):
        list(read([data]))


def test_a_contact_that_is_too_large_is_left_and_the_next_one_read():
    def pieces():
        yield b'[{"nickname":"'
        for _ in range(3 * MAX_CONTACT // 2**20):
            yield bytes(bytearray(b"a") * 2**20)
        yield b'"},{"nickname":"b"}]'

    tracemalloc.start()
    first, second = read(pieces())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert first.code == "contact_too_large"
    assert second.fields == {"nickname": "b"}
    assert peak < 1.5 * MAX_CONTACT


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents)
def test_no_bytes_raise_anything_but_ours(data):
    check_document(data)
