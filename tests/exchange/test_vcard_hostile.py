"""vCards that mean harm: every reader ends soon, in bounded memory, with a problem or a contact."""

import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings

from contactapp.exchange.record import Problem, Record
from contactapp.exchange.vcard import read
from contactapp.exchange.vcard.lines import MAX_CARD
from tests.support.hostile_files import check_vcards, vcards

LONG = 400_000


def card(*lines):
    return b"\n".join([b"BEGIN:VCARD", b"VERSION:3.0", *lines, b"END:VCARD", b""])


def problem(data):
    [found] = read([data])
    assert isinstance(found, Problem)
    return found.code, found.at


# FI-7
def test_a_line_of_many_parameters_and_no_colon_takes_microseconds():
    line = b"TEL" + b";A=1" * 24
    data = card(line)
    began = time.process_time()
    for _ in range(100):
        assert problem(data) == ("malformed_line", 3)
    assert time.process_time() - began < 0.1


# FI-7, IV-8
HOSTILE = {
    "parameters": b"TEL" + b";A=1" * (LONG // 4),
    "parameters and a colon": b"TEL" + b";A=1" * (LONG // 4) + b":1",
    "bare parameters": b"TEL" + b";A" * (LONG // 2) + b":1",
    "types": b"TEL;TYPE=" + b"a,b" * (LONG // 3) + b":1",
    "quotes": b"TEL;A=" + b'"' * LONG,
    "pairs of quotes": b"TEL" + b';A="b:c"' * (LONG // 8) + b":1",
    "half a pair, and colons": b'TEL;A="' + b":" * LONG,
    "groups": b"a." * (LONG // 2) + b"TEL:1",
    "backslashes": b"NOTE:" + b"\\" * LONG,
    "backslashes in parts": b"N:" + b"\\;" * (LONG // 2),
    "parts": b"N:" + b";" * LONG,
    "labels": b"CATEGORIES:" + b",".join(b"%d" % n for n in range(LONG // 6)),
    "one label of marks": b"CATEGORIES:a" + "\u0301\u0316".encode() * (LONG // 4),
    "a name of marks": b"N:b\nFN:a" + "\u0301\u0316".encode() * (LONG // 4),
    "a number of marks": b"TEL:1" + "\u0301\u0316".encode() * (LONG // 4),
    "half of quoted-printable": b"NOTE;ENCODING=QUOTED-PRINTABLE:" + b"=C" * (LONG // 2),
    "soft breaks": b"NOTE;QUOTED-PRINTABLE:=\n" + b"=\n" * (LONG // 2),
    "base64 that goes on": b"PHOTO" + b";B" * 80_000 + b":\n" + b"AAAA\n" * (LONG // 5),
    "base64 of spaces": b"PHOTO;ENCODING=b:" + b" " * LONG,
    "a data URI of parameters": b"PHOTO:data:image/png" + b";a=b" * (LONG // 4),
    "folds": b"NOTE:" + b"\n a" * (LONG // 3),
    "emails": b"\n".join(b"EMAIL:%d@b" % n for n in range(9_000)),
    "one email": b"\n".join(b"EMAIL;TYPE=x%d:a@b" % n for n in range(9_000)),
    "labels of Apple": b"\n".join(b"i%d.X-ABLabel:x" % n for n in range(9_000)),
    "digits in a date": b"BDAY:" + b"1" * LONG,
    "digits in a custom field": b'X-CONTACTAPP-FIELD:["a"\\,' + b"1" * LONG + b"]",
    "spaces in a name": b"FN:a" + b" " * LONG + b"b",
    "a preference of digits": b"TEL;PREF=" + b"9" * LONG + b":1",
}


@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE)
def test_time_is_linear_in_what_is_read(lines):
    list(read([card(lines)]))  # what is made once
    began = time.process_time()
    [found] = read([card(lines)])
    assert isinstance(found, Problem | Record)
    assert time.process_time() - began < 5  # in the square of it: minutes


# FI-7
@pytest.mark.parametrize("charset", [b"idna", b"punycode", b"zlib", b"unicode_escape", b"x" * 9999])
def test_a_charset_that_is_no_encoding_of_text_is_a_problem(charset):
    text = b"FN;ENCODING=QUOTED-PRINTABLE;CHARSET=" + charset + b":" + b"a." * 10_000
    assert problem(card(b"TEL:1", text)) == ("unknown_charset", 4)


@pytest.mark.parametrize(
    ("line", "at"),
    [
        (b"FN:a\0b", 3),
        (b"X-KEPT:a\0b", 3),
        (b"NOTE;ENCODING=QUOTED-PRINTABLE:=00", 3),
        ("FN:\ud800".encode("utf-8", "surrogatepass"), 3),
        (b"TEL:1\nFN:\x81\x8d", 4),
    ],
)
def test_what_is_no_text_is_a_problem_of_its_line(line, at):
    assert problem(card(line)) == ("invalid_text", at)


def test_a_lone_surrogate_of_utf_16_is_a_problem_of_its_card():
    text = "\ufeffBEGIN:VCARD\nFN:\ud800\nEND:VCARD\nBEGIN:VCARD\nFN:b\nEND:VCARD\n"
    first, second = read([text.encode("utf-16-le", "surrogatepass")])
    assert (first.code, first.at, second.fields) == ("invalid_text", 2, {"name": "b"})


# FI-7
def test_each_of_20_000_nested_cards_is_a_problem():
    found = list(read([b"BEGIN:VCARD\n" * 20_000]))
    assert {one.code for one in found} == {"unfinished_card"}
    assert [one.line for one in found] == list(range(1, 20_001))


def test_agents_within_agents_end():
    nested = b"AGENT:\nBEGIN:VCARD\n" * 10 + b"END:VCARD\n" * 10
    assert problem(card(nested))[0] == "nested_too_deep"


def test_a_card_without_an_end_does_not_take_the_next_with_it():
    found = list(read([b"BEGIN:VCARD\nFN:a\n\nBEGIN:VCARD\nFN:b\nEND:VCARD\nrest\n\n"]))
    assert [(one.line, one.end) for one in found] == [(1, 3), (4, 6), (7, 8)]
    assert [getattr(one, "code", None) for one in found] == [
        "unfinished_card",
        None,
        "outside_card",
    ]


# FI-7
def test_a_card_that_is_too_large_is_left_and_the_next_one_read():
    begin = b"BEGIN:VCARD\n"
    chunks = [begin, b"FN:", *[b"a" * 2**20] * 20, b"\nEND:VCARD\n", begin, b"FN:b\nEND:VCARD\n"]
    tracemalloc.start()
    first, second = read(iter(chunks))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (first.code, second.fields) == ("card_too_large", {"name": "b"})
    assert peak < 4 * MAX_CARD


def test_a_card_of_too_many_lines_is_left_too():
    assert problem(card(b"A:b\n" * 10_001)) == ("card_too_large", None)


# FI-7
def test_a_hundred_thousand_cards_are_read_one_at_a_time():
    one = b"BEGIN:VCARD\nFN:Ann\nEND:VCARD\n"
    taken = 0

    def chunks():
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield one * 1000

    reading = read(chunks())
    assert next(reading).fields == {"name": "Ann"}
    assert taken == 1
    assert sum(1 for _ in reading) == 99_999


def test_too_much_to_keep_is_left_out_with_a_warning():
    [found] = read([card(b"FN:a", b"X-A:" + b"a" * 70_000, b"X-B:b")])
    assert found.kept == ["X-B:b"]
    assert [(one.code, one.line) for one in found.warnings] == [("left_out", 4)]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(vcards)
@example(b"BEGIN:VCARD\nFN;CHARSET=iso8859-12;ENCODING=B:AAAA\nEND:VCARD")
def test_no_bytes_raise_anything(data):
    check_vcards(data)
