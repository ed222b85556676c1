"""Phone numbers as the whole world dials them (ITU-T E.164). Pure.

`phonenumbers` takes 7 MB and 50 ms, so a process imports it when it first writes a number, and one
that only reads never does.
"""

from __future__ import annotations

from typing import Any


def numbered(fields: dict[str, Any], region: str | None) -> dict[str, Any]:
    """Fields of a contact, with the E.164 form of each number that is sent in them beside it."""
    found = dict(fields)
    if fields.get("phone"):
        found["e164"] = e164_of(fields["phone"], region)
    if fields.get("phones"):
        found["phones"] = [
            {**entry, "e164": e164_of(entry["value"], region)} for entry in fields["phones"]
        ]
    return found


def e164_of(text: str, region: str | None) -> str | None:
    """The number with its country code, such as +491511234567; None where the text is no possible
    number, or of another place than `region` (ISO 3166, None for none) and does not say which."""
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        ValidationResult,
        format_number,
        is_possible_number_with_reason,
        parse,
    )

    if region is None and text.startswith("00"):
        text = f"+{text[2:]}"  # what a country dials before a code; 00 in most (ITU-T E.123)
    try:
        number = parse(text, region)
    except NumberParseException:
        return None
    # Not where it is possible within a town alone: with a code before it, it calls nobody.
    if is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    return format_number(number, PhoneNumberFormat.E164)
