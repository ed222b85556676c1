"""Which contacts are compared, and the groups that come of it."""

import itertools
import random
from time import process_time

import orjson
import pytest

from contactapp.contacts import duplicates
from contactapp.contacts.duplicates import Group, Pairs, groups, scored, why
from contactapp.contacts.likeness import score, traits
from contactapp.contacts.row import Row

_FIRST = ["Ada", "Adda", "A.", "Grace", "Gräce", "Maria Anna", "Maria", "Lovelace", "Jon", "John"]
_LAST = ["Lovelace", "Lovelce", "Hopper", "Hoper", "Ada", "von Hopper", "King", None]
_BIRTHDAYS = [None, None, "1990-01-02", "--01-02", "1990", "1991-01-02"]


def somebody(choose):
    """A card of few different values, so that many agree in something."""
    card = {
        "first_name": choose([*_FIRST, None]),
        "last_name": choose(_LAST),
        "nickname": choose([None, None, None, "Ada", "Countess"]),
        "email": choose([None, *(f"p{n}@x" for n in range(30))]),
        "phone": choose([None, *(f"0151 23456{n:02}" for n in range(40)), "+49 151 2345607"]),
        "birthday": choose(_BIRTHDAYS),
        "company": choose([None, "Acme", "Zeta"]),
    }
    if card["email"] and choose([True, False]):
        extra = [{"value": f"p{choose(range(30))}@y"}]
        card["emails"] = [{"value": card["email"], "primary": True}, *extra]
    return {key: value for key, value in card.items() if value}


@pytest.mark.parametrize("seed", range(5))
def test_no_pair_over_a_half_is_missed(seed):
    choose = random.Random(seed).choice
    everybody = [traits(n, somebody(choose)) for n in range(1, 201)]
    pairs = itertools.combinations(everybody, 2)
    by_hand = {(a.id, b.id): s for a, b in pairs if (s := score(a, b)) > 0.5}
    found = scored(everybody)
    assert len(by_hand) > 100
    assert by_hand == {pair: s for pair, s in found.items() if s > 0.5}


def rows(cards):
    columns = ("uid", 1, 1, 0, 0, 1, 1)
    return {n: Row((n, *columns), orjson.dumps(card)) for n, card in enumerate(cards, 1)}


HOSTILE = {
    "one name": lambda n: {"first_name": "Adalbert", "last_name": "Lovelace", "email": f"p{n}@x"},
    "one address": lambda n: {"first_name": f"Ada{n}", "email": "info@acme.example"},
    "all the same": lambda n: {"first_name": "Adalbert", "email": "a@x", "birthday": "1990-01-01"},
    "slips": lambda n: {"last_name": "lovelace"[: n % 8] + chr(97 + n % 26) + "lovelace"[n % 8 :]},
}


@pytest.mark.parametrize("card", HOSTILE.values(), ids=HOSTILE)
def test_what_thousands_share_is_not_compared_all_with_all(card, monkeypatch):
    compared = []
    counted = lambda one, other: compared.append(1) or score(one, other)  # noqa: E731
    monkeypatch.setattr(duplicates, "score", counted)
    monkeypatch.setattr(duplicates, "MAX_COMPARED", 30_000)
    monkeypatch.setattr(duplicates, "MAX_PAIRS", 5_000)
    found = Pairs.of(rows([card(n) for n in range(1500)])).scores()
    assert 5_000 <= len(compared) <= 30_000
    assert len(found) <= 5_000


def test_copies_are_found_among_thousands_of_namesakes():
    ada = {"first_name": "Ada", "last_name": "Lovelace"}
    copy = {**ada, "birthday": "--12-31", "company": "Acme"}
    cards = [copy if n in {7, 800} else ada for n in range(1000)]
    first, *_ = groups(Pairs.of(rows(cards)).scores(), 0.5)
    assert first == Group(0.72, (8, 801))


