"""A contact as a file has it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contacts.service import PARTS, SCALARS, entries_of
from ..exchange.service import Photo, Record, source_uid, without_uid

_ELSEWHERE = {"photo", "vcard", "e164", *SCALARS.values()}


def source_of(card: Mapping[str, Any]) -> str | None:
    """The UID that a contact's file had, where it could not be its own here."""
    return source_uid(card.get("vcard", []))


def uids_of(own: Mapping[int, str], sources: Mapping[int, str]) -> dict[int, str]:
    """The UID of each contact in a file: that of the file it came from, no two alike."""
    taken, uids = set(own.values()), dict(own)
    for contact_id in sorted(sources):
        if sources[contact_id] not in taken:
            taken.add(sources[contact_id])
            uids[contact_id] = sources[contact_id]
    return uids


def record_of(card: Mapping[str, Any], uid: str, notes: list[str], photo: Photo | None) -> Record:
    """All of a contact, as any format takes it."""
    fields = {name: value for name, value in card.items() if name not in _ELSEWHERE}
    for name in PARTS:
        if entries := entries_of(card, name):
            fields[name] = [_bare(entry) for entry in entries]
    kept = without_uid(card.get("vcard", []))
    return Record(fields=fields, notes=notes, photo=photo, uid=uid, kept=kept)


def _bare(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {part: value for part, value in entry.items() if part != "e164"}
