"""CSV that means harm: every reader ends soon, with problems or contacts."""

import os
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactapp.exchange.csv import header, read
from contactapp.exchange.csv.target import of_mapping
from contactapp.exchange.record import Problem, Record, Unreadable

EXAMPLES = int(os.environ.get("CONTACTAPP_TEST_EXAMPLES", "100"))
LONG = 400_000
HEADERS = [
    b"First Name,Phone,Notes,Birthday,Labels",
    b"uid,first_name,email_1,email_1_label,custom:a,custom_1_key,custom_1_value,note_1",
    b"Given Name;E-mail 1 - Type;E-mail 1 - Value;Address 1 - Formatted;Event 1 - Value",
    b"First Name\tE-mail Address\tBusiness Street\tBirthday\tCategories",
    b"Primary Email,Display Name,Birth Year,Birth Month,Birth Day,Home Address",
]

# FI-6, IV-8
HOSTILE = {
    "delimiters": b"First Name\n" + b"," * LONG,
    "columns": b"a," * LONG + b"\n1",
    "quotes": b"First Name,b\n" + b'"' * LONG,
    "pairs of quotes": b"First Name,b\n" + b'"a",' * (LONG // 4),
    "half a quote on each line": b"First Name,b\n" + b'a,"b\n' * (LONG // 5),
    "quotes in the header": b'"' * LONG + b"\nFirst Name",
    "one line": b"First Name\n" + b"a" * 3_000_000,
    "one header": b"a" * 3_000_000,
    "groups of Google": b"First Name,Labels\nA," + b"x:::" * 30_000,
    "several of Google": b"First Name,Phone 1 - Value\nA," + b"1 ::: " * 20_000,
    "marks": b"First Name,Labels\nA," + "a\u0301\u0316".encode() * 20_000,
    "a date": b"First Name,Birthday\nA," + b"1/" * 60_000,
    "lines in an address": b'First Name,Street\nA,"' + b"\n" * 100_000 + b'"',
    "a number": b"uid,first_name,custom:a\n1,A," + b"1" * 100_000,
    "half a JSON text": b'uid,first_name,custom:a\n1,A,"""' + b"\\u" * 50_000 + b'"""',
    "spaces": b"First Name\n" + b" " * LONG,
    "column of spaces": b"First Name," + b"phone " * 60_000 + b"\nA,1",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_time_is_linear_in_what_is_read(data):
    began = time.process_time()
    try:
        found = list(read([data]))
    except Unreadable:
        found = []
    assert all(isinstance(one, Problem | Record) for one in found)
    assert time.process_time() - began < 5  # in the square of it: minutes


# IV-8
@pytest.mark.parametrize("field", ["address" + "e" * 50_000, "email:" + ":" * 50_000, "x" * 50_000])
def test_the_name_of_a_field_is_matched_in_linear_time(field):
    began = time.process_time()
    with suppress(Unreadable):
        of_mapping(field, 0)
    assert time.process_time() - began < 0.1


_WORDS = (
    b',|;|\t|"|\n|\r\n|\r|\'|=|* Work|a ::: b|0/0/00|1985|4/12/1985|""|1e999|true|* x|'
    b"\xef\xbb\xbf|\xff\xfe"
).split(b"|")
_cells = st.one_of(st.sampled_from(_WORDS), st.binary(max_size=4))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from([b"", *HEADERS]), st.lists(_cells, max_size=40).map(b"".join))
def test_no_bytes_raise_anything_but_ours(columns, rest):
    data = columns + b"\n" + rest
    try:
        header([data])
        whole = list(read([data]))
    except Unreadable:
        return
    assert list(read([data[at : at + 3] for at in range(0, len(data), 3)])) == whole
    assert all(isinstance(one, Problem | Record) for one in whole)
