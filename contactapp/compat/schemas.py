"""What the earlier systems' clients send about contacts."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, post_load, pre_load

from ..contacts.filters import filters
from ..contacts.listing import BY_ID, listing_of
from ..contacts.queries import BirthdayQuery
from ..contacts.query_fields import Words
from ..contacts.schemas import ContactPatch
from ..incoming import MAX_ID, Problem
from ..shapes import Paging, PlainInteger
from .card import shown

_WORDS = ("q", "query")
_KNOWN = tuple(name for name in shown(0, {}) if name != "id")
MOST = 1000  # contacts in one answer; none of the clients knows what a cursor is


class Sent(ContactPatch):
    """A contact, whole or in part."""

    class Meta:
        fields = _KNOWN  # what no client is shown, none means to change

    @post_load
    def _resolve_aliases(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Not here: which of two names was edited only shows beside the contact (`card`)."""
        return data


class Part(Paging):
    """Which part of a list; all of it, as far as one answer goes, unless said."""

    limit = PlainInteger(load_default=MOST, minimum=1, maximum=MAX_ID)

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """No more than one answer holds."""
        data = super().complete(data, original)
        data["limit"] = min(data["limit"], MOST)
        return data


class Contacts(Part):
    """All contacts, in the order they were added."""

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Also what the contacts service wants to know of a list."""
        data = super().complete(data, original)
        words = {name: original[name] for name in _WORDS if name in original}
        return {
            **data,
            "sort": BY_ID,
            "where": filters(data),
            "listing": listing_of(BY_ID, words),
        }


class Found(Contacts):
    """The contacts that have the words of `query`, or `q`; all of them where there are none."""

    q = Words()
    query = Words()

    @pre_load
    def _ignore_blank(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {k: v for k, v in data.items() if k not in _WORDS or v.strip()}

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """One name for the words."""
        if "query" in data:
            query = data.pop("query")
            if data.setdefault("q", query) != query:
                clash = Problem("alias_conflict", "q and query differ.")
                raise ValidationError({"q": [clash], "query": [clash]})
        return super().complete(data, original)


class Birthdays(Part, BirthdayQuery):
    """The contacts who have a birthday soon, in one's own book."""

    class Meta:
        exclude = ("book",)
