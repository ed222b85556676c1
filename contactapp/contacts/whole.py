"""The card that a write makes, put together from all that is known. Pure."""

from __future__ import annotations

from typing import Any

from ..custom_fields.values import Defined, fitted
from ..errors import FieldError, InvalidFields
from .card import LINES, MAX_CUSTOM_FIELDS, NAMED_BY, canonical, resolve_name


def whole(
    fields: dict[str, Any], before: dict[str, Any] | None, defined: Defined
) -> dict[str, Any]:
    """The card to store: the name split where it must be, nothing empty kept, custom fields as the
    book defines them. Raises InvalidFields for what only shows when all is put together."""
    card = canonical(fields)
    name = card.pop("name", None)
    card["custom_fields"] = fitted(card.get("custom_fields"), before, defined)
    if len(card["custom_fields"]) > MAX_CUSTOM_FIELDS:
        problem = f"At most {MAX_CUSTOM_FIELDS} custom fields."
        raise InvalidFields.one("/custom_fields", "too_many", problem)
    card = {key: value for key, value in resolve_name(card, name, before).items() if value}
    for part in ("first_name", "last_name"):
        if len(card.get(part, "")) > LINES[part]:
            problem = f"At most {LINES[part]} characters for each of first and last name."
            raise InvalidFields.one("/name", "too_long", problem)
    if not any(card.get(field) for field in NAMED_BY):
        problem = f"At least one of {', '.join(NAMED_BY)} is needed."
        raise InvalidFields(errors=[FieldError("", "required", problem)])
    return card
