"""What of a change's fields is told to people. Pure but for where a photo is."""

from __future__ import annotations

from typing import Any

import orjson

from ..paging import kept_json
from ..pictures.service import PHOTOS

_AFTER = b',"after":{'
_CREATED = b'{"before":null' + _AFTER
_PHOTO, _VCARD = b'"photo":', b'"vcard":'  # no text has these bytes: its quotes are written as \\"

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


def shown_after(entity: str, text: bytes) -> orjson.Fragment | None:
    """What a change left, as JSON: cut out of its sealed text, which has it last, for reading both
    cards and writing one again is most of what a page of the feed would cost."""
    start = _start_of_after(text) if text.endswith(b"}}") else None
    if start is not None and not (entity == "contact" and _has_hidden(text)):
        return orjson.Fragment(text[start:-1])
    after = shown_fields(entity, orjson.loads(text)["after"])
    return None if after is None else kept_json(after)


def _start_of_after(text: bytes) -> int | None:
    """Where the object begins with which a text ends; None where only reading tells."""
    if text.startswith(_CREATED):
        return len(_CREATED) - 1
    # A datum's value may have such a key too, but the change's own is always there.
    return text.index(_AFTER) + len(_AFTER) - 1 if text.count(_AFTER) == 1 else None


def _has_hidden(text: bytes) -> bool:
    """Whether a card may have fields that are told otherwise. `rfind` takes half of what `in`
    does, which would be a quarter of the whole."""
    return text.rfind(_PHOTO) >= 0 or text.rfind(_VCARD) >= 0
