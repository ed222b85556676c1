"""What becomes of contacts when a custom field gets another key or type, or goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..actor import Book
from ..books.service import views
from ..contacts.service import with_custom_field
from ..errors import MAX_ERRORS, Conflict
from .definition import Definition
from .values import Unfit, converted

Card = dict[str, Any]


class Conversion:
    """Gives the values of one definition the key and type of another. Contacts that this cannot be
    done with stay as they are, and are counted."""

    def __init__(self, before: Definition, after: Definition) -> None:
        self._before = before
        self._after = after
        self._same_type = before.type == after.type
        self._taken: list[int] = []
        self._unfit: list[int] = []

    def concerned(self, book: Book) -> list[int]:
        """The contacts that have a value."""
        return with_custom_field(book, self._before.key)

    def of_contact(self, contact_id: int, card: Card) -> Card:
        """The card with the value under its new key, converted; in the same place among others."""
        custom, key = card["custom_fields"], self._after.key
        if key != self._before.key and key in custom:
            self._taken.append(contact_id)
            return card
        try:
            value = custom[self._before.key]
            value = value if self._same_type else converted(value, self._after)
        except Unfit:
            self._unfit.append(contact_id)
            return card
        pairs = (
            (key, value) if name == self._before.key else (name, v) for name, v in custom.items()
        )
        return _with(card, {name: v for name, v in pairs if v is not None})

    def refuse(self) -> None:
        """Raise Conflict where there were any that it could not be done with."""
        if self._taken:
            raise Conflict("key_in_use", **_told(self._taken))
        if self._unfit:
            raise Conflict("not_convertible", **_told(self._unfit))

    def try_all(self, book: Book) -> None:
        """Raise Conflict where there are any in memory; nothing is kept."""
        rows = views().current(book).rows
        trial = Conversion(self._before, self._after)
        for contact_id in self.concerned(book):
            if contact_id in rows:
                trial.of_contact(contact_id, rows[contact_id].card())
        trial.refuse()


def converting(before: Definition, after: Definition) -> Conversion | None:
    """What one definition's values need to be those of another; None where that is nothing."""
    if (before.key, before.type) == (after.key, after.type):
        return None
    return Conversion(before, after)


def _told(contacts: list[int]) -> dict[str, Any]:
    return {"contacts": contacts[:MAX_ERRORS], "contacts_count": len(contacts)}


def without(key: str) -> Callable[[int, Card], Card]:
    """Takes the values of a key away."""

    def edit(_: int, card: Card) -> Card:
        custom = card.get("custom_fields", {})
        return _with(card, {name: value for name, value in custom.items() if name != key})

    return edit


def _with(card: Card, custom: dict[str, Any]) -> Card:
    """The card with these custom fields; without any it has no member for them."""
    changed = {**card, "custom_fields": custom}
    if not custom:
        del changed["custom_fields"]
    return changed
