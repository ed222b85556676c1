"""CSV that means harm: every reader ends soon, with problems or contacts."""

import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings

from contactapp.exchange.csv import read
from contactapp.exchange.csv.target import of_mapping
from contactapp.exchange.record import Problem, Record, Unreadable
from tests.support.hostile_files import check_table, tables

LONG = 400_000

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
    "bytes of no encoding": b"First Name\n" + b"\x80" * 4_000_000 + b"\n" + b"a\x80" * 2_000_000,
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
    assert time.process_time() - began < 5  # in the square of it, or by the byte: much more


# IV-8
@pytest.mark.parametrize("field", ["address" + "e" * 50_000, "email:" + ":" * 50_000, "x" * 50_000])
def test_the_name_of_a_field_is_matched_in_linear_time(field):
    began = time.process_time()
    with suppress(Unreadable):
        of_mapping(field, 0)
    assert time.process_time() - began < 0.1


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables)
def test_no_bytes_raise_anything_but_ours(data):
    check_table(data)
