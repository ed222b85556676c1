"""What fits a definition, and its normal form; without an application."""

import math
import time

import pytest

from contactapp.custom_fields.conversion import Conversion
from contactapp.custom_fields.definition import TYPES, Definition, Meta
from contactapp.custom_fields.values import Unfit, converted, fitted, same
from contactapp.errors import InvalidFields

META = Meta(1, "uid", 1, 1, 0, 0, 1, 1)
CHOICES = ("Café", "small", "5", "true")
SELF = object()  # the value comes back as it is

FITTING = {
    "text": [
        *[(value, SELF) for value in ("", " a ", "two\nlines", "5", "{{7*7}}", "' OR 1=1")],
        *((5, "5"), (1.5, "1.5"), (True, "true"), (False, "false")),
    ],
    "number": [
        *[(value, SELF) for value in (0, -1, 1.0, 1.5, 1e300, 2**53 - 1, -(2**53 - 1))],
        *(("5", 5), (" -5 ", -5), ("1.50", 1.5), ("1e3", 1000.0), ("-0", 0), ("", None)),
    ],
    "date": [
        *[(day, SELF) for day in ("2024-02-29", "--02-29", "1985", "1985-06", "0001-01-01")],
        *((" 2024-02-29 ", "2024-02-29"), (1985, "1985"), ("  ", None)),
    ],
    "boolean": [(True, SELF), (False, SELF), ("true", True), (" FALSE ", False), ("", None)],
    "choice": [("Café", SELF), ("CAFE", "Café"), (" small ", "small"), (5, "5"), (True, "true")],
    "url": [
        ("https://example.com/a?b=c#d", SELF),
        ("HTTP://Example.com", "http://Example.com"),
        ("http://[::1]:8080/", SELF),
        *[(link, SELF) for link in ("mailto:a@b", "tel:+49151", "xmpp:a@b", "https://ü.example")],
        (" https://example.com ", "https://example.com"),
        ("", None),
    ],
    "email": [("a@b", SELF), (" Ada.L+x@Example.COM ", "Ada.L+x@Example.COM"), (" ", None)],
}
UNFIT = {
    "number": [
        *("a", "1_000", "inf", "nan", "0x10", "٣", "1,5", "+5", "01", ".5", "5.", "1e", "--1"),
        *(True, False, 2**53, -(2**53), "9007199254740992", "1e999", "9" * 40, "9" * 5000, 1e999),
    ],
    "date": [
        *("2023-02-29", "1985-13", "85", "--02", "today", "15.06.1985", "2024-01-01T00:00:00Z"),
        *(True, 5, 1985.5, -5),
    ],
    "boolean": [1, 0, "1", "yes", "tru", 0.0],
    "choice": ["none", "smal", "smaller", 6, False, "Café small"],
    "url": [
        *("example.com", "//example.com", "javascript:alert(1)", "JavaScript:alert(1)", "a b"),
        *("data:text/html,x", "file:///etc/passwd", "vbscript:x", "http:", "http://", "https:///a"),
        *("http://[", "http://[::1", "mailto:", "tel:", "http://a b", "https://a\tb", ":", "1a:b"),
        *("https://example.com/\x07", "https://" + "a" * 2000, 5, True, "x" * 30 + ":a"),
    ],
    "email": ["a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\x00", "e" * 249 + "@b.com", 5, True],
}


def definition(type_, key="k"):
    return Definition(META, key, type_, choices=CHOICES if type_ == "choice" else ())


@pytest.mark.parametrize(("type_", "value", "kept"), [(t, *v) for t in FITTING for v in FITTING[t]])
def test_what_fits_is_kept_in_its_normal_form(type_, value, kept):
    found = converted(value, definition(type_))
    assert same(found, value if kept is SELF else kept)
    assert found is None or same(converted(found, definition(type_)), found)


# IV-2, IV-7
@pytest.mark.parametrize(("type_", "value"), [(t, v) for t in UNFIT for v in UNFIT[t]])
def test_what_does_not_fit_is_refused(type_, value):
    with pytest.raises(Unfit) as refusal:
        converted(value, definition(type_))
    assert refusal.value.code
    assert len(refusal.value.detail) < 200


def test_every_type_is_tried():
    assert set(FITTING) == set(TYPES) == {*UNFIT, "text"}


@pytest.mark.parametrize(("before", "value"), [("x", "x"), (True, True), (1.5, 1.5), ("", "")])
def test_what_was_there_before_stays(before, value):
    assert fitted({"k": value}, {"custom_fields": {"k": before}}, {"k": definition("date")}) == {
        "k": value
    }


# To Python these are equal.
@pytest.mark.parametrize(("before", "value"), [(1, True), (True, 1), (0, False)])
def test_another_type_of_an_equal_value_is_a_change(before, value):
    with pytest.raises(InvalidFields):
        fitted({"k": value}, {"custom_fields": {"k": before}}, {"k": definition("date")})


def test_every_unfit_value_is_named_and_keys_are_escaped():
    defined = {key: definition("number", key) for key in ("a/b", "~", "fit")}
    values = {"a/b": "x", "~": "y", "fit": "5", "free": "z"}
    with pytest.raises(InvalidFields) as refusal:
        fitted(values, None, defined)
    pointers = [(error.pointer, error.code) for error in refusal.value.errors]
    assert pointers == [
        ("/custom_fields/a~1b", "invalid_number"),
        ("/custom_fields/~0", "invalid_number"),
    ]
    assert fitted({**values, "a/b": " ", "~": 1}, {}, defined) == {"~": 1, "fit": 5, "free": "z"}


HOSTILE = [
    *(character * 50_000 for character in "a1@.:/- \u0301\t[é"),
    *("http://" + character * 50_000 for character in "a@.:[]/%é"),
    *("a@" * 25_000, "1e" * 25_000, "1." * 25_000, "--" * 25_000, "a" * 49_999 + "\n"),
    *("1" * 49_999 + "x", "-" + "1" * 50_000, "0." + "0" * 50_000, "1" * 50_000 + "e5"),
    *(start + "\u0301\u0316" * 25_000 for start in ("", "https://a/", "a@b")),
    *(" " * 50_000 + "x", "x" + " " * 50_000, "mailto:" + "a " * 25_000, "\ufb2c" * 50_000),
]


# IV-8
@pytest.mark.parametrize("type_", TYPES)
def test_hostile_text_is_judged_in_no_time(type_):
    for text in HOSTILE:
        began = time.perf_counter()
        try:
            found = converted(text, definition(type_))
        except Unfit:
            found = ""
        assert time.perf_counter() - began < 0.1, text[:20]
        assert isinstance(found, str | None) or math.isfinite(found)


def test_a_renamed_value_keeps_its_place_among_the_others():
    conversion = Conversion(definition("text", "b"), definition("number", "x"))
    card = {"nickname": "n", "custom_fields": {"a": "1", "b": "2", "c": "3"}}
    changed = conversion.of_contact(1, card)
    assert list(changed["custom_fields"].items()) == [("a", "1"), ("x", 2), ("c", "3")]
    assert conversion.of_contact(1, {**card, "custom_fields": {"b": " "}}) == {"nickname": "n"}
