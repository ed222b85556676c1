"""The two texts that search looks through agree on plain words. Pure: no database."""

from hypothesis import example, given
from hypothesis import strategies as st

from contactapp.contacts import search
from contactapp.contacts.folding import BETWEEN

LETTERS = "ab \u00e9\u0130'-.,/+()0149\u0663\u0915\u093e\ufb01"
texts = st.text(LETTERS, min_size=1, max_size=12)
NUMBERS = ["+49 (0)151 23", "0049 151 23", "0151/23-4", "+1 23", "00", "+49", "151", "+49 151 a"]
phones = st.one_of(texts, st.sampled_from(NUMBERS))
several = st.lists(
    st.fixed_dictionaries(
        {"value": phones}, optional={"e164": st.sampled_from(["+4915123", "+123"])}
    ),
    min_size=1,
    max_size=3,
)
cards = st.fixed_dictionaries(
    {},
    optional={
        "first_name": texts,
        "last_name": texts,
        "phone": phones,
        "email": st.just("a.b+c@example.com"),
        "company": texts,
        "labels": st.lists(texts, min_size=1, max_size=2),
        "addresses": st.just([{"street": "a-b 1", "city": "\u0130"}, {"city": "b"}]),
        "custom_fields": st.dictionaries(st.sampled_from("xyz"), texts, max_size=3),
    },
)
cards = st.one_of(
    cards,
    st.builds(lambda card, found: {**card, "phone": "x", "phones": found}, cards, several),
)


def fields(card, needle):
    """Where either text has the needle."""
    return [
        search.matched_in(text(card), kinds, (needle,), lambda: card)
        for kinds, text in ((1, search.words), (3, search.haystack))
    ]


@given(cards, st.data())
@example({"phone": "call me on 5"}, None)
@example({"phone": "0049 151"}, None)
@example({"first_name": "00", "phone": "0/0"}, None)
@example({"phone": "/", "phones": [{"value": "/", "e164": "+4915123"}]}, None)
def test_a_plain_word_is_found_in_the_same_fields(card, data):
    parts = search.haystack(card).replace(BETWEEN, " ").split()
    if data is None:
        needles = parts
    elif parts:
        part = data.draw(st.sampled_from(parts))
        start = data.draw(st.integers(0, len(part) - 1))
        needles = [part[start : data.draw(st.integers(start + 1, len(part)))]]
    else:
        needles = ["a"]
    for needle in filter(search.is_plain, needles):
        in_words, in_haystack = fields(card, needle)
        assert in_words == in_haystack, needle


def test_what_has_spaces_or_punctuation_is_not_plain():
    assert not any(map(search.is_plain, ("", " ", "a b", "o'neil", "+49", "\x01", "%")))
    assert all(map(search.is_plain, ("oneil", "49", "\x0149", "\x02015", "\u0915\u093e")))
