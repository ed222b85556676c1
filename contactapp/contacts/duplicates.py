"""Which contacts of a book may be one person twice. Pure: rows in, groups out.

Not every two contacts are compared, which would be 50 million comparisons in a book of 10 000, but
those that have something in common that can lift a score over a half: an e-mail address, a phone
number, a birthday, a name or one that is a slip of it. Contacts with one such thing in common are a
block. What very many share says little of any two of them, so of a block of more than 64 contacts
each is compared with the 10 that are the most like it when all are sorted, which finds copies
however many there are; and all ends after 150 000 comparisons, the smallest blocks first.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from itertools import combinations
from typing import Any, NamedTuple

from .likeness import Reason, Traits, reasons, score, slips, traits
from .row import Row

LEAST = 0.3  # a score below which nobody wants to see a pair
MAX_BLOCK = 64
NEIGHBOURS = 10  # in a larger block
MAX_COMPARED = 150_000  # in a book, about a second
MAX_PAIRS = 20_000  # kept, the best ones
MAX_GROUP = 21  # contacts that one merge can take
_NEARLY = 0.2  # less sure than a group: then a contact belongs to it no more

Ids = tuple[int, int]  # of two contacts, the smaller one first


class Pairs(NamedTuple):
    """The pairs of a book that look alike, and their scores; kept with its view, so as arrays, in a
    tenth of the memory."""

    ids: array[int]  # two of each pair
    values: array[float]

    @classmethod
    def of(cls, rows: Mapping[int, Row]) -> Pairs:
        """The pairs among these rows."""
        found = scored([traits(row.id, row.card()) for row in rows.values()])
        ids = array("q", (contact_id for pair in found for contact_id in pair))
        return cls(ids, array("d", found.values()))

    def scores(self) -> dict[Ids, float]:
        """The scores by the ids of the two."""
        pairs = zip(self.ids[::2], self.ids[1::2], strict=True)
        return dict(zip(pairs, self.values, strict=True))

    def patched(self, _touched: Set[int], rows: Mapping[int, Row]) -> Pairs:
        """The pairs of a view with these rows: found anew, because a contact that leaves a large
        block changes who is whose neighbour there."""
        return Pairs.of(rows)


class Group(NamedTuple):
    """Contacts that may be one person. `score` is that of the weakest link which holds them
    together; every two of them look alike."""

    score: float
    ids: tuple[int, ...]

    @property
    def place(self) -> tuple[Any, ...]:
        """Where it is in a list; no two groups have the same two contacts."""
        return (-self.score, *self.ids[:2])


def scored(everybody: list[Traits]) -> dict[Ids, float]:
    """The pairs that blocks bring together and that look alike, with their scores."""
    known = {one.id: one for one in everybody}
    found: dict[Ids, float] = {}
    for first, second in _candidates(known):
        likeness = score(known[first], known[second])
        if likeness >= LEAST:
            found[first, second] = likeness
    return found if len(found) <= MAX_PAIRS else _best(found)


def _best(found: dict[Ids, float]) -> dict[Ids, float]:
    """The best pairs, of those alike the first ones."""
    by_score: defaultdict[float, list[Ids]] = defaultdict(list)
    for pair, likeness in found.items():
        by_score[likeness].append(pair)
    best: dict[Ids, float] = {}
    for likeness in sorted(by_score, reverse=True):
        best.update(dict.fromkeys(sorted(by_score[likeness])[: MAX_PAIRS - len(best)], likeness))
        if len(best) == MAX_PAIRS:
            break
    return best


def _candidates(known: dict[int, Traits]) -> Set[Ids]:
    """The pairs to compare, each once."""
    pairs: set[Ids] = set()
    compared = 0
    for block in sorted(set(_blocks(known.values())), key=lambda ids: (len(ids), ids)):
        if len(block) > MAX_BLOCK:
            block = tuple(sorted(block, key=lambda i: _order(known[i])))
        steps = NEIGHBOURS if len(block) > MAX_BLOCK else len(block)
        compared += len(block) * min(steps, len(block) // 2 + 1)
        if compared > MAX_COMPARED:
            break
        pairs.update(_within(block, steps))
    return pairs


def _within(block: tuple[int, ...], steps: int) -> Iterator[Ids]:
    if steps == len(block):  # their ids are in order
        return combinations(block, 2)
    return (
        (one, other) if one < other else (other, one)
        for step in range(1, steps + 1)
        for one, other in zip(block, block[step:], strict=False)
    )


def _order(one: Traits) -> tuple[Any, ...]:
    """A key that puts those together who are alike in the most telling things."""
    return (
        sorted(one.emails),
        sorted(one.phones),
        (one.first, one.last, one.birthday, one.company, one.id),
    )


def _blocks(everybody: Iterable[Traits]) -> Iterator[tuple[int, ...]]:
    """The ids, in order, of those who have a key in common."""
    everybody = sorted(everybody)
    initials = {(one.first, one.last) for one in everybody if len(one.first) == 1 and one.last}
    blocks: defaultdict[Any, list[int]] = defaultdict(list)
    for one in everybody:
        for key in _keys(one, initials):
            blocks[key].append(one.id)
    return (tuple(ids) for ids in blocks.values() if len(ids) > 1)


def _keys(one: Traits, initials: Set[tuple[str, str]]) -> Set[Any]:
    """What another contact must have in common with this one to be compared with it."""
    keys: set[Any] = {("email", email) for email in one.emails}
    keys.update(("phone", phone) for phone in one.phones)
    if all(one.birthday):
        keys.add(one.birthday)
    first, last = one.first, one.last
    if not (first or last):
        return keys
    keys.update(one.names)
    short_first, short_last = one.short
    if short_first and short_last:
        keys.add(("short", short_first, short_last))
    if (first[:1], last) in initials:
        keys.add(("initial", first[0], last))
    keys.update(("last", first, slip) for slip in slips(last))
    keys.update(("first", last, slip) for slip in slips(first))
    return keys


def groups(
    scores: Mapping[Ids, float], least: float, dismissed: Set[Ids] = frozenset()
) -> list[Group]:
    """The pairs from a score on that nobody has dismissed, as groups, the best first. Each of these
    pairs is in exactly one group, and each two contacts of a group are such a pair."""
    alike = {pair: s for pair, s in scores.items() if s >= least and pair not in dismissed}
    members: list[tuple[float, list[int]]] = []
    home: dict[int, int] = {}  # the group that a contact came into first
    for (one, other), likeness in sorted(alike.items(), key=lambda pair: (-pair[1], pair[0])):
        if _together(members, home, one, other):
            continue
        for inside, joining in ((one, other), (other, one)):
            if inside not in home or joining in home:
                continue
            strength, ids = members[home[inside]]
            if _belongs(joining, ids, alike, strength - likeness):
                members[home[inside]] = (likeness, [*ids, joining])
                home[joining] = home[inside]
                break
        else:
            for contact_id in (one, other):
                home.setdefault(contact_id, len(members))
            members.append((likeness, [one, other]))
    return sorted((Group(s, tuple(sorted(ids))) for s, ids in members), key=lambda g: g.place)


def _together(
    members: list[tuple[float, list[int]]], home: dict[int, int], one: int, other: int
) -> bool:
    """Whether a group has both. Only one that is somebody's home has ever grown, and then it is
    that of everyone who joined, so it is the home of one of them."""
    return any(
        inside in home and asked in members[home[inside]][1]
        for inside, asked in ((one, other), (other, one))
    )


def _belongs(joining: int, ids: list[int], alike: Mapping[Ids, float], less: float) -> bool:
    return (
        less <= _NEARLY
        and len(ids) < MAX_GROUP
        and all((min(i, joining), max(i, joining)) in alike for i in ids)
    )


def why(ids: tuple[int, ...], card: Callable[[int], dict[str, Any]]) -> list[Reason]:
    """The reasons of all pairs of a group, each once."""
    everybody = [traits(contact_id, card(contact_id)) for contact_id in ids]
    found = (reason for pair in combinations(everybody, 2) for reason in reasons(*pair))
    return list(dict.fromkeys(found))
