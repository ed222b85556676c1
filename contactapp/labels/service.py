"""Labels: what the contacts of a book are marked with. There are as many as contacts have, so one
that nobody has is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from .. import paging
from ..actor import Actor, Book
from ..changes.service import ChangeLog
from ..contacts.folding import fold
from ..contacts.service import change_all, count_labels, with_label
from ..database import write_transaction
from ..errors import NotFound
from ..operations import service as operations_service

Edit = Callable[[int, dict[str, Any]], dict[str, Any]]
Done = tuple[int | None, int]  # the operation, and how many contacts it changed


def list_labels(actor: Actor, query: dict[str, Any]) -> tuple[bytes, paging.Page]:
    """One page of the book's labels, and the head of the view that made it. Raises BadRequest for a
    cursor that is not of this list."""
    head, counted = count_labels(actor.book)
    items = [{"name": _usual(found), "count": found.total()} for found in counted.values()]
    pager = paging.Pager(actor, "labels", query)
    return head, pager.cut_by(_place, sorted(items, key=_place))


def _place(item: dict[str, Any]) -> list[str]:
    return [fold(item["name"]), item["name"]]


def _usual(written: Counter[str]) -> str:
    """How most contacts write a label."""
    return min(written, key=lambda name: (-written[name], name))


def rename_label(actor: Actor, book: Book, name: str, new: str) -> Done:
    """Give a label another name on all contacts; where there is a label of that name, its way to
    write it. Raises NotFound."""
    count_labels(book)  # reads the book before the write holds it
    return _rename(actor, book, name, new)


@write_transaction
def _rename(actor: Actor, book: Book, name: str, new: str) -> Done:
    log = ChangeLog(actor, book)
    folded, wanted = fold(name), fold(new)
    _, counted = count_labels(log.book)
    if wanted != folded and wanted in counted:
        new = _usual(counted[wanted])

    def edit(_: int, card: dict[str, Any]) -> dict[str, Any]:
        renamed = [new if fold(label) == folded else label for label in card["labels"]]
        labels: dict[str, str] = {}
        for label in renamed:  # who had both keeps the place of the first
            labels.setdefault(fold(label), label)
        return {**card, "labels": list(labels.values())}

    return _done(log, actor, book, folded, edit)


def delete_label(actor: Actor, book: Book, name: str) -> Done:
    """Take a label off all contacts. Raises NotFound."""
    count_labels(book)
    return _delete(actor, book, name)


@write_transaction
def _delete(actor: Actor, book: Book, name: str) -> Done:
    folded = fold(name)

    def edit(_: int, card: dict[str, Any]) -> dict[str, Any]:
        labels = [label for label in card["labels"] if fold(label) != folded]
        changed = {**card, "labels": labels}
        if not labels:
            del changed["labels"]
        return changed

    return _done(ChangeLog(actor, book), actor, book, folded, edit)


def _done(log: ChangeLog, actor: Actor, book: Book, folded: str, edit: Edit) -> Done:
    ids = with_label(log.book, folded)
    if not ids:
        raise NotFound()
    operation_id = operations_service.begin(log, actor, book, "label")
    contacts = change_all(log, actor, book, ids, edit)
    return operation_id if operations_service.end(log) else None, contacts
