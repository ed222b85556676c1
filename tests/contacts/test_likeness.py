"""What two cards have in common, and what that weighs."""

import pytest

from contactapp.contacts.likeness import is_slip, reasons, score, slips, traits


def named(first, last, **more):
    return {"first_name": first, "last_name": last, **more}


ADA = named("Ada", "Lovelace")
BORN = {"birthday": "1815-12-10"}
MAIL, PHONE = {"email": "a@x"}, {"phone": "0151 2345678"}

# One card, the other, the codes of what is found, the score.
TABLE = [
    (ADA, ADA, ["same_name"], 0.5),
    (ADA, named("Ádá", "LOVELACE"), ["same_name"], 0.5),
    (ADA, named("Lovelace", "Ada"), ["same_name"], 0.5),
    (named("Seán", "O'Neil"), named("sean", "ONeil"), ["same_name"], 0.5),
    (ADA, named("Ada", "Lovelac"), ["similar_name"], 0.4),
    (ADA, named("Ada", "Lovleace"), ["similar_name"], 0.4),
    (named("John", "Smith"), named("Jon", "Smith"), ["similar_name"], 0.4),
    (named("Tim", "Smith"), named("Tom", "Smith"), ["different_name"], 0),
    (ADA, named("A.", "Lovelace"), ["similar_name"], 0.4),
    (ADA, named("B.", "Lovelace"), ["different_name"], 0),
    (ADA, named("Ada Augusta", "King Lovelace"), ["similar_name"], 0.4),
    ({**ADA, "nickname": "Countess"}, named("Countess", "Lovelace"), ["similar_name"], 0.4),
    ({"nickname": "Countess"}, {"nickname": "countess"}, ["same_name"], 0.5),
    ({"company": "Acme"}, {"company": "ACME"}, ["same_name"], 0.5),
    ({**ADA, "company": "Acme"}, {**ADA, "company": "ACME"}, ["same_name", "same_company"], 0.6),
    ({**ADA, **MAIL}, {**ADA, "email": "A@X"}, ["same_email", "same_name"], 0.9),
    ({**ADA, **MAIL}, MAIL, ["same_email"], 0.8),
    ({**ADA, **MAIL}, named("Bob", "Byron", **MAIL), ["same_email", "different_name"], 0.4),
    # Who marries keeps the first name; a relative has the last one.
    ({**ADA, **PHONE}, named("Ada", "King", **PHONE), ["same_phone"], 0.7),
    ({**ADA, **PHONE}, named("Bo", "Lovelace", **PHONE), ["same_phone", "different_name"], 0.35),
    ({"phone": "+49 (0)151 2345678"}, {"phone": "0151/2345678"}, ["same_phone"], 0.7),
    ({"phone": "+49 151 2345678"}, {"phone": "+43 151 2345678"}, [], 0),
    ({"phone": "112"}, {"phone": "112"}, [], 0),
    ({**ADA, **BORN}, {**ADA, **BORN}, ["same_birthday", "same_name"], 0.8),
    ({**ADA, **BORN}, {**ADA, "birthday": "--12-10"}, ["same_birthday", "same_name"], 0.65),
    ({**ADA, **BORN}, {**ADA, "birthday": "1815"}, ["same_name"], 0.5),
    ({**ADA, **BORN}, {**ADA, "birthday": "1816"}, ["same_name", "different_birthday"], 0.3),
    ({**ADA, **BORN}, {**ADA, "birthday": "--12-11"}, ["same_name", "different_birthday"], 0.3),
    ({**ADA, **BORN}, {"birthday": "1815-12-10", "email": "b@x"}, ["same_birthday"], 0.6),
    (ADA, MAIL, [], 0),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "codes", "expected"), TABLE)
def test_a_score_is_made_of_its_reasons(one, other, codes, expected):
    for first, second in ((one, other), (other, one)):
        pair = traits(1, first), traits(2, second)
        assert [reason.code for reason in reasons(*pair)] == codes
        assert score(*pair) == pytest.approx(expected)


def test_a_name_alone_is_never_a_high_score():
    alone = [expected for *_, codes, expected in TABLE if codes == ["same_name"]]
    assert set(alone) == {0.5}


def test_a_reason_has_the_values_as_the_contacts_have_them():
    one = {**ADA, "email": "Ada@X", "phone": "+49 151 2345678", "birthday": "1815-12-10"}
    other = named("ada", "Lovelace", email="ada@x", **PHONE, **BORN)
    assert [tuple(reason) for reason in reasons(traits(1, one), traits(2, other))] == [
        ("same_email", ("Ada@X", "ada@x")),
        ("same_phone", ("+49 151 2345678", "0151 2345678")),
        ("same_birthday", ("1815-12-10",)),
        ("same_name", ("Ada Lovelace", "ada Lovelace")),
    ]


def test_every_entry_counts_and_not_only_the_primary_one():
    one = {"email": "a@x", "emails": [{"value": "a@x", "primary": True}, {"value": "b@x"}]}
    assert score(traits(1, one), traits(2, {"email": "B@x"})) == 0.8


SLIPS = ["mario", "maria", "amria", "mari", "maari", "ma", "jon", "john", "jhon", "joan", "wxyz"]


def edits(word):
    """The words that one slip makes of a word, by hand."""
    letters = set("".join(SLIPS))
    cut = [(word[:n], word[n:]) for n in range(len(word) + 1)]
    found = {a + b[1:] for a, b in cut if b} | {a + c + b for a, b in cut for c in letters}
    found |= {a + c + b[1:] for a, b in cut if b for c in letters}
    return found | {a + b[1] + b[0] + b[2:] for a, b in cut if len(b) > 1}


@pytest.mark.parametrize("one", SLIPS)
def test_a_slip_is_one_letter_or_two_neighbours(one):
    for other in SLIPS:
        expected = max(len(one), len(other)) > 3 and (other in edits(one) or one == other)
        assert is_slip(one, other) == expected, other
        assert not expected or set(slips(one)) & set(slips(other)), other
