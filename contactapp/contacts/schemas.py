"""The shapes of contact bodies, in and out."""

from __future__ import annotations

import unicodedata
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, pre_load, validate

from ..incoming import Problem
from ..shapes import Flag, PageShape
from ..strict_json import has_control
from .card import LINES, MAX_CUSTOM_FIELDS, MAX_NAME, READ_ONLY
from .entry_schemas import (
    EmailEntry,
    EmailEntryInput,
    Entries,
    Labels,
    PhoneEntry,
    PhoneEntryInput,
    PostalAddress,
    PostalAddressInput,
    UrlEntry,
    UrlEntryInput,
    resolve_lists,
)
from .lines import EmailLine, Line, PartialDate, PhoneLine

_MAX_CUSTOM_KEY = 64
_MAX_CUSTOM_TEXT = 5000
_ALIASES = {"phone_number": "phone"}


class CustomFields(fields.Dict):
    """Free keys with text, numbers or booleans; null removes a key."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(Problem("wrong_type", "Not an object."))
        if len(value) > MAX_CUSTOM_FIELDS:
            raise ValidationError(
                Problem("too_many", f"At most {MAX_CUSTOM_FIELDS} custom fields.")
            )
        wrong = {key: [problem] for key, v in value.items() if (problem := _custom_problem(key, v))}
        if wrong:
            raise ValidationError(wrong)
        normal = {unicodedata.normalize("NFC", key): v for key, v in value.items()}
        if len(normal) < len(value):
            raise ValidationError(Problem("invalid_key", "Two keys are the same text."))
        return normal


def _custom_problem(key: str, value: Any) -> Problem | None:
    if not 1 <= len(key) <= _MAX_CUSTOM_KEY:
        return Problem("invalid_key", f"A key has 1 to {_MAX_CUSTOM_KEY} characters.")
    if has_control(key):
        return Problem("invalid_key", "The key contains control characters.")
    if isinstance(value, str) and len(value) > _MAX_CUSTOM_TEXT:
        return Problem("too_long", f"At most {_MAX_CUSTOM_TEXT} characters.")
    if not isinstance(value, str | int | float | bool | None):
        return Problem("wrong_type", "Text, a number, a boolean or null.")
    return None


class _ContactFields(Schema):
    first_name = Line(LINES["first_name"])
    last_name = Line(LINES["last_name"])
    middle_name = Line(LINES["middle_name"])
    prefix = Line(LINES["prefix"])
    suffix = Line(LINES["suffix"])
    nickname = Line(LINES["nickname"])
    email = EmailLine(LINES["email"])
    phone = PhoneLine(LINES["phone"])
    company = Line(LINES["company"])
    department = Line(LINES["department"])
    title = Line(LINES["title"])
    birthday = PartialDate(LINES["birthday"])
    anniversary = PartialDate(LINES["anniversary"])
    emails = Entries(EmailEntryInput)
    phones = Entries(PhoneEntryInput)
    urls = Entries(UrlEntryInput)
    addresses = Entries(PostalAddressInput)
    labels = Labels()
    starred = Flag(allow_none=True)
    custom_fields = CustomFields(allow_none=True)
    name = Line(MAX_NAME, metadata={"description": "Used only without first_name and last_name."})
    phone_number = PhoneLine(50, metadata={"description": "Alias of phone."})
    additional_info = fields.String(
        allow_none=True,
        validate=validate.Length(max=_MAX_CUSTOM_TEXT),
        metadata={"description": "Kept as the custom field of this name."},
    )

    @pre_load
    def _ignore_read_only(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        # So that what was read can be sent back unchanged.
        return {key: value for key, value in data.items() if key not in READ_ONLY}

    @post_load
    def _resolve_aliases(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        for alias, field in _ALIASES.items():
            if alias in data:
                value = data.pop(alias)
                if data.setdefault(field, value) != value:
                    clash = Problem("alias_conflict", f"{alias} and {field} differ.")
                    raise ValidationError({alias: [clash], field: [clash]})
        resolve_lists(data)
        if "additional_info" in data:
            info = data.pop("additional_info")
            custom = dict(data.get("custom_fields") or {})
            if custom.setdefault("additional_info", info) != info:
                clash = Problem("alias_conflict", "additional_info and custom_fields differ.")
                raise ValidationError({"additional_info": [clash], "custom_fields": [clash]})
            data["custom_fields"] = custom
        return data


class ContactInput(_ContactFields):
    """A whole contact: what is absent is empty. At least one of first_name, last_name, nickname,
    company, email and phone. `email` without `emails` is the only one, as `phone` is."""


class ContactPatch(_ContactFields):
    """A JSON merge patch (RFC 7396): null clears, absent leaves. Lists are replaced whole. `email`
    without `emails` edits the primary one, and null removes it, as with `phone`; a value that
    another entry has makes that the primary one."""


class Contact(Schema):
    """A contact as the API shows it; absent values are null. `email` and `phone` are the values of
    the primary ones of `emails` and `phones`."""

    id = fields.Integer(required=True)
    uid = fields.UUID(required=True)
    book_id = fields.Integer(required=True)
    name = fields.String(required=True, metadata={"description": "The name to show, computed."})
    first_name = fields.String(required=True, allow_none=True)
    last_name = fields.String(required=True, allow_none=True)
    middle_name = fields.String(required=True, allow_none=True)
    prefix = fields.String(required=True, allow_none=True)
    suffix = fields.String(required=True, allow_none=True)
    nickname = fields.String(required=True, allow_none=True)
    email = fields.String(required=True, allow_none=True)
    phone = fields.String(required=True, allow_none=True)
    company = fields.String(required=True, allow_none=True)
    department = fields.String(required=True, allow_none=True)
    title = fields.String(required=True, allow_none=True)
    birthday = fields.String(required=True, allow_none=True)
    anniversary = fields.String(required=True, allow_none=True)
    emails = fields.List(fields.Nested(EmailEntry), required=True)
    phones = fields.List(fields.Nested(PhoneEntry), required=True)
    urls = fields.List(fields.Nested(UrlEntry), required=True)
    addresses = fields.List(fields.Nested(PostalAddress), required=True)
    labels = fields.List(fields.String(), required=True)
    starred = fields.Boolean(required=True)
    custom_fields = fields.Dict(keys=fields.String(), required=True)
    photo_url = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "For an `<img>`, 256 pixels; null without a photo."},
    )
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)
    created_by = fields.Integer(required=True)
    updated_by = fields.Integer(required=True)


class Photo(Schema):
    """Where a contact's photo is. A new one has new addresses, so each may be cached for ever."""

    photo_url = fields.String(required=True, metadata={"description": "For an `<img>`."})
    photo_urls = fields.Dict(
        required=True,
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "The same by size: 64, 256 and 512 pixels."},
    )


