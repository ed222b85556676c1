"""What is read of single lines of vCards."""

import pytest

from contactapp.exchange.vcard import read, write


def card(*lines, version="3.0"):
    """The one record of a card with these lines, or its problem."""
    data = "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])
    [found] = read([data.encode()])
    return found


@pytest.mark.parametrize(
    ("line", "day"),
    [
        ("BDAY:1985-04-12", "1985-04-12"),
        ("BDAY:19850412", "1985-04-12"),
        ("BDAY;VALUE=date-and-or-time:19850412T102200Z", "1985-04-12"),
        ("BDAY:--0229", "--02-29"),
        ("BDAY:--02-29", "--02-29"),
        ("BDAY:1985", "1985"),
        ("BDAY:1985-06", "1985-06"),
        ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29", "--02-29"),
        ("BDAY;X-APPLE-OMIT-YEAR=1604:1985-02-28", "1985-02-28"),
    ],
)
def test_a_birthday_is_a_whole_or_a_partial_date(line, day):
    found = card(line)
    assert (found.fields, found.kept) == ({"birthday": day}, [])


@pytest.mark.parametrize("value", ["---12", "circa 1800", "1985-13-01", "19850230", "1985-4-12"])
def test_a_birthday_that_is_no_date_of_ours_is_kept(value):
    found = card(f"BDAY:{value}")
    assert (found.fields, found.kept) == ({}, [f"BDAY:{value}"])


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("TEL;TYPE=CELL:1234", {"value": "1234", "label": "mobile"}),
        ("TEL;FAX;WORK:1234", {"value": "1234", "label": "work fax"}),
        ('TEL;TYPE="voice,home":1234', {"value": "1234", "label": "home"}),
        ("TEL;type=IPHONE;type=CELL:1234", {"value": "1234", "label": "iphone"}),
        ("tel;value=uri:tel:+1-555;ext=7", {"value": "+1-555 x7"}),
        ("item1.TEL;TYPE=pref:1234\r\nitem1.X-ABLabel:Ship", {"value": "1234", "label": "Ship"}),
        ("i.TEL:1234\r\ni.X-ABLabel:_$!<HomeFAX>!$_", {"value": "1234", "label": "home fax"}),
        ("i.X-ABLabel:_$!<Uncle>!$_\r\ni.TEL:1234", {"value": "1234", "label": "uncle"}),
        ("TEL;TYPE=HOME:1234\r\nTEL;TYPE=CELL:1234", {"value": "1234", "label": "home mobile"}),
    ],
)
def test_types_and_apple_labels_become_a_label(line, entry):
    found = card(line)
    assert (found.fields, found.kept) == ({"phones": [entry]}, [])


def test_a_quoted_parameter_may_hold_colons_and_semicolons():
    found = card('ADR;LABEL="a: b; c";TYPE=home:;;Street;City;;;', version="4.0")
    address = {"street": "Street", "city": "City", "label": "home"}
    assert found.fields == {"addresses": [address]}


def test_an_address_that_is_only_a_label_is_its_street():
    found = card(r'ADR;TYPE=home;LABEL="By the well\nOia":;;;;;;', version="4.0")
    assert found.fields == {"addresses": [{"street": "By the well\nOia", "label": "home"}]}


@pytest.mark.parametrize("line", ["X-A/B:c", "a.b.X-C:d", "X-D :e", "a_b.x_e;f=g:h", "X-ABDATE:1"])
def test_a_line_that_no_field_holds_is_kept_as_it_is(line):
    found = card(line)
    assert (found.kept, found.warnings) == ([line], [])
    assert line.encode() in b"".join(write([found]))


def test_a_line_that_ends_as_if_it_went_on_is_left_out_and_told():
    found = card("X-A;QUOTED-PRINTABLE:a==", "", "ROLE:b", "X-C:d=", version="2.1")
    assert found.kept == ["ROLE:b", "X-C:d="]
    assert [(one.code, one.line) for one in found.warnings] == [("left_out", 3)]
    [again] = read(write([found]))
    assert again.kept == found.kept


def test_the_preferred_entry_is_the_primary_one():
    found = card("EMAIL;PREF=7:a@b.c", "EMAIL;PREF=2:d@e.f", "EMAIL:g@h.i", version="4.0")
    assert [entry.get("primary") for entry in found.fields["emails"]] == [None, True, None]
    found = card("TEL:123", "TEL;TYPE=HOME,PREF:456")
    assert [entry.get("primary") for entry in found.fields["phones"]] == [None, True]


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (r"a\nb\Nc", "a\nb\nc"),
        (r"a\, b\; c\\d", r"a, b; c\d"),
        (r"http\://x", "http://x"),
        (r"c:\dir", r"c:\dir"),
        ("ends with \\", "ends with \\"),
    ],
)
def test_escapes_are_taken_off(value, note):
    assert card(f"NOTE:{value}").notes == [note]


