"""What is found in a text."""

import time

import pytest

from contactapp.notes.extract import KINDS, extracted, word_count

CASES = {
    "emails": [
        ("write to Ada.Lovelace+x@math.example.org.", ["Ada.Lovelace+x@math.example.org"]),
        ("a@b.de,c@d.co.uk;<e@f-g.com>", ["a@b.de", "c@d.co.uk", "e@f-g.com"]),
        ("mailto:x@y.io twice x@y.io", ["x@y.io"]),
        ("no@tld a@b no@-x.com @nobody user@localhost", []),
        ("müller@köln.example", ["müller@köln.example"]),
    ],
    "phones": [
        ("call +49 151 1234567 today", ["+49 151 1234567"]),
        ("0151/1234567 or (0151) 123-4567", ["0151/1234567", "(0151) 123-4567"]),
        ("+1 (555) 123-4567.", ["+1 (555) 123-4567"]),
        ("tel:+4930123456", ["+4930123456"]),
        ("5551234567", ["5551234567"]),
        ("order 1234567, room 12 345", []),
        ("card 4111 1111 1111 1111", []),
        ("server 192.168.100.200", []),
        ("2026-11-22 to 24.12.2026", []),
        ("v1.2.3.4.5.6.7.8", []),
        ("https://x.example/0151123456789", []),
        ("x4915112345678 4915112345678x", []),
    ],
    "urls": [
        ("see https://example.org/a(b)?q=1&r=%20#x.", ["https://example.org/a(b)?q=1&r=%20#x"]),
        ("(http://a.example/x), www.b.example!", ["http://a.example/x", "www.b.example"]),
        ("HTTP://A.EXAMPLE http://localhost:8000", ["HTTP://A.EXAMPLE", "http://localhost:8000"]),
        ("ftp://a.example http:// www. example.org", []),
        ('<a href="https://q.example/x">', ["https://q.example/x"]),
    ],
    "hashtags": [
        ("#urgent and #Grüße #日本 #a_1", ["urgent", "Grüße", "日本", "a_1"]),
        ("#1 c# &#39; a#b ##twice https://x.example/#frag", []),
    ],
    "mentions": [
        ("thanks @ada, @grace.hopper. and @b-b!", ["ada", "grace.hopper", "b-b"]),
        ("mail a@b.example @@x @ y", []),
    ],
    "dates": [
        ("on 2026-11-22, 22.11.2026 and 2026/11/23", ["2026-11-22", "2026-11-23"]),
        ("2026-11-22T09:30:00Z", ["2026-11-22"]),
        ("5. 3. 2027 or March 6th, 2027 or 7 Mar 2027", ["2027-03-05", "2027-03-06", "2027-03-07"]),
        ("29.2.2024", ["2024-02-29"]),
        ("29.2.2023 2026-13-01 31 June 2026 3/11/2026 0000-01-01", []),
        ("192.168.1.2026 1.2.2026.3", []),
    ],
}
EACH = [(kind, text, wanted) for kind, cases in CASES.items() for text, wanted in cases]


@pytest.mark.parametrize(("kind", "text", "wanted"), EACH)
def test_it_finds(kind, text, wanted):
    assert extracted(text)[kind] == wanted


def test_the_kinds_are_those_of_the_contract():
    assert tuple(CASES) == KINDS
    assert set(extracted("")) == set(KINDS)


def test_one_text_holds_all_of_them():
    text = "Met @ada on 22.11.2026: +49 30 901820, ada@x.example, www.x.example #math"
    assert extracted(text) == {
        "emails": ["ada@x.example"],
        "phones": ["+49 30 901820"],
        "urls": ["www.x.example"],
        "hashtags": ["math"],
        "mentions": ["ada"],
        "dates": ["2026-11-22"],
    }


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("one", 1),
        (" two  words\n", 2),
        ("a - b … c", 3),
        ("O'Neil's 3 dogs", 3),
        ("日本", 1),
    ],
)
def test_words_are_counted(text, count):
    assert word_count(text) == count


HOSTILE = [
    *("1 " * 25_000, "1" * 50_000, "1-" * 25_000 + "a", "+" * 50_000, "(1" * 25_000),
    *("a@" * 25_000, "a@b." * 12_500, "a@" + "b-" * 25_000, "a@" + "b." * 25_000 + "1"),
    *("x." * 25_000, "http://" * 7_000, "http://" + ")" * 50_000, "http://a" + "(" * 50_000),
    *("#" * 50_000, "#a" * 25_000, "@" * 50_000, "@a." * 16_000, "@a" + "-" * 50_000),
    *("1." * 25_000, "1.1." * 12_500, "2026-" * 10_000, "1 jan " * 8_000, "jan 1 " * 8_000),
    *(" " * 50_000, "\n" * 50_000, "é" * 50_000, "a" * 50_000, "日本 " * 16_000),
]


# IV-8
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_no_text_takes_long(text):
    """A pattern that is not linear takes seconds to minutes for one of these; each must be done
    in a tenth of the tests' patience."""
    started = time.process_time()
    extracted(text)
    word_count(text)
    assert time.process_time() - started < 1
