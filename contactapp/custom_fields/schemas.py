"""The shapes of custom fields' definitions, in and out."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load, validate

from ..contacts.folding import fold
from ..contacts.lines import Line
from ..errors import InvalidFields
from ..incoming import Problem
from ..operations.schemas import AcrossContacts
from ..shapes import BookQuery, PageShape, Paging
from .definition import (
    MAX_CHOICE,
    MAX_CHOICES,
    MAX_KEY,
    MAX_POSITION,
    TYPES,
    checked_key,
)

_READ_ONLY = (
    *("id", "uid", "book_id", "used", "version", "created_at", "updated_at"),
    *("created_by", "updated_by", "operation_id", "contacts"),
)
_MAX_LABEL = 100
_TYPE = (
    "What its values are. `text`: any text. `number`: finite. `date`: `YYYY-MM-DD`, `--MM-DD`, "
    "`YYYY` or `YYYY-MM`. `boolean`. `choice`: one of `choices`. `url`: a web address, or a link "
    "such as `mailto:`. `email`."
)


class Key(fields.String):
    """A custom field's key, in NFC."""

    def __init__(self, **kwargs: Any) -> None:
        about = {"description": "By which contacts have it in `custom_fields`."}
        length = validate.Length(min=1, max=MAX_KEY)
        super().__init__(validate=length, metadata=about, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError(Problem("wrong_type", "Not a string."))
        try:
            return checked_key(value)
        except InvalidFields as error:
            [problem] = error.errors
            raise ValidationError(Problem(problem.code, problem.detail)) from None


class Position(fields.Integer):
    def __init__(self) -> None:
        about = {"description": "Where it is in lists; those without one come last."}
        limits = validate.Range(min=0, max=MAX_POSITION)
        super().__init__(strict=True, allow_none=True, validate=limits, metadata=about)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool):
            raise ValidationError(Problem("wrong_type", "Not an integer."))
        return super()._deserialize(value, attr, data, **kwargs)


class Choices(fields.List):
    """Different lines of text, in the order in which they are sorted."""

    def __init__(self) -> None:
        about = {"description": "Of the type choice, in their order; case does not count."}
        super().__init__(
            Line(MAX_CHOICE),
            allow_none=True,
            validate=validate.Length(max=MAX_CHOICES),
            metadata=about,
        )

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list) and len(value) > MAX_CHOICES:
            raise ValidationError(Problem("too_many", f"At most {MAX_CHOICES} choices."))
        choices = super()._deserialize(value, attr, data, **kwargs)
        seen = set()
        for place, choice in enumerate(choices):
            if choice is None:
                raise ValidationError({place: [Problem("required", "Empty.")]})
            if fold(choice) in seen:
                raise ValidationError({place: [Problem("repeated", "It is there already.")]})
            seen.add(fold(choice))
        return choices


class _Body(Schema):
    """What is shown of a definition can be sent back."""

    @pre_load
    def _ignore_read_only(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {key: value for key, value in data.items() if key not in _READ_ONLY}

    label = Line(_MAX_LABEL, metadata={"description": "What to show instead of the key."})
    choices = Choices()
    position = Position()


class CustomFieldInput(_Body):
    """A custom field with a type. Contacts may have other custom fields too; what they have of this
    one already stays as it is until somebody changes it."""

    key = Key(required=True)
    type = fields.String(
        required=True, validate=validate.OneOf(TYPES), metadata={"description": _TYPE}
    )


class CustomFieldPatch(_Body):
    """A JSON merge patch (RFC 7396): null clears, absent leaves.

    Another `key` or `type` is given to what contacts have of it too, in one operation that can be
    undone. Values that a type does not take are in the way, as are those that contacts have under
    the new key: then nothing is changed. A choice that is taken away stays where contacts have it;
    contacts in the trash keep what they have."""

    key = Key()
    type = fields.String(validate=validate.OneOf(TYPES), metadata={"description": _TYPE})


class FieldsQuery(BookQuery, Paging):
    """Which part of the list."""


class CustomField(Schema):
    """A custom field's definition. `used`: how many contacts have a value."""

    id = fields.Integer(required=True)
    uid = fields.UUID(required=True)
    book_id = fields.Integer(required=True)
    key = fields.String(required=True)
    label = fields.String(required=True, allow_none=True)
    type = fields.String(required=True, validate=validate.OneOf(TYPES))
    choices = fields.List(fields.String(), required=True)
    position = fields.Integer(required=True, allow_none=True)
    used = fields.Integer(required=True)
    version = fields.Integer(required=True, metadata={"description": "Not one by one."})
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)
    created_by = fields.Integer(required=True)
    updated_by = fields.Integer(required=True)


class CustomFieldChanged(AcrossContacts, CustomField):
    """The definition after a change, and what that did to contacts. `operation_id` is null where
    the change was of none that concerns them."""


class DeleteQuery(BookQuery):
    """What becomes of the values that contacts have."""

    values = fields.String(
        load_default="keep",
        validate=validate.OneOf(("keep", "delete")),
        metadata={"description": "`keep` leaves them as custom fields without a type."},
    )


class CustomFieldPage(PageShape):
    """One page of the definitions, by position, those without one last."""

    items = fields.List(fields.Nested(CustomField), required=True)
