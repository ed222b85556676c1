"""Hostile search words and numbers: no pattern of ours backtracks."""

import pytest

from contactapp.contacts import search

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
    search.is_number(text)
    search.number_of(text)
    card = {"phone": text, "company": text, "custom_fields": {"text": text}}
    haystack = search.haystack(card)
    for term in (*found[:50], search.term(text)):
        term.within(haystack)
    assert search.matched_in(haystack, search.needles_of(found[:20]), lambda: card) is not None
    assert len(haystack) < 400 * len(text) + 1000
