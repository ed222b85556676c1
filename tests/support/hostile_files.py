"""Bytes that are nearly files of contacts, and what must hold whatever they are."""

from contextlib import suppress

from hypothesis import strategies as st

from contactapp.exchange import csv, json, vcard
from contactapp.exchange.record import Problem, Record, Unreadable
from tests.support.exchange import in_pieces

_IN_VCARDS = (
    b'BEGIN:VCARD|END:VCARD|VERSION:2.1|VERSION:4.0|:|;|"|=|\\|,|N|FN:|TEL;|TYPE=|PREF=1|item1.|'
    b"X-ABLabel:|PHOTO;|ENCODING=b|QUOTED-PRINTABLE|=0D=0A|CHARSET=|utf-16|big5|iso-2022-jp|BDAY:|"
    b'--0229|NOTE:|AGENT:|UID:|X-CONTACTAPP-FIELD:|["a"\\,1]|data:a;base64,|\xef\xbb\xbf|\xff\xfe|'
    b"\n|\r|\n |\r\n"
).split(b"|")
_IN_CELLS = (
    b',|;|\t|"|\n|\r\n|\r|\'|=|* Work|a ::: b|0/0/00|1985|4/12/1985|""|1e999|true|* x|'
    b"\xef\xbb\xbf|\xff\xfe"
).split(b"|")
_IN_JSON = [*rb'{ } [ ] " \ , : "notes" "a":1 "photo":{ "uid" null'.split(), b"\n"]
HEADERS = [
    b"First Name,Phone,Notes,Birthday,Labels",
    b"uid,first_name,email_1,email_1_label,custom:a,custom_1_key,custom_1_value,note_1",
    b"Given Name;E-mail 1 - Type;E-mail 1 - Value;Address 1 - Formatted;Event 1 - Value",
    b"First Name\tE-mail Address\tBusiness Street\tBirthday\tCategories",
    b"Primary Email,Display Name,Birth Year,Birth Month,Birth Day,Home Address",
]


def _made_of(words, size):
    pieces = st.one_of(st.sampled_from(words), st.binary(max_size=4))
    return st.lists(pieces, max_size=size).map(b"".join)


def _joined(*parts):
    return st.tuples(*parts).map(b"".join)


_card = _joined(st.just(b"BEGIN:VCARD\n"), _made_of(_IN_VCARDS, 60), st.just(b"\nEND:VCARD\n"))
vcards = st.one_of(_card, _made_of(_IN_VCARDS, 60))
tables = _joined(st.sampled_from([b"", *HEADERS]), st.just(b"\n"), _made_of(_IN_CELLS, 40))
documents = _joined(st.sampled_from([b"", b"[", b"[{"]), _made_of(_IN_JSON, 40))


def check_vcards(data):
    """No exception, the same records however the file comes in, and they can be written."""
    whole = list(vcard.read([data]))
    assert list(vcard.read(in_pieces(data, 3))) == whole
    _check(whole)
    found = [one for one in whole if isinstance(one, Record)]
    assert len(list(vcard.read(vcard.write(found)))) == len(found)


def check_table(data):
    """The same of CSV, but that a file may be refused as a whole."""
    with suppress(Unreadable):
        whole = list(csv.read([data]))
        assert list(csv.read(in_pieces(data, 3))) == whole
        _check(whole)


def check_document(data):
    """The same of JSON."""
    with suppress(Unreadable):
        whole = list(json.read([data]))
        assert list(json.read(in_pieces(data, 1))) == whole
        _check(whole)


def _check(found):
    for one in found:
        assert isinstance(one, Problem | Record)
        assert 1 <= one.line <= one.end