def test_ten_thousand_ordinary_contacts_take_a_second_or_two():
    rng = random.Random(7)
    letters = "abdegiklmnorstuv"

    def word():
        return "".join(rng.choice(letters) for _ in range(rng.randint(4, 8))).capitalize()

    given, family = [word() for _ in range(300)], [word() for _ in range(3000)]
    cards = [
        {
            "first_name": rng.choice(given),
            "last_name": rng.choice(family),
            "email": f"p{n}@example.com",
            "phone": f"+49 151 {rng.randrange(10**7):07}",
            "birthday": f"{rng.randrange(1930, 2015)}-{rng.randrange(1, 13):02}-10",
            "company": f"Company {rng.randrange(300)}",
        }
        for n in range(10_000)
    ]
    for _ in range(100):
        cards[rng.randrange(10_000)] = {**cards[rng.randrange(10_000)], "email": "old@example.com"}
    book = rows(cards)
    began = process_time()
    found = groups(Pairs.of(book).scores(), 0.5)
    spent = process_time() - began
    print(f"{spent:.2f} s of processor time for 10 000 contacts, {len(found)} groups")
    assert len(found) > 90
    assert spent < 6  # 0.8 s on a quiet machine


def test_a_group_holds_only_contacts_that_are_all_alike():
    chain = {(1, 2): 0.9, (2, 3): 0.85}
    assert groups(chain, 0.5) == [Group(0.9, (1, 2)), Group(0.85, (2, 3))]
    assert groups({**chain, (1, 3): 0.75}, 0.5) == [Group(0.85, (1, 2, 3))]


def test_who_is_much_less_alike_stays_beside_a_group():
    scores = {(1, 2): 0.97, (1, 3): 0.5, (2, 3): 0.5}
    assert groups(scores, 0.5) == [Group(0.97, (1, 2)), Group(0.5, (1, 3)), Group(0.5, (2, 3))]


def test_a_dismissed_pair_is_in_no_group():
    scores = {(1, 2): 0.9, (1, 3): 0.9, (2, 3): 0.9}
    assert groups(scores, 0.5, {(1, 3)}) == [Group(0.9, (1, 2)), Group(0.9, (2, 3))]
    assert groups(scores, 0.5, set(scores)) == []


def test_groups_below_the_score_that_was_asked_for_are_left_out():
    scores = {(1, 2): 0.9, (3, 4): 0.5, (5, 6): 0.4}
    assert [group.score for group in groups(scores, 0.5)] == [0.9, 0.5]
    assert [group.score for group in groups(scores, 0.6)] == [0.9]


def test_a_group_is_no_larger_than_what_one_merge_takes():
    scores = dict.fromkeys(itertools.combinations(range(1, 31), 2), 0.9)
    found = groups(scores, 0.5)
    assert max(len(group.ids) for group in found) == duplicates.MAX_GROUP


@pytest.mark.parametrize("seed", range(5))
def test_every_pair_is_in_exactly_one_group(seed):
    rng = random.Random(seed)
    pairs = list(itertools.combinations(range(1, 40), 2))
    scores = {pair: round(rng.uniform(0.3, 1), 2) for pair in rng.sample(pairs, 400)}
    dismissed = set(rng.sample(pairs, 50))
    found = groups(scores, 0.5, dismissed)
    expected = {pair for pair, s in scores.items() if s >= 0.5} - dismissed
    inside = [pair for group in found for pair in itertools.combinations(group.ids, 2)]
    assert sorted(inside) == sorted(expected)
    assert found == sorted(found, key=lambda group: group.place)
    assert len({group.place for group in found}) == len(found)


def test_the_reasons_of_a_group_are_those_of_all_its_pairs_each_once():
    cards = {
        1: {"first_name": "Ada", "email": "a@x"},
        2: {"first_name": "Ada", "email": "a@x", "phone": "0151 2345678"},
        3: {"first_name": "Ada", "email": "a@x", "phone": "0151 2345678"},
    }
    assert [tuple(reason) for reason in why((1, 2, 3), cards.get)] == [
        ("same_email", ("a@x",)),
        ("same_name", ("Ada",)),
        ("same_phone", ("0151 2345678",)),
    ]
