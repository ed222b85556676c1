"""vCards as Google, Apple, Outlook, Thunderbird and Nextcloud write them."""

import json

import pytest

from contactapp.exchange.record import Record
from contactapp.exchange.vcard import read, write
from tests.support.exchange import FILES, as_json, as_stored, content, in_pieces

NAMES = sorted(path.stem for path in FILES.glob("*.vcf"))


def records(data):
    return [found for found in read([data]) if isinstance(found, Record)]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_read_with_nothing_lost(name):
    data = (FILES / f"{name}.vcf").read_bytes()
    expected = json.loads((FILES / f"{name}.vcf.json").read_text())
    assert [as_json(found) for found in read([data])] == expected
    assert [as_json(found) for found in read(in_pieces(data))] == expected


@pytest.mark.parametrize("version", ["3.0", "4.0"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_comes_back_whole_and_then_always_in_the_same_bytes(name, version):
    first = records((FILES / f"{name}.vcf").read_bytes())
    written = b"".join(write(first, version))
    again = records(written)
    assert list(map(content, again)) == list(map(content, first))
    assert b"".join(write(again, version)) == written


@pytest.mark.parametrize("version", ["3.0", "4.0"])
@pytest.mark.parametrize("name", NAMES)
def test_what_was_read_is_what_the_api_takes_and_keeps(name, version):
    first = records((FILES / f"{name}.vcf").read_bytes())
    stored = list(map(as_stored, first))
    written = b"".join(write(stored, version))
    again = records(written)
    assert [as_stored(one).fields for one in again] == [one.fields for one in stored]
    assert b"".join(write(again, version)) == written
