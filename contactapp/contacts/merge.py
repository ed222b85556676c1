"""Merging contacts: several become one, in one transaction that can be undone as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..actor import Actor, Book
from ..changes.service import ChangeLog
from ..database import Undone, told_if_undone, write_transaction
from ..errors import FieldError, InvalidFields, NotFound, PreconditionFailed
from ..notes.service import move_notes
from ..operations.service import begin, end
from .card import Meta
from .many import Held, Many
from .merging import merged
from .stored import Stored, Versions, require_version


class Merge(NamedTuple):
    """What a merge answers: the survivor, and what to undo; None of a trial."""

    contact: Stored
    operation_id: int | None


def merge_contacts(
    actor: Actor,
    book: Book,
    contact_id: int,
    wanted: Mapping[str, Any],
    versions: Versions,
    *,
    dry_run: bool,
) -> Merge:
    """Merge the sources into a contact: it gets what it has not (see `merging`), their notes are
    moved to it, and they go into the trash. `wanted` is a parsed `merge_schemas.MergeInput`. Raises
    NotFound, PreconditionFailed and InvalidFields, which name the sources by their places."""
    _check_ids(contact_id, wanted)
    return _merge(actor, book, contact_id, wanted, versions, dry_run=dry_run)


@told_if_undone
@write_transaction
def _merge(
    actor: Actor,
    book: Book,
    contact_id: int,
    wanted: Mapping[str, Any],
    versions: Versions,
    *,
    dry_run: bool,
) -> Merge:
    log, source_ids = ChangeLog(actor, book), wanted["source_ids"]
    many = Many(log, actor, book, [contact_id, *source_ids])
    survivor = many.live(contact_id)
    sources = _sources(many, source_ids)
    require_version(log, survivor.stored, versions)
    _check_versions(log, [survivor, *sources], wanted["versions"])
    cards = {held.meta.id: held.card for held in (survivor, *sources)}
    many.change(survivor, merged(cards, wanted["choose"]))
    for source in sources:
        many.trash(source, contact_id)
    operation_id = begin(log, actor, book, "merge")
    with log.together():
        # First, so that who follows the changes never sees a note without its contact.
        move_notes(log, actor, book, source_ids, contact_id)
        many.write()
    end(log)
    if dry_run:
        raise Undone(Merge(survivor.stored, None))
    return Merge(survivor.stored, operation_id)


def _check_ids(contact_id: int, wanted: Mapping[str, Any]) -> None:
    source_ids = wanted["source_ids"]
    wrong = [
        FieldError(f"/source_ids/{place}", "itself", "A contact is not merged into itself.")
        for place, source_id in enumerate(source_ids)
        if source_id == contact_id
    ] + [
        FieldError(f"/versions/{id_}", "unknown_field", "Neither the contact nor a source.")
        for id_ in wanted["versions"]
        if id_ not in {contact_id, *source_ids}
    ]
    if wrong:
        raise InvalidFields(errors=wrong)


def _sources(many: Many, source_ids: list[int]) -> list[Held]:
    found = [many.get(source_id) for source_id in source_ids]
    live = [held for held in found if held is not None and held.deleted_at is None]
    if len(live) < len(found):
        raise NotFound(
            errors=[
                FieldError(f"/source_ids/{place}", "not_found", "There is no such contact.")
                for place, held in enumerate(found)
                if held is None or held.deleted_at is not None
            ]
        )
    return live


def _check_versions(log: ChangeLog, everybody: list[Held], expected: Mapping[int, int]) -> None:
    """Raise PreconditionFailed where one is at another version: which, and of the first of them
    what others have changed."""
    stale = [
        held.stored
        for held in everybody
        if expected.get(held.meta.id, held.meta.version) != held.meta.version
    ]
    for first in stale:
        try:
            require_version(log, first, (expected[first.meta.id],))
        except PreconditionFailed as error:
            error.errors = [_stale(one.meta) for one in stale]
            raise


def _stale(meta: Meta) -> FieldError:
    problem = f"It is at version {meta.version} now."
    return FieldError(f"/versions/{meta.id}", "version_mismatch", problem)
