"""What notes mention and their contact does not have, and taking it over.

A suggestion is worked out when it is asked for, from what the contact and its notes say now: so it
is gone once the contact has the value, whichever way it came there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from ..actor import Actor, Book
from ..contacts import service as contacts
from ..contacts.digits import number_of
from ..contacts.entries import MAX_ENTRIES, SCALARS, entries_of
from ..database import Sql, lane
from ..errors import Forbidden, InvalidFields, PreconditionFailed
from ..keyring import keyring
from .stored import place

_KINDS = {"emails": "email", "phones": "phone", "urls": "url"}
_LONGEST = {"email": 254, "phone": 50, "url": 2000}  # that a contact's may be
_FOUND = Sql(
    "SELECT id, uid, found FROM note WHERE book_id = ? AND contact_id = ? AND found IS NOT NULL "
    "AND deleted_at IS NULL ORDER BY id"
)
_TRIES = 3


class Suggestion(NamedTuple):
    """A value and the field where it would go: the contact's own where that is empty, else the list
    beside it, so that nothing is overwritten."""

    id: str
    kind: str
    field: str
    value: str
    note_ids: list[int]


def list_suggestions(actor: Actor, contact_id: int) -> list[Suggestion]:
    """What the notes of a contact suggest, by their order. Raises NotFound."""
    _, card = contacts.read_card(actor.book, contact_id)
    return _suggested(actor.book, contact_id, card)


def accept(
    actor: Actor, contact_id: int, ids: list[str], versions: contacts.Versions
) -> contacts.Stored:
    """Take suggestions over into the contact, in one change of it. Raises NotFound, InvalidFields
    for what is not suggested, PreconditionFailed, Forbidden where the book may only be read."""
    if not actor.book.writable:
        raise Forbidden("read_only_book")
    for _ in range(_TRIES):
        version, card = contacts.read_card(actor.book, contact_id)
        patch = _patch(_suggested(actor.book, contact_id, card), card, ids)
        # Only as long as the contact is what the free fields were chosen by.
        expected = (version,) if versions is None or version in versions else versions
        try:
            return contacts.patch_contact(actor, actor.book, contact_id, patch, expected)
        except PreconditionFailed:
            if versions is not None:
                raise
    raise PreconditionFailed(detail="The contact keeps changing; try again.")


def _suggested(book: Book, contact_id: int, card: dict[str, Any]) -> list[Suggestion]:
    found: dict[str, Suggestion] = {}
    known = {_same(kind, value) for kind, value in _values(card)}
    for note_id, kind, value in _mentioned(book, contact_id):
        same = _same(kind, value)
        field = _field(card, kind)
        if same in known or field is None or len(value) > _LONGEST[kind]:
            continue
        key = hashlib.blake2b(repr(same).encode(), digest_size=8).hexdigest()
        if key in found:
            found[key].note_ids.append(note_id)
        else:
            found[key] = Suggestion(f"{kind}-{key}", kind, field, value, [note_id])
    return list(found.values())


def _mentioned(book: Book, contact_id: int) -> Iterator[tuple[int, str, str]]:
    """(note id, kind, value) of all that the notes of a contact mention."""
    cipher = keyring().cipher(book.key_id)
    for note_id, uid, sealed in lane().all(_FOUND, (book.id, contact_id)):
        found = orjson.loads(cipher.open(sealed, *place(book.id, uid, "found")))
        for name, kind in _KINDS.items():
            for value in found[name]:
                yield note_id, kind, value


def _values(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the contact has, by kind; a custom field may hold any."""
    for name, kind in _KINDS.items():
        for entry in entries_of(card, name):
            yield kind, entry["value"]
    for value in card.get("custom_fields", {}).values():
        if isinstance(value, str):
            for kind in _KINDS.values():
                yield kind, value


def _same(kind: str, value: str) -> tuple[str, str]:
    """Equal for two ways of writing one thing."""
    if kind == "phone":
        return kind, number_of(value).national
    return kind, value.casefold().rstrip("/") if kind == "url" else value.casefold()


def _field(card: dict[str, Any], kind: str) -> str | None:
    """Where a value of this kind goes; None where the list is full."""
    [name] = [name for name, one in _KINDS.items() if one == kind]
    count = len(entries_of(card, name))
    if count >= MAX_ENTRIES:
        return None
    return SCALARS[name] if name in SCALARS and not count else name


def _patch(offered: list[Suggestion], card: dict[str, Any], ids: list[str]) -> dict[str, Any]:
    """The change that takes these over. Raises InvalidFields."""
    by_id = {suggestion.id: suggestion for suggestion in offered}
    patch: dict[str, Any] = {}
    for place_, id_ in enumerate(ids):
        if id_ not in by_id:
            problem = "This is not suggested, or the contact has it by now."
            raise InvalidFields.one(f"/ids/{place_}", "not_found", problem)
        if id_ in ids[:place_]:
            continue
        [name] = [name for name, kind in _KINDS.items() if kind == by_id[id_].kind]
        entries = patch.setdefault(name, [*entries_of(card, name)])
        if len(entries) >= MAX_ENTRIES:
            problem = f"A contact has at most {MAX_ENTRIES} {name}."
            raise InvalidFields.one(f"/ids/{place_}", "too_many", problem)
        entries.append({"value": by_id[id_].value})
    return patch
