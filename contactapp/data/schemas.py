"""The shapes of key-value data, in and out."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load, validate

from ..errors import InvalidFields
from ..incoming import Problem
from ..shapes import Names, PageShape, Paging
from ..strict_json import MAX_INTEGER
from .entry import MAX_KEY, MAX_TTL, MAX_VALUE, SHOWN, checked_key

_ANY = (
    f"Any JSON: up to {MAX_VALUE} bytes, numbers and text as everywhere here, and one level less "
    "than a body nests."
)


class Key(fields.String):
    """A key in NFC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(min=1, max=MAX_KEY), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError(Problem("wrong_type", "Not a string."))
        return _checked(value)


class Whole(fields.Integer):
    """A whole number of JSON between two others."""

    def __init__(self, minimum: int, maximum: int, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(min=minimum, max=maximum), **kwargs)


class Life(Whole):
    """Seconds from now until an entry is gone."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, MAX_TTL, allow_none=True, **kwargs)


class _Body(Schema):
    """What is shown of an entry can be sent back: all but its value is ignored."""

    _ignored = frozenset(SHOWN) - {"value"}

    @pre_load
    def _ignore_read_only(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {key: value for key, value in data.items() if key not in self._ignored}


class DataEntryInput(_Body):
    """The value of a key, and for how many seconds it is there; for ever without `ttl`."""

    value = fields.Raw(required=True, allow_none=True, metadata={"description": _ANY})
    ttl = Life(metadata={"description": "Seconds until it is gone; null or absent is never."})


class NewDataEntry(DataEntryInput):
    """An entry to add."""

    key = Key(required=True)
    _ignored = frozenset(SHOWN) - {"value", "key"}


class DataEntryPatch(_Body):
    """A JSON merge patch (RFC 7396): an object merges into the value, null in it deletes, anything
    else replaces the value. `ttl`: null ends the expiry, absent leaves it."""

    value = fields.Raw(allow_none=True, metadata={"description": _ANY})
    ttl = Life()


class Prefix(fields.String):
    """What keys begin with; empty for all."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return _checked(value) if value else ""


def _checked(key: str) -> str:
    try:
        return checked_key(key)
    except InvalidFields as error:
        [problem] = error.errors
        raise ValidationError(Problem(problem.code, problem.detail)) from None


class DataQuery(Paging):
    """Which entries, by what their keys begin with, and what of each. Without `value` among the
    fields none is opened."""

    prefix = Prefix(load_default="", metadata={"description": "What the keys begin with."})
    fields_ = Names(SHOWN, signed=False, data_key="fields")


class DataIncrement(Schema):
    """What to add to a whole number, and for how many seconds it is there from now on."""

    by = Whole(-MAX_INTEGER, MAX_INTEGER, load_default=1)
    ttl = Life()


class DataEntry(Schema):
    """An entry as the API shows it. `size`: bytes of the value's JSON; `expires_at`: null where
    it stays for ever."""

    key = fields.String(required=True)
    value = fields.Raw(required=True, allow_none=True)
    version = fields.Integer(required=True)
    size = fields.Integer(required=True)
    expires_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class ListedEntry(DataEntry):
    """An entry in a list; with `fields` only those that were asked for."""


class DataPage(PageShape):
    """One page of the entries, by the code points of their keys. It has fewer than `limit` items
    where their values are long: go on while there is a `next_cursor`."""

    items = fields.List(fields.Nested(ListedEntry(partial=True)), required=True)
