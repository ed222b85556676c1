"""A file's format is told by its bytes before its name."""

import pytest

from contactapp.exchange.formats import guess
from tests.support.exchange import FILES


@pytest.mark.parametrize("path", sorted(FILES.glob("*.[cv]??")), ids=lambda path: path.name)
def test_files_of_other_programs_are_told_by_their_bytes_alone(path):
    expected = {".vcf": "vcard", ".csv": "csv"}[path.suffix]
    assert guess(path.read_bytes(), "contacts") == expected
    assert guess(path.read_bytes(), "contacts.json") == expected


@pytest.mark.parametrize(
    ("start", "name", "format_"),
    [
        (b"\xef\xbb\xbf\r\nbegin:vcard\r\n", None, "vcard"),
        (b' {"format"', "x.csv", "json"),
        (b"[]", None, "json"),
        (b"a,b,c\n1,2,3\n", "x.CSV", "csv"),
        (b"a,b,c\n1,2,3\n", "x.txt", None),
        (b"first name\tphone\n", None, "csv"),
        (b"", "x.vcf", "vcard"),
        (b"", None, None),
        (b"\x89PNG\r\n\x1a\n\0\0", "x.png", None),
        (b"PK\x03\x04" + b"\0" * 100, None, None),
        (b"\xff\xfe", None, None),
        (b'"' * 70_000, None, None),
    ],
)
def test_what_a_format_is_told_by(start, name, format_):
    assert guess(start, name) == format_
