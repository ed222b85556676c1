"""What of a change's fields is told to people. Pure but for where a photo is."""

from __future__ import annotations

from typing import Any

from ..pictures.service import PHOTOS

Texts = dict[str, dict[str, Any] | None]  # `before` and `after`, beside what else is known


def shown(entity: str, texts: Texts | None) -> Texts | None:
    """The texts of a change as they are told; None where they were erased."""
    if texts is None:
        return None
    fields = {name: shown_fields(entity, texts[name]) for name in ("before", "after")}
    return {**texts, **fields}


def shown_fields(entity: str, fields: dict[str, Any] | None) -> dict[str, Any] | None:
    """The fields as history, feed, trail and export show them: a contact's photo by its address, as
    the log knows it by what only the server may; and not the lines that are kept for vCards."""
    if entity != "contact" or not fields or not ("photo" in fields or "vcard" in fields):
        return fields
    told = {name: value for name, value in fields.items() if name != "vcard"}
    return told | ({"photo": PHOTOS.url(fields["photo"])} if "photo" in fields else {})
