"""What a 412 tells whoever wrote on a version that is no longer the present one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from ..clock import rfc3339
from ..errors import AppError, PreconditionFailed
from .log import ChangeLog, Entity, changed_fields

# What the refused write would have made of the present fields, and which of them it sent; None for
# all, as PUT does. Asked only where it is refused.
Mine = Callable[[], tuple[dict[str, Any], Collection[str] | None]]


class Present(NamedTuple):
    """An object as it is: its fields as the change log tells them, who made this version and when
    (milliseconds)."""

    id: int
    version: int
    by: int
    at: int
    fields: dict[str, Any]


def stale(
    log: ChangeLog,
    entity: Entity,
    present: Present,
    versions: Collection[int],
    mine: Mine | None = None,
    hidden: Collection[str] = (),
) -> PreconditionFailed:
    """The refusal of a write on one of these versions. It compares with the newest of them, where
    the change log still has it; else what was sent with what there is. Nothing is said of `hidden`
    fields."""
    known = max((version for version in versions if version < present.version), default=None)
    base = None if known is None else log.kept_state(entity, present.id, known)
    return PreconditionFailed(
        detail=f"It is at version {present.version} now; read it and try again.",
        current_version=present.version,
        changed_fields=[
            field for field in _compared(base, present.fields, mine) if field["field"] not in hidden
        ],
        changed_by=present.by,
        changed_at=rfc3339(present.at),
    )


def _compared(
    base: dict[str, Any] | None, theirs: dict[str, Any], mine: Mine | None
) -> list[dict[str, Any]]:
    after, sent = _attempted(theirs, mine)
    differs = changed_fields(after, theirs)
    told = []
    for name in differs if base is None else changed_fields(base, theirs):
        values = {"theirs": theirs.get(name)}
        if sent is None or name in sent or name in differs:
            values["yours"] = after.get(name)
        if base is not None:
            values["base"] = base.get(name)
        told.append({"field": name, **values})
    return told


def _attempted(
    theirs: dict[str, Any], mine: Mine | None
) -> tuple[dict[str, Any], Collection[str] | None]:
    try:
        return mine() if mine is not None else (theirs, ())
    except AppError:  # what else is wrong with it is told when it meets the right version
        return theirs, ()
