"""CSV of other programs and of our own."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contactapp.exchange.csv import Layout, header, read, write
from contactapp.exchange.record import Problem, Record, Unreadable
from tests.support.exchange import FILES, as_json, as_stored, in_pieces, records

NAMES = sorted(path.stem for path in FILES.glob("*.csv"))
ENCODINGS = {"google-2010": "utf-16", **dict.fromkeys(("outlook", "plain"), "cp1252")}
ENCODINGS["outlook-desktop"] = "cp1252"
PRESETS = {"google-2010": "google", "google-2024": "google", "outlook-desktop": "outlook"}


def table(*rows, encoding="utf-8"):
    return ["\r\n".join(rows).encode(encoding)]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_recognised_and_read_with_nothing_lost(name):
    data = (FILES / f"{name}.csv").read_bytes()
    assert header([data]).preset == PRESETS.get(name, name)
    expected = json.loads((FILES / f"{name}.csv.json").read_text())
    assert [as_json(found) for found in read([data])] == expected
    assert [as_json(found) for found in read(in_pieces(data))] == expected


@pytest.mark.parametrize("name", NAMES)
def test_what_was_read_is_what_the_api_takes_and_keeps(name):
    first = list(read([(FILES / f"{name}.csv").read_bytes()]))
    stored = list(map(as_stored, first))
    written = b"".join(write(stored, Layout.of(stored)))
    again = list(read([written]))
    assert b"".join(write(again, Layout.of(again))) == written
    loaded = list(map(as_stored, again))
    assert [in_cells(one).fields for one in loaded] == [in_cells(one).fields for one in stored]


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_of_a_file_is_forgotten(name):
    """Every cell's words are somewhere in what was read, but for what says how or that nothing is
    there."""
    silent = {"4/12/1970", "0/0/00", "normal", "false", "unspecified", "12.4.1985", "7", "4", "*"}
    silent |= {"mycontacts", "starred", "1/6/1990", "5/30/2015", "smtp", "ex", "r.d."}
    silent |= {"(renee@example.com)"}  # beside the address itself
    data = (FILES / f"{name}.csv").read_bytes()
    text = data.decode(ENCODINGS.get(name, "utf-8"))
    read_back = json.dumps([as_json(found) for found in read([data])], ensure_ascii=False).lower()
    for row in list(csv.reader(io.StringIO(text), delimiter=";" if name == "plain" else ","))[1:]:
        for word in re.split(r'[\s";]+|:::', " ".join(row).lower()):
            assert word.lstrip("'").rstrip(",") in read_back or word in silent


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_and_delimiters_are_told_by_the_file(encoding, delimiter):
    rows = [delimiter.join(cells) for cells in (("First Name", "Phone"), ("Jürgen “J”", "0151 2"))]
    [found] = read(table(*rows, encoding=encoding))
    assert found.fields == {"first_name": "Jürgen “J”", "phones": [{"value": "0151 2"}]}


def test_a_line_that_names_the_delimiter_is_no_header():
    [found] = read(table("sep=;", "First Name;Phone", "A,B;123"))
    assert (found.line, found.fields["first_name"]) == (3, "A,B")


def test_columns_can_be_mapped_freely():
    mapping = {
        "a": "first_name",
        "b": "phone:Büro",
        "c": "phone",
        "d": "address.city:home",
        "e": "address.street:home",
        "f": "custom_fields.shoe size",
        "g": "labels",
        "h": "notes",
        "i": "birthday",
    }
    rows = table("a,b,c,d,e,f,g,h,i,j", "Ann,123,456,Rome,Via 1,42,x;y,hello,31/12/1999,dropped")
    [found] = read(rows, mapping)
    assert found.fields == {
        "first_name": "Ann",
        "phones": [{"value": "123", "label": "Büro"}, {"value": "456"}],
        "addresses": [{"city": "Rome", "street": "Via 1", "label": "home"}],
        "custom_fields": {"shoe size": "42"},
        "labels": ["x", "y"],
        "birthday": "1999-12-31",
    }
    assert found.notes == ["hello"]


@pytest.mark.parametrize(
    ("mapping", "word"),
    [({"x": "first_name"}, "'x'"), ({"a": "id"}, "'id'"), ({"a": "address.planet"}, "planet")],
)
def test_a_mapping_of_what_is_not_there_is_refused(mapping, word):
    with pytest.raises(Unreadable, match=word):
        list(read(table("a,b", "1,2"), mapping))


@pytest.mark.parametrize(
    "rows", [[""], ["x,y", "1,2"], ['"half'], ["a\0,b"], ["First Name" + "," * 6000]]
)
def test_a_file_without_a_header_that_is_known_is_refused(rows):
    with pytest.raises(Unreadable):
        list(read(table(*rows)))


def test_rows_of_wrong_length():
    short, long, rest = read(table("First Name,Last Name,Nickname", "A", "A,B,C,D", "A,B,C,,,"))
    assert short.fields == {"first_name": "A"}
    assert (long.code, long.line) == ("too_many_cells", 3)
    assert rest.fields["nickname"] == "C"


# FI-6
def test_a_cell_of_200_kb_is_a_problem_of_its_line():
    long = "x" * 200_000
    first, second, third = read(table("First Name,Notes", f"A,{long}", f'B,"{long}"', "C,y"))
    assert [(one.code, one.line) for one in (first, second)] == [
        ("malformed_row", 2),
        ("malformed_row", 3),
    ]
    assert (third.line, third.fields) == (4, {"first_name": "C"})


# FI-6
def test_an_unbalanced_quote_does_not_cost_the_whole_file():
    rows = [f"A{n},n{n}" for n in range(20_000)]
    found = list(read(table("First Name,Notes", 'Q,"never closed', *rows)))
    [problem] = [one for one in found if isinstance(one, Problem)]
    assert (problem.code, problem.line) == ("malformed_row", 2)
    assert len(found) > 5_000
    assert found[-1].fields == {"first_name": "A19999"}
    # Each row is in a record or in the lines of the problem.
    assert (problem.end - problem.line) + len(found) - 1 == 20_000


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ('A,"b"c', "malformed_row"),
        ("A\0,b", "invalid_text"),
        ("A," + "b," * 2**21, "row_too_large"),
        ("A,\x81", "invalid_text"),
    ],
)
def test_a_row_that_cannot_be_read_is_a_problem_and_the_next_one_is_read(row, code):
    encoding = "latin-1"
    first, second = read(table("First Name,Last Name", row, "B,c", encoding=encoding))
    assert (first.code, first.line) == (code, 2)
    assert second.fields == {"first_name": "B", "last_name": "c"}


def test_each_line_tells_its_encoding():
    data = "First Name,Notes\nZoë,“utf-8”\n".encode() + "Zoë,“cp1252”\n".encode("cp1252")
    found = list(read(in_pieces(data)))
    assert [one.fields["first_name"] for one in found] == ["Zoë", "Zoë"]
    assert [one.notes for one in found] == [["“utf-8”"], ["“cp1252”"]]


def test_our_own_file_stays_ours_when_somebody_adds_a_column():
    record = Record(uid="u", fields={"first_name": "'A", "custom_fields": {"n": 1}})
    written = b"".join(write([record], Layout.of([record]))).decode("utf-8-sig").splitlines()
    data = f"{written[0]},Shoe size\r\n{written[1]},42\r\n".encode()
    assert header([data]).preset == "contactapp"
    [found] = read([data])
    assert found.fields == {"first_name": "'A", "custom_fields": {"n": 1, "Shoe size": "42"}}


def test_twenty_of_the_longest_notes_are_one_row():
    record = Record(uid="u", fields={"nickname": "n"}, notes=["ü" * 50_000] * 20)
    [again] = read(write([record], Layout.of([record])))
    assert again.notes == record.notes


def test_lone_surrogates_and_half_characters_of_utf_16_are_problems():
    data = "\ufeffFirst Name\r\n\ud800\r\nB\r\n".encode("utf-16-le", "surrogatepass")
    first, second, third = read([data + b"\x41"])
    assert (first.code, second.fields) == ("invalid_text", {"first_name": "B"})
    assert third.code == "invalid_text"


# FI-6
def test_a_million_rows_are_read_one_at_a_time():
    taken = 0

    def chunks():
        nonlocal taken
        yield b"First Name,Phone\n"
        while True:
            taken += 1
            yield b"Ann,1234567\n" * 5000

    reading = read(chunks())
    assert [next(reading).line for _ in range(12_000)] == list(range(2, 12_002))
    assert taken < 10


# FI-8
@pytest.mark.parametrize("sign", [*"=+-@\t\r\n＝＋－＠'", "''", "'="])
def test_a_cell_that_a_spreadsheet_would_run_gets_one_quote_sign_and_loses_it_again(sign):
    text = f"{sign}49 151"
    custom = {"key": text}
    record = Record(uid="u", fields={"nickname": "n", "custom_fields": custom}, notes=["-x"])
    written = b"".join(write([record], Layout.of([record])))
    cells = list(csv.reader(io.StringIO(written.decode("utf-8-sig"), newline="")))[1]
    assert "'" + text in cells
    assert "'-x" in cells
    [again] = read([written])
    assert again.fields["custom_fields"] == custom
    assert again.notes == ["-x"]


# FI-8
def test_a_phone_number_with_its_plus_comes_back():
    record = Record(uid="u", fields={"phones": [{"value": "+49 151 1"}], "company": "=1+1"})
    written = b"".join(write([record], Layout.of([record])))
    assert b"'+49 151 1" in written
    assert b"'=1+1" in written
    [again] = read([written])
    assert again.fields == record.fields


def test_a_quote_sign_of_other_programs_goes_only_where_it_guards():
    [found] = read(table("First Name,Phone,Nickname", "'Ann,'+49 1234,''=x"))
    assert found.fields["first_name"] == "'Ann"
    assert found.fields["phones"] == [{"value": "+49 1234"}]
    assert found.fields["nickname"] == "''=x"


def test_custom_fields_keep_their_types():
    values = ["text", "", "42", "-1.5", "true", '"', "007", "null", "1e5"]
    values += [42, -1.5, 1e300, True, False]
    custom = {f"Key {n}": value for n, value in enumerate(values)}
    record = Record(uid="u", fields={"nickname": "n", "custom_fields": custom})
    [again] = read(write([record], Layout.of([record])))
    found = [again.fields["custom_fields"][key] for key in custom]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in values]


def test_custom_fields_beyond_a_hundred_keys_share_columns():
    several = [
        Record(uid=f"{n}", fields={"nickname": "n", "custom_fields": {f"k{n}": n, "1": "a"}})
        for n in range(150)
    ]
    layout = Layout.of(several)
    assert (len(layout.keys), layout.pairs) == (100, 1)
    assert [one.fields for one in read(write(several, layout))] == [one.fields for one in several]


def in_cells(record):
    """The record as CSV holds it: the primary entry first, no photo, no kept lines."""
    fields = dict(record.fields)
    for kind in ("emails", "phones", "urls", "addresses"):
        if kind in fields:
            ordered = sorted(fields[kind], key=lambda entry: "primary" not in entry)
            fields[kind] = [{k: v for k, v in one.items() if k != "primary"} for one in ordered]
    return replace(record, fields=fields, photo=None, kept=[])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(records, max_size=2))
def test_what_is_written_reads_back_and_is_written_the_same_again(several):
    written = b"".join(write(several, Layout.of(several)))
    again = list(read(in_pieces(written, 50)))
    expected = map(in_cells, several)
    assert [(one.uid, one.fields, one.notes) for one in again] == [
        (one.uid, one.fields, one.notes) for one in expected
    ]
    assert b"".join(write(again, Layout.of(again))) == written
