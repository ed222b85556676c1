"""Lines of text that come in, and what is made of them: names, addresses, numbers, dates."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from marshmallow import ValidationError, fields, validate

from ..incoming import Problem
from ..strict_json import has_control
from .card import is_email, is_partial_date

_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?\S+")
# A page that shows a contact makes a link of it: a click must not run what a card says.
_RUN = {"javascript", "vbscript", "data"}


class Line(fields.String):
    """One line of text: NFC, trimmed, empty becomes null, no control characters."""

    def __init__(self, maximum: int, **kwargs: Any) -> None:
        kwargs.setdefault("allow_none", True)
        super().__init__(validate=validate.Length(max=maximum), **kwargs)
        self.maximum = maximum

    def _too_long(self) -> Problem:
        return Problem("too_long", f"At most {self.maximum} characters.")

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError(Problem("wrong_type", "Not a string."))
        if len(value) > 4 * self.maximum:  # normalising long runs of marks takes quadratic time
            raise ValidationError(self._too_long())
        text = unicodedata.normalize("NFC", value).strip()
        if self._has_control(text):
            raise ValidationError(Problem("invalid_text", "Contains control characters."))
        if not text and not self.allow_none:
            raise ValidationError(Problem("required", "Empty."))
        return text or None

    def _has_control(self, text: str) -> bool:
        return has_control(text)

    def _validate(self, value: Any) -> None:
        if value is not None and len(value) > self.maximum:
            raise ValidationError(self._too_long())


class Lines(Line):
    """The same with line breaks, as there are in a street's part of an address; CRLF becomes LF."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            value = value.replace("\r\n", "\n")
        return super()._deserialize(value, attr, data, **kwargs)

    def _has_control(self, text: str) -> bool:
        return has_control(text.replace("\n", ""))


class EmailLine(Line):
    def _validate(self, value: Any) -> None:
        super()._validate(value)
        if value is not None and not is_email(value):
            raise ValidationError(Problem("invalid_email", "Not an e-mail address."))


class PhoneLine(Line):
    def _validate(self, value: Any) -> None:
        super()._validate(value)
        if value is not None and sum(map(str.isdigit, value)) < 3:
            raise ValidationError(Problem("invalid_phone", "Not a phone number."))


class UrlLine(Line):
    def _validate(self, value: Any) -> None:
        super()._validate(value)
        if value is None:
            return
        match = _URL.fullmatch(value)
        if match is None or (match[1] or "").lower() in _RUN:
            raise ValidationError(Problem("invalid_url", "Not the address of a page."))


class PartialDate(Line):
    def __init__(self, maximum: int) -> None:
        about = "`YYYY-MM-DD`, without the year `--MM-DD`, or only `YYYY-MM` or `YYYY`."
        super().__init__(maximum, metadata={"description": about})

    def _validate(self, value: Any) -> None:
        if value is not None and not is_partial_date(value):
            raise ValidationError(
                Problem("invalid_date", "Not a date: YYYY-MM-DD, --MM-DD, YYYY or YYYY-MM.")
            )
