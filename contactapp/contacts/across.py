"""What a book's live contacts have in common, their labels and the keys of their custom fields, and
one change made to all who have something. Those in the trash stay as they were."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import Any

from ..actor import Actor, Book
from ..books.service import looking_through, views
from ..changes.service import ChangeLog
from ..database import lane
from .folding import fold
from .many import Many
from .row import Row

Edit = Callable[[int, dict[str, Any]], dict[str, Any]]  # a contact's id and card, to its new card
_AT_ONCE = 100  # contacts in memory with all that is written of them


def count_custom_fields(book: Book) -> tuple[bytes, Counter[str]]:
    """How many contacts have which custom fields, and the head of the view."""
    head, keys = _column(book, "custom_keys", _custom_keys)
    return head, Counter(chain.from_iterable(keys.values()))


def with_custom_field(book: Book, key: str) -> list[int]:
    """The ids of the contacts that have a custom field."""
    _, keys = _column(book, "custom_keys", _custom_keys)
    return sorted(id_ for id_, found in keys.items() if key in found)


def count_labels(book: Book) -> tuple[bytes, dict[str, Counter[str]]]:
    """How many contacts have which labels, by the folded label and then as it is written, and the
    head of the view."""
    head, labels = _column(book, "labels", _labels)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for label, count in Counter(chain.from_iterable(labels.values())).items():
        found[fold(label)][label] = count
    return head, found


def with_label(book: Book, folded: str) -> list[int]:
    """The ids of the contacts that have a label, however they write it."""
    _, labels = _column(book, "labels", _labels)
    written = {
        label for label in set(chain.from_iterable(labels.values())) if fold(label) == folded
    }
    return sorted(id_ for id_, found in labels.items() if not written.isdisjoint(found))


def _column(
    book: Book, name: str, of: Callable[[Row], tuple[str, ...] | None]
) -> tuple[bytes, dict[int, tuple[str, ...]]]:
    view = views().current(book)
    # Nobody waits for a place who keeps others waiting: a write has had this made before.
    with nullcontext() if lane().in_transaction else looking_through(len(view)):
        # Filters have a column of labels too, which holds something else.
        return view.head, view.column(("across", name), of)


# Most contacts of a book have the same words: one text for all of them.
def _custom_keys(row: Row) -> tuple[str, ...] | None:
    return tuple(map(sys.intern, row.card().get("custom_fields", ()))) or None


def _labels(row: Row) -> tuple[str, ...] | None:
    return tuple(map(sys.intern, row.card().get("labels", ()))) or None


def change_all(log: ChangeLog, actor: Actor, book: Book, ids: Sequence[int], edit: Edit) -> int:
    """Change these live contacts in the running transaction, some at a time; how many were changed.
    What `edit` raises is raised."""
    changed = 0
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        many = Many(log, actor, book, some)
        for id_ in some:
            held = many.live(id_)
            version = held.meta.version
            many.change(held, edit(id_, held.card))
            changed += held.meta.version != version
        many.write()
    return changed
