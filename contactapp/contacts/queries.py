"""The query strings of contact lists: paging, order, sparse objects, filters, search."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load

from ..custom_fields.definition import MAX_KEY
from ..incoming import Problem
from ..shapes import BookQuery, Names, Paging, PlainInteger, QueryFlag
from ..strict_json import has_control
from . import search
from .birthdays import MAX_DAYS
from .card import FIELDS, SORTABLE
from .custom import ENDINGS, PREFIX
from .filters import HAS, TEXT, filters
from .listing import listing_of

MAX_TEXT = 200
MAX_CUSTOM_FILTERS = 10
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PAGING = {"book", "limit", "skip", "offset", "cursor", "sort", "fields_"}
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d))?", re.ASCII | re.IGNORECASE
)


class Words(fields.String):
    """Search words and quoted phrases, as `search.Term`s."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        found = search.terms(checked_text(value))
        if not found:
            raise ValidationError(Problem("required", "Nothing to search for."))
        if len(found) > search.MAX_TERMS:
            raise ValidationError(Problem("too_many", f"At most {search.MAX_TERMS} words."))
        return found


class Text(fields.String):
    """A value to compare with."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return checked_text(value)


class Number(fields.String):
    """A phone number, or a part of one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = checked_text(value)
        if not search.is_number(text):
            raise ValidationError(Problem("invalid_phone", "Not a phone number or a part of one."))
        return text


class Moment(fields.String):
    """A time (RFC 3339) or a whole UTC day, in seconds since the epoch; of a day its first second,
    or its last where that bounds from above."""

    def __init__(self, *, last: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._last = last

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            if not _TIME.fullmatch(value):
                raise ValueError
            if len(value) > 10:
                return int(datetime.fromisoformat(value.upper()).timestamp() // 1)
            day = datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
            start = int(day.timestamp())
        except (ValueError, OverflowError):
            problem = "Not a time such as 2026-11-21T09:30:00Z or 2026-11-21; a + is sent as %2B."
            raise ValidationError(Problem("invalid_time", problem)) from None
        return start + int(timedelta(days=1).total_seconds()) - 1 if self._last else start


class FirstDay(fields.Date):
    """A day from which on others are counted."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            if not _DAY.fullmatch(value):
                raise ValueError
            day = date.fromisoformat(value)
            day + timedelta(MAX_DAYS)
        except (ValueError, OverflowError):
            raise ValidationError(
                Problem("invalid_date", "Not a day such as 2026-11-21.")
            ) from None
        return day


class SortKeys(Names):
    """Names of fields, and custom fields as `custom.<key>`."""

    def _split(self, value: str) -> tuple[str, ...]:
        # NUL and surrogates stand for what was escaped: a query has none.
        text = unicodedata.normalize("NFC", value)
        parts = text.replace("\\\\", "\0").replace("\\,", "\ud800").split(",")
        return tuple(part.replace("\ud800", ",").replace("\0", "\\") for part in parts)

    def _is_known(self, name: str) -> bool:
        key = name.removeprefix(PREFIX)
        custom = key != name and 1 <= len(key) <= MAX_KEY and not has_control(key)
        return custom or super()._is_known(name)


class CustomFilters(fields.Dict):
    """`custom.<key>` and its `_min`, `_max` and `_like`, by what stands after the point."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if len(value) > MAX_CUSTOM_FILTERS:
            raise ValidationError(Problem("too_many", f"At most {MAX_CUSTOM_FILTERS} of them."))
        found = {}
        for name, text in value.items():
            key = unicodedata.normalize("NFC", name)
            if not key or len(key) > MAX_TEXT or key in ENDINGS:
                raise ValidationError({name: [Problem("invalid_key", "Name a custom field.")]})
            try:
                found[key] = checked_text(text)
            except ValidationError as error:
                raise ValidationError({name: error.messages}) from None
        return found


def checked_text(value: str) -> str:
    """The text, trimmed. Raises ValidationError where it is empty, too long or no line of text."""
    if len(value) > MAX_TEXT:
        raise ValidationError(Problem("too_long", f"At most {MAX_TEXT} characters."))
    text = unicodedata.normalize("NFC", value).strip()
    if not text:
        raise ValidationError(Problem("required", "Empty."))
    if has_control(text):
        raise ValidationError(Problem("invalid_text", "Contains control characters."))
    return text


def _about(text: str) -> dict[str, Any]:
    return {"metadata": {"description": text}}


def _sort(default: str) -> Names:
    about = (
        "Comma list, `-` for descending; the id is always the last key. `custom.<key>` sorts by a "
        "custom field as its type is compared, who has none last; a comma in its key is written "
        "`\\,`, a backslash `\\\\`."
    )
    metadata = {"description": about, "default": default}
    return SortKeys(SORTABLE, signed=True, load_default=(default,), metadata=metadata)


def _filters() -> dict[str, fields.Field]:
    found: dict[str, fields.Field] = {}
    for field in TEXT:
        kind = Number if field == "phone" else Text
        found[field] = kind(**_about("Equal, without case and accents."))
        found[f"{field}_like"] = kind(**_about("Contains, without case and accents."))
    for name in ("created", "updated"):
        found[f"{name}_min"] = Moment(last=False, **_about("At this time or day, or later."))
        found[f"{name}_max"] = Moment(last=True, **_about("At this time or day, or earlier."))
    return found


class ListQuery(BookQuery, Paging, Schema.from_dict(_filters(), name="Filters")):  # type: ignore[misc]
    """Paging, order, sparse objects and filters; a contact must pass all of them."""

    sort = _sort("id")
    fields_ = Names(FIELDS, signed=False, data_key="fields")
    q = Words(**_about("Words and quoted phrases that the contact must have, as in search."))
    starred = QueryFlag()
    birthday_month = PlainInteger(minimum=1, maximum=12)
    has = Names(HAS, signed=False, **_about("Comma list of fields that must be filled."))
    custom = CustomFilters(
        data_key="custom.",
        metadata={
            "description": "`custom.<key>=`, also with `_min`, `_max` or `_like` after the key."
        },
    )

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Also what the filters are, and which list it is."""
        data = super().complete(data, original)
        data["where"] = filters(data)
        given = {k: v for k, v in original.items() if k not in _PAGING and k != "fields"}
        data["listing"] = listing_of(data["sort"], given)
        return data


class SearchQuery(ListQuery):
    """The same with `q` required, in the order of names."""

    q = Words(required=True, metadata={"description": "Words and quoted phrases, all required."})
    sort = _sort("name")


class BirthdayQuery(BookQuery, Paging):
    """Which days."""

    days = PlainInteger(
        load_default=7,
        minimum=0,
        maximum=MAX_DAYS,
        metadata={"description": "How many after the first one, which counts too."},
    )
    date = FirstDay(**_about("The first one; today in one's own time zone unless said."))

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Also which list it is."""
        data = super().complete(data, original)
        given = {key: value for key, value in original.items() if key in {"days", "date"}}
        data["listing"] = listing_of(("next_birthday",), given)
        return data


class DeleteQuery(BookQuery):
    permanent = QueryFlag(
        load_default=False,
        metadata={"description": "true deletes for good, also what lies in the trash already."},
    )


class TrashQuery(BookQuery, Paging):
    """Which part of the trash."""
