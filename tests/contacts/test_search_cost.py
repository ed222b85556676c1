"""Hostile search words and numbers: no pattern of ours backtracks."""

import pytest

from contactapp.contacts import digits, search

HOSTILE = {
    "plus and digits": "+1" + "1" * 50_000 + "a",
    "digits and spaces": "+1 " * 16_000 + "a",
    "brackets": "+1" + "(0)" * 16_000 + "x",
    "quotes": '"' * 50_000,
    "quoted words": '"a b" ' * 8_000 + '"',
    "dots": "." * 50_000,
    "marks": "e" + "\u0301" * 50_000,
    "lines": "a\n" * 25_000,
    "ligatures": "\ufdfa" * 10_000,
}


# IV-8
@pytest.mark.timeout(10)  # backtracking over 50 000 characters would take hours
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_every_pattern_ends_soon(text):
    found = search.terms(text)
    digits.is_number(text)
    digits.number_of(text)
    card = {"phone": text, "company": text, "custom_fields": {"text": text}}
    card["addresses"] = [{"street": text}]
    needles = search.needles_of((*found[:50], search.term(text)))
    for kinds, looked_through in ((1, search.words(card)), (3, search.haystack(card))):
        for needle in needles:
            assert search.is_plain(needle) in {True, False}
        assert search.matched_in(looked_through, kinds, needles, lambda: card) is not None
        assert len(looked_through) < 400 * len(text) + 1000
