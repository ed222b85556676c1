"""What is written as vCards reads back the same, here and in other programs."""

import warnings
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contactapp.exchange.record import Photo, Record
from contactapp.exchange.vcard import read, write
from tests.support.exchange import content, in_pieces, records

ADA = Record(
    uid="0b1e6a52-0000-4000-8000-000000000001",
    fields={
        "first_name": "Ada; the",
        "last_name": "Love,lace\\",
        "company": "Analytical, Inc.",
        "department": "Engines",
        "emails": [
            {"value": "ada@example.com", "label": "work"},
            {"value": "ada@example.org", "label": "Poetry; society", "primary": True},
        ],
        "phones": [{"value": "+44 20 7946 0000", "label": "home fax"}],
        "addresses": [{"street": "12 St James's Square", "city": "London", "label": "home"}],
        "urls": [{"value": "https://example.com/a;b,c"}],
        "birthday": "1815-12-10",
        "labels": ["mathematics", "x, y"],
        "custom_fields": {"engines": 2, "name": "2", "is first": True},
    },
    notes=["Wrote the first program;\nfor a machine that was never built (ü)" * 3],
    photo=Photo("image/png", bytes(range(256))),
    kept=["item1.X-ABADR:gb", "ROLE:Countess"],
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(records, max_size=2), st.sampled_from(["3.0", "4.0"]))
def test_what_is_written_reads_back_and_is_written_the_same_again(several, version):
    written = b"".join(write(several, version))
    again = list(read(in_pieces(written, 50)))
    assert list(map(content, again)) == list(map(content, several))
    assert b"".join(write(again, version)) == written


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_no_line_is_longer_than_75_octets_or_cuts_a_character(version):
    wide = Record(fields=ADA.fields, notes=["ü" * 100, "a" + "ü" * 100])
    for line in b"".join(write([wide], version)).split(b"\r\n"):
        assert len(line) <= 75
        line.decode()


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_nothing_in_a_card_tells_when_or_by_which_version_it_was_written(version):
    lines = b"".join(write([ADA], version)).split(b"\r\n")
    assert not [line for line in lines if line.startswith(b"REV")]
    assert b"PRODID:-//contactapp//contactapp//EN" in lines


@pytest.mark.parametrize(
    "line",
    ["X:a\r\nEND:VCARD", "X:a\nNOTE:b", "END:VCARD", "begin:vcard", "a.END:VCARD", "X", "", "X:\0"],
)
def test_a_kept_line_cannot_be_more_than_one_property(line):
    written = b"".join(write([Record(fields={"nickname": "a"}, kept=[line])]))
    assert written == b"".join(write([Record(fields={"nickname": "a"})]))


@pytest.mark.parametrize("name", ["LABEL", "LABELS", "X-LABEL"])
def test_a_line_in_quoted_printable_may_be_folded_anywhere(name):
    kept = [f"{name};ENCODING=QUOTED-PRINTABLE:{'=C3=BC' * 50}", "ROLE:x"]
    written = b"".join(write([Record(fields={"nickname": "a"}, kept=kept)]))
    [again] = read([written])
    assert again.kept == kept


def test_a_label_of_a_kept_line_is_not_put_on_anything_else():
    kept = ["item1.X-ABRELATEDNAMES:Luis", "item1.X-ABLabel:brother", "ITEM2.X-Y:z"]
    phones = [{"value": "123", "label": "Beach"}]
    written = b"".join(write([Record(fields={"phones": phones}, kept=kept)]))
    assert b"item3.TEL:123\r\nitem3.X-ABLabel:Beach\r\n" in written
    [again] = read([written])
    assert (again.fields["phones"], again.kept) == (phones, kept)


def test_labels_of_ours_that_read_like_googles_groups_are_labels():
    record = Record(fields={"nickname": "a", "labels": ["starred", "myContacts"]})
    [again] = read(write([record]))
    assert again.fields == record.fields


def test_the_only_scalar_is_written_too():
    [written] = write([Record(fields={"email": "a@example.com", "phone": "123"})])
    assert b"FN:a@example.com\r\n" in written
    assert b"EMAIL:a@example.com\r\nTEL:123\r\n" in written


# Second opinions.


def test_vobject_reads_what_we_write():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what Python means to drop
        import vobject

        card = vobject.readOne(b"".join(write([ADA], "3.0")).decode())
    card.validate()
    assert card.fn.value == "Ada; the Love,lace\\"
    assert (card.n.value.given, card.n.value.family) == ("Ada; the", "Love,lace\\")
    assert card.org.value == ["Analytical, Inc.", "Engines"]
    assert [one.value for one in card.email_list] == ["ada@example.com", "ada@example.org"]
    assert card.email_list[0].type_param == "work"
    assert card.email_list[1].type_param == "pref"
    assert card.tel.params["TYPE"] == ["home", "fax"]
    assert card.adr.value.street == "12 St James's Square"
    assert card.url.value == "https://example.com/a;b"  # it takes any value for text
    assert card.categories.value == ["mathematics", "x, y"]
    assert card.note.value == ADA.notes[0]
    assert card.photo.value == ADA.photo.data


def test_the_validator_of_rfc_2426_accepts_what_we_write(tmp_path):
    from vcard.vcard_validator import VcardValidator

    # It demands one group for a whole card. Apple's labels, which all others read, are groups.
    # And it takes a URL for text.
    emails = [{"value": "ada@example.com", "label": "work"}]
    fields = {**ADA.fields, "emails": emails, "urls": [{"value": "https://example.com/a?b=c"}]}
    ungrouped = replace(ADA, fields=fields, kept=["ROLE:Countess"])
    path = tmp_path / "ada.vcf"
    path.write_bytes(b"".join(write([ungrouped], "3.0")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lines count in octets, which it counts as characters
        assert VcardValidator(str(path), False).result == ""
