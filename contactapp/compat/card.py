"""A contact in the one shape that all earlier systems' clients know, out and in. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..contacts.card import display_name, split_name
from ..contacts.search import text_of
from ..errors import FieldError, InvalidFields

INFO = "additional_info"  # a custom field to us, and a field of its own to them
_PHONE = ("phone", "phone_number")
_NAME = ("first_name", "last_name")
_OTHER_NAMES = ("middle_name", "prefix", "suffix")  # which are in `name` and have no member here


def shown(contact_id: int, card: dict[str, Any]) -> dict[str, Any]:
    """What a contact is to any of them; absent values are null."""
    phone = card.get("phone")
    return {
        "id": contact_id,
        "name": display_name(card),
        "first_name": card.get("first_name"),
        "last_name": card.get("last_name"),
        "phone": phone,
        "phone_number": phone,
        "email": card.get("email"),
        "birthday": card.get("birthday"),
        INFO: _info(card),
        "custom_fields": {k: v for k, v in _custom(card).items() if k != INFO},
        "company": card.get("company"),
        "title": card.get("title"),
    }


def patch_of(card: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that a client means that sends a contact, with something edited in it; the
    card of a new one is empty.

    Some know a value by one of its two names and send the other as they got it, so the one counts
    that is not what the contact has. Raises InvalidFields where neither is, and they differ.
    """
    patch = {k: v for k, v in sent.items() if k not in {"phone_number", INFO, "name"}}
    phones = {name: sent[name] for name in _PHONE if name in sent}
    patch.update(_edited("phone", card.get("phone"), phones))
    custom = _edited_custom(card, sent)
    if custom:
        patch["custom_fields"] = custom
    return {**patch, **_edited_name(card, patch, sent)}


def _custom(card: dict[str, Any]) -> dict[str, Any]:
    return card.get("custom_fields") or {}


def _info(card: dict[str, Any]) -> str | None:
    info = _custom(card).get(INFO)
    return None if info is None else text_of(info)


def _edited(field: str, before: Any, sent: dict[str, Any]) -> dict[str, Any]:
    """What becomes of a field that was sent under these names."""
    edited = {name: value for name, value in sent.items() if value != before}
    values = list(edited.values())
    if any(value != values[0] for value in values):
        raise _clash(edited)
    return {field: values[0]} if values else {}


def _clash(names: Iterable[str]) -> InvalidFields:
    problem = f"{' and '.join(names)} differ."
    return InvalidFields(errors=[FieldError(f"/{n}", "alias_conflict", problem) for n in names])


def _edited_custom(card: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """Custom fields are sent whole: what is not among them is gone, but for the one that has a name
    of its own."""
    custom: dict[str, Any] = {}
    infos = {INFO: sent[INFO]} if INFO in sent else {}
    if "custom_fields" in sent:
        given = sent["custom_fields"] or {}
        custom = {**dict.fromkeys(_custom(card).keys() - {INFO}), **given}
        if INFO in given:
            infos["custom_fields"] = custom.pop(INFO)
    return {**custom, **_edited(INFO, _info(card), infos)}


def _edited_name(
    card: dict[str, Any], patch: dict[str, Any], sent: dict[str, Any]
) -> dict[str, Any]:
    """First and last name, where `name` is what was edited: not where they were too, and not where
    it is what the contact is called without it."""
    parts = [part for part in _NAME if part in sent]
    if "name" not in sent or any(sent[part] not in {None, card.get(part)} for part in parts):
        return {}
    name = sent["name"]
    if name is None:
        return {} if parts else dict.fromkeys(_NAME)
    if name in {display_name(card), display_name({**card, **patch})}:
        return {}
    return {**dict.fromkeys(_OTHER_NAMES), **_split(name)}


def _split(name: str) -> dict[str, Any]:
    """First and last name; what a space cannot join to the same name again stays in one piece."""
    parts = dict(zip(_NAME, split_name(name), strict=True))
    return parts if display_name(parts) == name else {"first_name": name, "last_name": None}
