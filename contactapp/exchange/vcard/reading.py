"""vCards in: a file's bytes become records, one card at a time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..record import Problem, Record
from ..words import apple_label
from .draft import Draft
from .fields import TAKING
from .lines import Card, cards
from .properties import Malformed, Property, unescape
from .writing import PRODUCT

_DROPPED = {"VERSION", "PRODID", "REV"}  # who wrote the card, and when
_KINDS = {"KIND", "X-ADDRESSBOOKSERVER-KIND"}


def read(chunks: Iterable[bytes]) -> Iterator[Record | Problem]:
    """The contacts of a file of vCards 2.1, 3.0 or 4.0, in its order.

    A card with a line that cannot be read is a problem that names the line, and the next card is
    read. Memory is bounded by one card; nothing is ever fetched.
    """
    for card in cards(chunks):
        yield card if isinstance(card, Problem) else _record(card)


def _record(card: Card) -> Record | Problem:
    number = card.line
    try:
        properties = []
        labels: dict[str, str] = {}
        for number, line in card.lines:
            one = Property(line)
            properties.append((number, one))
            if one.name == "X-ABLABEL" and one.group:
                labels.setdefault(one.group, apple_label(unescape(one.text())))
        draft = Draft(Record(card.line, card.end), labels)
        for number, one in properties:
            _take(draft, number, one)
    except Malformed as error:
        return Problem(card.line, card.end, error.code, error.detail, number)
    if not any(one.name == "PRODID" and one.value == PRODUCT for _, one in properties):
        _read_groups_of_google(draft)
    return draft.finish()


def _take(draft: Draft, line: int, one: Property) -> None:
    name = one.name
    if name in _DROPPED:
        return
    if name in _KINDS and one.value.strip().lower() == "group":
        raise Malformed("group_card", "A group of contacts, and no contact.")
    taking = TAKING.get(name)
    if taking is None or not taking(draft, one):
        draft.keep(line, one)


def _read_groups_of_google(draft: Draft) -> None:
    """Google writes its star and `My Contacts` as if they were labels."""
    if "starred" in draft.labels and "myContacts" in draft.labels:
        draft.fields["starred"] = True
        draft.labels.remove("starred")
    draft.labels = [label for label in draft.labels if label != "myContacts"]
