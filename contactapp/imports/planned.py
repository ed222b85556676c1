"""What becomes of rows: planned against the book, told, and counted. No database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..contacts.service import enriched, text_of, whole
from ..custom_fields.values import Defined
from ..errors import AppError, FieldError, InvalidFields
from ..exchange.service import source_uid, united, with_source_uid, without_uid
from .checked import MAX_KEPT, Checked, identity
from .matching import Decisions, Known, Plan
from .stored import COUNTS, Import


class Planned(NamedTuple):
    """A row, what is to be done with it, and its card, if it makes one; without UID, picture and
    kept lines."""

    row: Checked
    plan: Plan
    card: dict[str, Any] | None = None
    problems: Sequence[dict[str, Any]] = ()

    def refused(self, error: AppError) -> Planned:
        """It where something keeps it from being done."""
        told = [{"line": self.row.line, **one._asdict()} for one in error.errors]
        plain = {"line": self.row.line, "pointer": "", "code": error.code, "detail": error.detail}
        code = error.errors[0].code if error.errors else error.code
        problems = [*self.problems, *(told or [plain])]
        return self._replace(plan=Plan("reject", code, self.plan.contact_id), problems=problems)

    def unchanged(self) -> Planned:
        """It where there is nothing to do."""
        return self._replace(plan=Plan("skip", "unchanged", self.plan.contact_id))

    def told(
        self, contact_id: int | None = None, duplicates: Sequence[dict[str, Any]] = ()
    ) -> dict[str, Any]:
        """What is kept of it (schema ImportRow)."""
        row, plan = self.row, self.plan
        return {
            **{"row": row.row, "line": row.line, "end": row.end, "name": row.name},
            **{"action": plan.action, "reason": plan.reason},
            "contact_id": contact_id or plan.contact_id,
            "problems": list(self.problems),
            "duplicates": list(duplicates),
        }


def planned(
    rows: Iterable[Checked], known: Known, one: Import, decisions: Decisions, defined: Defined
) -> list[Planned]:
    """What is to be done with each of these rows, which count as read from now on."""
    return [_planned(row, known, one.on_duplicate, decisions.get(row.row), defined) for row in rows]


def _planned(
    row: Checked,
    known: Known,
    on_duplicate: str,
    decision: Mapping[str, Any] | None,
    defined: Defined,
) -> Planned:
    if row.fields is None:
        return Planned(row, Plan("reject", row.problems[0]["code"]), None, row.problems)
    one = Planned(row, Plan("create"), None, row.problems)
    try:
        card = whole(dict(row.fields), None, defined)
    except AppError as error:
        return one.refused(error)
    return one._replace(plan=known.plan(row, identity(card), on_duplicate, decision), card=card)


def check_decisions(one: Import, decisions: Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidFields where they are not each about a row of its own of what was previewed."""
    problems, seen = [], set[int]()
    for place, decision in enumerate(decisions):
        pointer, row = f"/decisions/{place}/row", decision["row"]
        if row > one.read:
            problems.append(FieldError(pointer, "not_found", f"The file has {one.read} rows."))
        elif row in seen:
            problems.append(FieldError(pointer, "repeated", "It is decided already."))
        seen.add(row)
    if problems:
        raise InvalidFields(errors=problems)


def new_card(one: Planned, uid: str, token: str | None) -> dict[str, Any]:
    """The card of a contact that is made, which has this UID. Another one that its file says is
    kept, for the file that it goes into."""
    row = one.row
    card = dict(one.card or {})
    if lines := with_source_uid(row.kept, row.uid if row.uid != uid else None):
        card["vcard"] = lines
    if token:
        card["photo"] = token
    return card


def changed_card(
    one: Planned, before: dict[str, Any], token: str | None, defined: Defined
) -> dict[str, Any]:
    """The card of a contact that is updated: what the row has goes before, and nothing is cleared.
    Raises InvalidFields."""
    card = whole(enriched(before, one.row.fields or {}, one.card or {}), before, defined)
    if one.row.kept:
        had = before.get("vcard", [])
        kept = united(without_uid(had), one.row.kept, MAX_KEPT)
        card["vcard"] = with_source_uid(kept, source_uid(had))
    if token:
        card["photo"] = token
    return card


def is_same(before: dict[str, Any], card: dict[str, Any]) -> bool:
    """Whether nothing would change."""
    return text_of(before) == text_of(card)


def counted(one: Import, rows: Sequence[Mapping[str, Any]]) -> Import:
    """The import with these rows counted too."""
    found = Counter(row["action"] for row in rows)
    more = {name: getattr(one, name) + found[action] for action, name in COUNTS.items()}
    return one._replace(read=rows[-1]["row"], **more)