def test_a_folded_line_may_be_cut_within_a_character():
    line = "NOTE:Zürich".encode()
    cut = line.index("ü".encode()) + 1
    data = b"BEGIN:VCARD\nVERSION:3.0\n%s\n %s\nEND:VCARD\n" % (line[:cut], line[cut:])
    [found] = read([data])
    assert found.notes == ["Zürich"]


def test_a_folded_line_that_reads_as_the_end_is_none():
    assert card("NOTE:BEGIN:", " END:VCARD", " x").notes == ["BEGIN:END:VCARDx"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"FN;CHARSET=ISO-8859-15:\xa4uro", "€uro"),
        (b"FN;CHARSET=Shift_JIS:\x83\x5c\x83\x6a\x81\x5b", "ソニー"),
        (b"FN;CHARSET=ISO-2022-JP:\x1b$B%=\x1b(B", "ソ"),
        (b"FN:M\xfcller", "Müller"),
        (b"FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BC=\r\nller", "Müller"),
        (b"FN;QUOTED-PRINTABLE:M=FCller", "Müller"),
        (b"FN;ENCODING=BASE64:TcO8bGxlcg==", "Müller"),
    ],
)
def test_text_is_read_in_the_encoding_that_it_is_in(line, name):
    [found] = read([b"BEGIN:VCARD\r\nVERSION:2.1\r\n%s\r\nEND:VCARD\r\n" % line])
    assert found.fields == {"name": name}


def test_version_2_1_breaks_lines_before_a_space_that_stays():
    assert card("NOTE:one", " two", version="2.1").notes == ["one two"]
    assert card("NOTE:one", "  two", version="3.0").notes == ["one two"]


def test_base64_of_phones_that_forget_the_space_is_read():
    found = card("PHOTO;ENCODING=BASE64;JPEG:AAEC", "AwQF", "", "TEL:123", version="2.1")
    assert (found.photo.type, found.photo.data) == ("image/jpeg", bytes(range(6)))


@pytest.mark.parametrize("version", ["3.0", "4.0"])
@pytest.mark.parametrize(
    "line",
    [
        "PHOTO;VALUE=uri:http://169.254.169.254/",
        "PHOTO:http://169.254.169.254/x.png",
        "PHOTO:file:///etc/passwd",
        "PHOTO:data:image/png,%89PNG",
        "PHOTO;ENCODING=b;TYPE=PNG:AA??AA==",
    ],
)
def test_a_photo_that_lies_elsewhere_is_kept_and_never_fetched(line, version):  # FI-7
    found = card(line, version=version)
    assert (found.photo, found.kept) == (None, [line])


def test_the_second_of_what_a_contact_has_once_is_kept():
    lines = ["ORG:One", "ORG:Two", "TITLE:a", "TITLE:b", "BDAY:1985", "BDAY:1986", "UID:x", "UID:y"]
    found = card(*lines)
    assert found.kept == lines[1::2]
    assert found.fields == {"company": "One", "title": "a", "birthday": "1985"}


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        (["FN:Ann Lee"], {"name": "Ann Lee"}),
        (["FN:Lee, Ann", "N:Lee;Ann"], {"first_name": "Ann", "last_name": "Lee"}),
        (["FN:ACME", "ORG:ACME"], {"company": "ACME"}),
        (["FN:Sales", "ORG:ACME"], {"company": "ACME", "name": "Sales"}),
        (
            ["FN:Grandma", "N:Lee;Ann"],
            {"first_name": "Ann", "last_name": "Lee", "custom_fields": {"display_name": "Grandma"}},
        ),
    ],
)
def test_a_full_name_is_lost_only_where_the_parts_say_it(lines, fields):
    assert card(*lines).fields == fields


def test_an_agent_is_kept_as_one_line():
    lines = ["AGENT:", "BEGIN:VCARD", "N:Friday;Fred", "END:VCARD", "TEL:123"]
    found = card(*lines, version="2.1")
    assert found.kept == [r"AGENT:BEGIN:VCARD\nN:Friday\;Fred\nEND:VCARD\n"]
    assert found.fields == {"phones": [{"value": "123"}]}


@pytest.mark.parametrize(
    "value",
    [
        *("x", '["a"]', '{"a": 1}', "[1, 2]", '["a", null]', '["a", [1]]', '["a", NaN]'),
        *('["a", 1e999]', '["a", 9007199254740992]', '["\\u0000", 1]', '["a", "\\ud800"]'),
        "[" * 100_000,
    ],
)
def test_a_custom_field_that_no_contact_may_have_is_kept(value):
    line = "X-CONTACTAPP-FIELD:" + value.replace("\\", "\\\\").replace(",", "\\,")
    found = card(line)
    assert "custom_fields" not in found.fields or found.fields["custom_fields"] == {}
    assert found.kept == ([line] if len(line) < 65_536 else [])


def test_labels_that_are_alike_are_one():
    assert card("CATEGORIES:Friends, Team,friends,", "CATEGORIES:TEAM,a\\,b").fields == {
        "labels": ["Friends", "Team", "a,b"]
    }
