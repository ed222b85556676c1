"""Values of query strings that contacts are looked for by."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields

from ..custom_fields.definition import MAX_KEY
from ..incoming import Problem
from ..shapes import Names
from ..strict_json import has_control
from . import search
from .birthdays import MAX_DAYS
from .card import is_partial_date
from .columns import days_of
from .custom import ENDINGS, PREFIX
from .digits import is_number

MAX_TEXT = 200
MAX_CUSTOM_FILTERS = 10
_SCORE = re.compile(r"0|1|0\.\d{1,6}|1\.0{1,6}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
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


class Texts(fields.List):
    """Values that must all be there; the parameter comes once for each."""

    repeatable = True

    def __init__(self, maximum: int, **kwargs: Any) -> None:
        super().__init__(Text(), **kwargs)
        self._maximum = maximum

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if len(value) > self._maximum:
            raise ValidationError(Problem("too_many", f"At most {self._maximum} of them."))
        return tuple(checked_text(text) for text in value)


class Number(fields.String):
    """A phone number, or a part of one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = checked_text(value)
        if not is_number(text):
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


class Day(fields.String):
    """A day, month or year, as the days that it may be."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        found = days_of(value) if is_partial_date(value) else None
        if found is None:
            problem = "Not a date with a year: YYYY-MM-DD, YYYY-MM or YYYY."
            raise ValidationError(Problem("invalid_date", problem))
        return found


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


class Score(fields.Float):
    """A score in plain decimals."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not _SCORE.fullmatch(value):
            raise ValidationError(Problem("wrong_type", "Not a number from 0 to 1."))
        return float(value)


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
