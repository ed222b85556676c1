"""Files of contacts for the tests, and how what was read of them is compared."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from contactapp.contacts.card import canonical, resolve_name
from contactapp.contacts.schemas import ContactInput
from contactapp.exchange.entries import is_same_as
from contactapp.exchange.record import Photo, Problem, Record

FILES = Path(__file__).resolve().parents[1] / "exchange" / "files"
LINES = {
    "first_name",
    "last_name",
    "middle_name",
    "prefix",
    "suffix",
    "nickname",
    "company",
    "department",
    "title",
}


def as_json(found):
    """What a reader yields, as the golden files tell it."""
    if isinstance(found, Problem):
        return {name: value for name, value in found._asdict().items() if value is not None}
    shown = {"line": found.line, "end": found.end, "fields": found.fields}
    shown |= {"notes": found.notes, "uid": found.uid, "kept": found.kept}
    shown["warnings"] = [as_json(warning) for warning in found.warnings]
    if found.photo:
        shown["photo"] = [found.photo.type, b64encode(found.photo.data).decode()]
    return {name: value for name, value in shown.items() if value not in (None, [])}


def content(record):
    """A record without its place in a file."""
    return record.fields, record.notes, record.photo, record.uid, record.kept


def as_stored(record):
    """The record with its fields as the API makes a card of them."""
    fields = ContactInput().load(record.fields)
    name = fields.pop("name", None)
    return replace(record, fields=canonical(resolve_name(fields, name, None)))


def in_pieces(data, size=7):
    """The file as it might come over a wire."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def one_line(maximum=20):
    letters = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
    return st.text(letters, max_size=maximum).map(str.strip).filter(bool)


words = one_line().map(lambda text: " ".join(text.split())).filter(bool)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
labels = st.one_of(st.sampled_from(["home", "work fax", "mobile", "homepage", "Home"]), words)
days = st.sampled_from(["--02-29", "1985", "1985-06", "1985-04-12", "1604-02-29"])
custom_values = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False).filter(lambda number: abs(number) != float("inf")),
)


@st.composite
def _entries(draw, kind, members):
    found = draw(st.lists(st.fixed_dictionaries(members, optional={"label": labels}), max_size=4))
    found = list({is_same_as(kind, entry): entry for entry in found}.values())
    if len(found) > 1:
        draw(st.sampled_from(found))["primary"] = True
    return found


_street = st.lists(one_line(8), min_size=1, max_size=2).map("\n".join)
_ADDRESS = {"street": _street, "city": one_line()}
_ARRAYS = {
    "emails": _entries("emails", {"value": one_line(8).map(lambda text: f"{text}@example.com")}),
    "phones": _entries("phones", {"value": one_line(8).map(lambda text: f"+49 {text}")}),
    "urls": _entries(
        "urls", {"value": one_line(8).map(lambda text: f"https://example.com/{text}")}
    ),
    "addresses": _entries("addresses", _ADDRESS),
    "labels": st.lists(words, max_size=3, unique_by=str.casefold),
    "custom_fields": st.dictionaries(words, custom_values, max_size=3),
}
_fields = st.fixed_dictionaries(
    {"company": one_line()},
    optional={
        **{name: one_line() for name in sorted(LINES - {"company"})},
        **{name: array.filter(bool) for name, array in _ARRAYS.items()},
        "birthday": days,
        "anniversary": days,
        "starred": st.just(True),
    },
)
notes = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"))
photos = st.builds(Photo, st.sampled_from(["image/png", "image/jpeg"]), st.binary(min_size=1))
_SOME = ("ROLE:x", "item1.X-ABADR:us", 'X-A;B="c:d;e":f', "IMPP:xmpp:a@b", "X-A/B :ü", "a.b.X:y")
_wide = st.integers(0, 60).map(lambda n: f"X{'-' * (n % 3)};QUOTED-PRINTABLE:{'=C3=BC' * n}.")
kept = st.one_of(st.sampled_from(_SOME), _wide)
records = st.builds(
    Record,
    fields=_fields,
    notes=st.lists(notes.map(str.strip).filter(bool), max_size=2),
    uid=st.one_of(st.uuids().map(str), one_line()),
    photo=st.one_of(st.none(), photos),
    kept=st.lists(kept, max_size=3),
)
