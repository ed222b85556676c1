"""What a JSON body may be: parsed alone, and sent over HTTP."""

import json
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contactapp.errors import BadRequest, InvalidFields
from contactapp.strict_json import MAX_INTEGER, parse
from tests.support.cast import refused

MIB = 2**20
MALFORMED = {
    "nothing": b"",
    "blanks": b"  \n",
    "half an object": b'{"a": 1',
    "two values": b"{} {}",
    "a trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "a comment": b"{} // no",
    "a raw line break": b'{"a": "\n"}',
    "a raw NUL": b'{"a": "\0"}',
    "100 000 open brackets": b"[" * 100_000,
    "100 000 open objects": b'{"a":' * 100_000,
    "33 lists": b"[" * 33 + b"]" * 33,
    "33 objects": b'{"a":' * 33 + b"1" + b"}" * 33,
    "33 of both": b'[{"a":' * 16 + b"[1]" + b"}]" * 16,
    "many shallow and one deep": b"[" + b"[]," * 50 + b"[" * 32 + b"]" * 33,
    "duplicate keys": b'{"a": 1, "a": 2}',
    "a duplicate key in another spelling": b'{"a": 1, "\\u0061": 2}',
    "duplicate keys below": b'{"x": [{"a": 1, "a": 1}]}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "-Infinity": b'{"a": -Infinity}',
    "1e400": b'{"a": 1e400}',
    "-1e400": b'{"a": -1e400}',
    "a million digits and a point": b"9" * 1_000_000 + b".5",
    "a leading zero": b'{"a": 007}',
    "UTF-16 with a mark": '{"a": "b"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a": "b"}'.encode("utf-16-be"),
    "UTF-32": '{"a": "b"}'.encode("utf-32-le"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "a surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "an overlong NUL": b'{"a": "\xc0\x80"}',
    "a cut-off character": b'{"a": "\xe2\x82"}',
}
NO_OBJECTS = [b"null", b"true", b"1", b'"text"', b"[]", b"[{}]"]
# Searching such a body for its end from every quote would take hours.
SLOW = [
    b"[" * 33 + b'"' + b'\\"' * (MIB // 2),
    b"[" * 33 + b'"' * MIB,
    b"[" * 33 + b'"' + b"\\" * MIB,
    b"[" + b"[]," * (MIB // 3),
]

rules = {
    "keys": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    "floats": st.floats(allow_nan=False, allow_infinity=False),
    "integers": st.integers(-MAX_INTEGER, MAX_INTEGER),
}
scalars = st.none() | st.booleans() | rules["floats"] | rules["integers"] | rules["keys"]
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(rules["keys"], inner), max_leaves=20
)


# IV-3
@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_it_refuses(raw):
    with pytest.raises(BadRequest) as caught:
        parse(raw)
    assert caught.value.code == "malformed_body"


# IV-3
@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_400_over_http(on_both, raw):
    for method, path in (("POST", "/contacts"), ("POST", "/auth/token"), ("PATCH", "/users/me")):
        answer = on_both(method, path, data=raw, content_type="application/json")
        refused(answer, 400, "malformed_body")


# IV-3
def test_a_byte_order_mark_is_called_by_its_name():
    with pytest.raises(BadRequest) as caught:
        parse(b"\xef\xbb\xbf{}")
    assert "byte order mark" in caught.value.detail


# IV-3
@pytest.mark.parametrize("raw", NO_OBJECTS)
def test_a_body_that_is_no_object_is_400(on_both, raw):
    for path in ("/contacts", "/auth/register", "/auth/token", "/auth/refresh"):
        answer = on_both("POST", path, data=raw, content_type="application/json")
        refused(answer, 400, "malformed_body")


# IV-3
@pytest.mark.parametrize("raw", [b"[" * 32 + b"]" * 32, b'{"a":' * 32 + b"1" + b"}" * 32])
def test_32_levels_are_enough(raw):
    assert parse(raw) == json.loads(raw)


def test_many_brackets_side_by_side_are_not_deep():
    raw = b"[" + b'{"a":[]},' * 1000 + b"1]"
    assert parse(raw) == json.loads(raw)


def test_brackets_inside_strings_do_not_count():
    text = '[{"' * 100 + "\\" * 101
    assert parse(json.dumps({"a": text, text: "a"}).encode()) == {"a": text, text: "a"}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("raw", SLOW, ids=["escaped quotes", "quotes", "backslashes", "lists"])
def test_no_body_takes_long(raw):
    # IV-3, IV-8: the time grows with the length and not with its square
    with pytest.raises(BadRequest):
        parse(raw)


def test_every_place_with_a_broken_text_is_named():
    # IV-1
    with pytest.raises(InvalidFields) as caught:
        parse(b'{"a": "\\u0000", "b": ["\\ud800"], "c/~d": {"\\udfff": 1}, "e": "\\ud83d\\ude00"}')
    assert [error.pointer for error in caught.value.errors] == ["/a", "/b/0", "/c~1~0d/?"]


def test_a_body_full_of_broken_texts_gets_a_short_answer(on_both):
    # IV-4
    raw = b'{"a": [' + b'"\\u0000",' * 100_000 + b"0]}"
    answer = on_both("POST", "/contacts", data=raw, content_type="application/json")
    assert len(refused(answer, 422, "invalid_fields")["errors"]) == 100


# IV-2
@pytest.mark.parametrize("digits", [str(2**53), str(2**63), str(2**64), "1" + "0" * 4999])
def test_integers_beyond_2_53_are_named(digits):
    with pytest.raises(InvalidFields) as caught:
        parse(f'{{"a": [{digits}, -{digits}, 9007199254740991]}}'.encode())
    assert [error.pointer for error in caught.value.errors] == ["/a/0", "/a/1"]
    assert {error.code for error in caught.value.errors} == {"number_out_of_range"}


@settings(deadline=None)
@given(values)
@example(MAX_INTEGER)
@example([-MAX_INTEGER, 1.5e300, "\\u0000", '\\"[', {"": {"/~": None}}])
def test_what_the_rules_allow_survives(value):
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@settings(deadline=None)
@given(st.binary() | st.text(alphabet='[]{}",:\\u0d8e1 -.').map(str.encode))
def test_nothing_else_than_our_errors_comes_out(raw):
    with suppress(BadRequest, InvalidFields):
        parse(raw)
