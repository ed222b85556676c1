"""Words in the texts of notes. Pure: a view of them in, ids out."""

from __future__ import annotations

from collections.abc import Iterable

from ..books.view import BookView
from ..contacts.search import Term
from .row import NoteRow


def notes_with(view: BookView[NoteRow], terms: Iterable[Term]) -> list[int]:
    """The ids of the notes that have every term."""
    found = list(_texts(view).items())
    for term in terms:
        found = [(i, text) for i, text in found if _has(text, term)]
    return [i for i, _ in found]


def contacts_noted(view: BookView[NoteRow], terms: Iterable[Term]) -> tuple[frozenset[int], ...]:
    """For each term, the contacts that one of their notes mentions it of."""
    texts, rows = _texts(view), view.rows
    return tuple(
        frozenset(rows[i].contact_id for i, text in texts.items() if _has(text, term))
        for term in terms
    )


def _texts(view: BookView[NoteRow]) -> dict[int, str]:
    return view.column("haystack", NoteRow.haystack)


def _has(text: str, term: Term) -> bool:
    return any(needle in text for needle in term.needles)