class ListedContact(Contact):
    """A contact in a list; with `fields` only those that were asked for."""


class ContactPage(PageShape):
    items = fields.List(fields.Nested(ListedContact(partial=True)), required=True)


class FoundContact(Contact):
    """A contact that was searched for: `matched_in` names the fields that have the words. `email`
    and `phone` are any of the contact's, `custom_fields.floor` is one custom field, `notes` are its
    notes."""

    matched_in = fields.List(fields.String(), required=True)


class SearchPage(ContactPage):
    """One page of what was found, in the order of names unless `sort` says otherwise."""

    items = fields.List(fields.Nested(FoundContact(partial=True)), required=True)


class ContactWithBirthday(Contact):
    """A contact and when their birthday is next; `turns` is null where the year they were born in
    is not known, or comes later."""

    next_birthday = fields.Date(required=True)
    turns = fields.Integer(required=True, allow_none=True)


class BirthdayPage(PageShape):
    """One page of those who have a birthday soon, the next one first."""

    items = fields.List(fields.Nested(ContactWithBirthday), required=True)


class TrashedContact(Contact):
    """A contact in the trash: when it was deleted, and by whom; `merged_into`: the contact that it
    became a part of, null where it was just deleted."""

    deleted_at = fields.DateTime(required=True)
    deleted_by = fields.Integer(required=True)
    merged_into = fields.Integer(required=True, allow_none=True)


class TrashPage(PageShape):
    """One page of the trash, what was deleted last first."""

    items = fields.List(fields.Nested(TrashedContact), required=True)
