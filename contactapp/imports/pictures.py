"""The photos of rows, redrawn before the transaction that their contacts are made in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from ..actor import Book
from ..books.service import definitions, views
from ..config import settings
from ..errors import InvalidFields
from ..pictures.service import PHOTOS, redrawn
from .checked import Checked
from .matching import Known
from .planned import Planned, planned
from .stored import Import

_ANOTHER = "another"  # than the contact has, in a preview


class Picture(NamedTuple):
    """The token of a row's photo, None where it is none that can be had; `is_new` where it was
    drawn for the row, and the contact did not have it."""

    token: str | None
    is_new: bool = False


Pictures = Mapping[int, Picture]


class Prepared(NamedTuple):
    """Rows, and the pictures of those that seem to need theirs."""

    rows: Sequence[Checked]
    pictures: Pictures


@contextmanager
def prepared(
    book: Book, one: Import, rows: Sequence[Checked], seen: Set[str], *, kept: bool = True
) -> Iterator[Prepared]:
    """Have the photos of rows drawn that will be made or changed as the book is now; the files are
    removed again where what is done with them fails, and are not `kept` of a preview. Raises
    Busy."""
    if not any(row.photo and row.fields is not None for row in rows):
        yield Prepared(rows, {})
        return
    view = views().current(book)
    known = Known(view, one.newest, set(seen))
    decisions = {decision["row"]: decision for decision in one.about.get("decisions", ())}
    found: dict[int, Picture] = {}
    problems: dict[int, dict[str, Any]] = {}
    with ExitStack() as drawn:
        for plan in planned(rows, known, one, decisions, definitions(book)):
            if plan.row.photo is None or plan.plan.action not in {"create", "update"}:
                continue
            had = view.get(plan.plan.contact_id or 0)
            try:
                card = had.card() if had is not None else {}
                found[plan.row.row] = _picture(drawn if kept else None, plan, card)
            except InvalidFields as error:
                found[plan.row.row] = Picture(None)
                about = {"line": plan.row.line, **error.errors[0]._asdict(), "pointer": "/photo"}
                problems[plan.row.row] = about
        yield Prepared([_with_problem(row, problems.get(row.row)) for row in rows], found)


def _picture(drawn: ExitStack | None, plan: Planned, card: dict[str, Any]) -> Picture:
    data = plan.row.photo.data if plan.row.photo else b""
    had = PHOTOS.largest(card.get("photo"))
    if had == data:
        return Picture(card["photo"])
    if len(data) > settings().avatar_bytes:
        most = f"At most {settings().avatar_bytes} bytes."
        raise InvalidFields.one("/photo", "image_too_large", most)
    made = redrawn(data)
    if had == made[max(made)]:  # the same file again
        return Picture(card["photo"])
    if drawn is None:
        return Picture(_ANOTHER)
    return Picture(drawn.enter_context(PHOTOS.written(made)), is_new=True)


def _with_problem(row: Checked, problem: dict[str, Any] | None) -> Checked:
    return row if problem is None else row._replace(problems=[*row.problems, problem])
