"""The shapes of a contact's lists, in and out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, pre_load, validate

from ..incoming import Problem
from ..shapes import Flag
from .card import LINES, MAX_LABELS
from .entries import ADDRESS, MAX_ENTRIES, SCALARS, primary_of, sameness, stored
from .folding import fold
from .lines import EmailLine, Line, Lines, PhoneLine, UrlLine

MAX_LABEL = 64
MAX_URL = 2000
_NO_OBJECT: dict[str, str] = {"type": Problem("wrong_type", "Not an object.")}
_ABOUT_LABEL = "What kind it is, in any words, such as `work`."
_ABOUT_PRIMARY = "Exactly one of a list is; the first where none is marked."
_ABOUT_E164 = (
    "The number with its country code, worked out when it is written; null where it cannot be. "
    "Ignored in what is sent."
)


class _EntryInput(Schema):
    error_messages = _NO_OBJECT

    label = Line(MAX_LABEL, metadata={"description": _ABOUT_LABEL})
    primary = Flag(allow_none=True, metadata={"description": _ABOUT_PRIMARY})


class EmailEntryInput(_EntryInput):
    """An e-mail address."""

    value = EmailLine(LINES["email"], required=True, allow_none=False)


class PhoneEntryInput(_EntryInput):
    """A phone number, as people write it."""

    value = PhoneLine(LINES["phone"], required=True, allow_none=False)

    @pre_load
    def _ignore_read_only(self, data: Any, **_: Any) -> Any:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if key != "e164"}
        return data


class UrlEntryInput(_EntryInput):
    """The address of a page, or of anything else that a program can open."""

    value = UrlLine(MAX_URL, required=True, allow_none=False)


class PostalAddressInput(_EntryInput):
    """A postal address in the parts that vCard knows (RFC 6350); at least one of them."""

    street = Lines(ADDRESS["street"])
    extended = Lines(ADDRESS["extended"])
    po_box = Line(ADDRESS["po_box"])
    city = Line(ADDRESS["city"])
    region = Line(ADDRESS["region"])
    postal_code = Line(ADDRESS["postal_code"])
    country = Line(ADDRESS["country"])

    @post_load
    def _require_a_part(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        if not any(data.get(part) for part in ADDRESS):
            raise ValidationError(Problem("required", f"One of {', '.join(ADDRESS)} is needed."))
        return data


class _Entry(Schema):
    label = fields.String(required=True, allow_none=True, metadata={"description": _ABOUT_LABEL})
    primary = fields.Boolean(required=True, metadata={"description": _ABOUT_PRIMARY})


class EmailEntry(_Entry):
    """An e-mail address of a contact."""

    value = fields.String(required=True)


class PhoneEntry(_Entry):
    """A phone number of a contact."""

    value = fields.String(required=True)
    e164 = fields.String(required=True, allow_none=True, metadata={"description": _ABOUT_E164})


class UrlEntry(_Entry):
    """A link of a contact."""

    value = fields.String(required=True)


class PostalAddress(_Entry):
    """A postal address of a contact; lines of `street` and `extended` are divided by `\\n`."""

    street = fields.String(required=True, allow_none=True)
    extended = fields.String(required=True, allow_none=True)
    po_box = fields.String(required=True, allow_none=True)
    city = fields.String(required=True, allow_none=True)
    region = fields.String(required=True, allow_none=True)
    postal_code = fields.String(required=True, allow_none=True)
    country = fields.String(required=True, allow_none=True)


class _Several(fields.List):
    """An array that is short; its length is judged before anything in it is looked at."""

    def __init__(self, item: fields.Field, maximum: int, **kwargs: Any) -> None:
        super().__init__(item, allow_none=True, validate=validate.Length(max=maximum), **kwargs)
        self._maximum = maximum

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, list):
            raise ValidationError(Problem("wrong_type", "Not an array."))
        if len(value) > self._maximum:
            raise ValidationError(Problem("too_many", f"At most {self._maximum}."))
        return super()._deserialize(value, attr, data, **kwargs)


class Entries(_Several):
    """A list of a contact: at most one entry is marked primary, none is there twice."""

    def __init__(self, entry: type[Schema], **kwargs: Any) -> None:
        super().__init__(fields.Nested(entry), MAX_ENTRIES, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        marked = [place for place, entry in enumerate(found) if entry.get("primary")]
        if len(marked) > 1:
            problem = Problem("several_primary", "Only one can be the primary one.")
            raise ValidationError({place: {"primary": [problem]} for place in marked})
        refuse_repeated(found, lambda entry: sameness(str(attr), entry))
        return found


class Labels(_Several):
    """A contact's labels: two that differ in case or accents alone are one."""

    def __init__(self) -> None:
        metadata = {"description": "In the user's order; upper and lower case are one label."}
        super().__init__(Line(MAX_LABEL, allow_none=False), MAX_LABELS, metadata=metadata)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        refuse_repeated(found, fold)
        return found


def refuse_repeated(items: Iterable[Any], key: Callable[[Any], Hashable]) -> None:
    """Raise ValidationError where an item of a list is there twice."""
    known: set[Hashable] = set()
    again = {}
    for place, item in enumerate(items):
        if key(item) in known:
            again[place] = [Problem("duplicate", "This is in the list already.")]
        known.add(key(item))
    if again:
        raise ValidationError(again)


def resolve_lists(data: dict[str, Any]) -> None:
    """Where a list was sent it is the truth, and its field beside it may only say the same."""
    for name, scalar in SCALARS.items():
        if name not in data:
            continue
        data[name] = data[name] or []
        primary = primary_of(stored(name, data[name]))
        if scalar in data and data.pop(scalar) != (primary and primary["value"]):
            clash = Problem("alias_conflict", f"{scalar} and the primary one of {name} differ.")
            raise ValidationError({scalar: [clash], name: [clash]})
