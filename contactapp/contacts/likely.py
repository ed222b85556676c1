"""Who of a book somebody may be that is not in it yet. Pure.

As `duplicates` looks through a book for pairs, but for cards that come from elsewhere, one after
another; a slip of the pen alone brings nobody together here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple

from .duplicates import MAX_BLOCK
from .likeness import Traits, reasons, score, traits
from .row import Row

LEAST = 0.5
_MOST = 3  # told of one card


class Likeness(NamedTuple):
    """A contact that a card is like, how much, and the codes of the reasons."""

    contact_id: int
    score: float
    reasons: list[str]


class Everybody:
    """The contacts of a book by what tells them apart: addresses, numbers and names."""

    def __init__(self, rows: Mapping[int, Row]) -> None:
        self._rows = rows
        self._by_key: defaultdict[Hashable, list[int]] = defaultdict(list)
        for row in rows.values():
            for key in _keys(traits(row.id, row.card())):
                self._by_key[key].append(row.id)

    def like(self, card: dict[str, Any]) -> list[Likeness]:
        """The contacts that a card is the most like, if there are any."""
        one = traits(0, card)
        ids: set[int] = set()
        for key in _keys(one):
            block = self._by_key.get(key, [])
            if len(block) <= MAX_BLOCK:  # what very many share says little of any of them
                ids.update(block)
        others = [traits(id_, self._rows[id_].card()) for id_ in ids]
        found = [(score(one, other), other) for other in others]
        alike = sorted(((s, o) for s, o in found if s >= LEAST), key=lambda f: (-f[0], f[1].id))
        return [
            Likeness(other.id, likeness, [reason.code for reason in reasons(one, other)])
            for likeness, other in alike[:_MOST]
        ]


def _keys(one: Traits) -> Iterator[Hashable]:
    yield from (("email", email) for email in one.emails)
    yield from (("phone", phone) for phone in one.phones)
    yield from one.names
