"""The shapes of duplicates and merges."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from ..incoming import Problem
from ..shapes import Id, PageShape
from .duplicates import MAX_GROUP
from .entry_schemas import refuse_repeated
from .schemas import Contact, ListedContact

MAX_SOURCES = MAX_GROUP - 1


class Ids(fields.List):
    """Ids of contacts, each once."""

    def __init__(self, minimum: int, maximum: int, **kwargs: Any) -> None:
        length = validate.Length(min=minimum, max=maximum)
        super().__init__(Id(), required=True, validate=length, **kwargs)
        self._maximum = maximum

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, list):
            raise ValidationError(Problem("wrong_type", "Not an array."))
        if len(value) > self._maximum:
            raise ValidationError(Problem("too_many", f"At most {self._maximum}."))
        found = super()._deserialize(value, attr, data, **kwargs)
        refuse_repeated(found, lambda contact_id: contact_id)
        return found


class Versions(fields.Dict):
    """Versions by the ids of contacts, which JSON writes as texts."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        found: dict[str, int] = super()._deserialize(value, attr, data, **kwargs)
        wrong = [key for key in found if not (key.isascii() and key.isdigit() and len(key) < 17)]
        if wrong:
            raise ValidationError({key: [Problem("unknown_field", "No id.")] for key in wrong})
        return {int(key): version for key, version in found.items()}


class MergeInput(Schema):
    """What becomes a part of the contact."""

    source_ids = Ids(1, MAX_SOURCES, metadata={"description": "In this order they fill it."})
    choose = fields.Dict(
        keys=fields.String(),
        values=Id(),
        load_default=dict,
        metadata={
            "description": "By the name of a field whose contact's value it gets, even an empty one"
            ": `last_name`, `email` for the primary one, `starred`, `photo`, "
            "`custom_fields.<key>` and so on."
        },
    )
    versions = Versions(
        keys=fields.String(),
        values=Id(),
        load_default=dict,
        metadata={"description": "By a contact's id the version it must be at, as If-Match."},
    )


class MergeAnswer(Schema):
    """The contact as it is now, and the operation to undo; null of a dry run."""

    contact = fields.Nested(Contact, required=True)
    operation_id = fields.Integer(required=True, allow_none=True)


class Dismissal(Schema):
    """Contacts of which no two are the same."""

    contact_ids = Ids(2, MAX_GROUP)


class Reason(Schema):
    """One thing that speaks for it, or with `different_…` against it. `values`: what it is about,
    as the contacts have it."""

    code = fields.String(
        required=True,
        metadata={
            "enum": [
                *("same_email", "same_phone", "same_birthday", "same_name", "similar_name"),
                *("same_company", "different_name", "different_birthday"),
            ]
        },
    )
    values = fields.List(fields.String(), required=True)


class Duplicate(Schema):
    """Contacts that may be one person, every two of which look alike. `score`: from 0 to 1, that of
    the weakest link which holds them together. `key` names the group as long as it has these
    members."""

    key = fields.String(required=True)
    score = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    reasons = fields.List(fields.Nested(Reason), required=True)
    contacts = fields.List(fields.Nested(ListedContact(partial=True)), required=True)


class DuplicatesPage(PageShape):
    """One page of the groups, the surest first."""

    items = fields.List(fields.Nested(Duplicate), required=True)
