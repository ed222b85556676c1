"""An entry of key-value data: its key, its value, how it is shown. Pure."""

from __future__ import annotations

import unicodedata
from typing import Any, NamedTuple

import orjson

from ..clock import rfc3339
from ..errors import InvalidFields
from ..strict_json import is_storable

MAX_KEY = 255  # characters
MAX_VALUE = 64 * 1024  # bytes of its JSON
MAX_TTL = 10 * 365 * 86_400  # seconds
SHOWN = ("key", "value", "version", "size", "expires_at", "created_at", "updated_at")


class Meta(NamedTuple):
    """What the database holds of an entry in plain; times in milliseconds."""

    id: int
    key: str
    version: int
    size: int
    expires_at: int | None
    created_at: int
    updated_at: int

    def is_live(self, now: int) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or self.expires_at > now

    def shown(self) -> dict[str, Any]:
        """All but the value, as the API shows it."""
        return {
            "key": self.key,
            "version": self.version,
            "size": self.size,
            "expires_at": _moment(self.expires_at),
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
        }


class Entry:
    """An entry, opened: `text` is its value's JSON."""

    __slots__ = ("_body", "meta", "text")

    def __init__(self, meta: Meta, text: bytes) -> None:
        self.meta = meta
        self.text = text
        self._body: bytes | None = None

    @property
    def value(self) -> Any:
        """What its owner stored."""
        return orjson.loads(self.text)

    def shown(self) -> dict[str, Any]:
        """The entry as the API shows it, for orjson."""
        return {**self.meta.shown(), "value": orjson.Fragment(self.text)}

    def body(self) -> bytes:
        """The same as JSON, made when it is first asked for."""
        if self._body is None:
            # A copy: orjson's bytes keep the 8 KiB buffer they were written in.
            self._body = bytes(memoryview(orjson.dumps(self.shown())))
        return self._body

    def told(self) -> dict[str, Any]:
        """What the change log keeps of it, for orjson."""
        return {
            "key": self.meta.key,
            "value": orjson.Fragment(self.text),
            "expires_at": _moment(self.meta.expires_at),
        }


def _moment(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def checked_key(key: str, pointer: str = "/key") -> str:
    """A key in NFC, so that two ways to write a text are one key. Raises InvalidFields."""
    # Normalising long runs of marks takes quadratic time.
    normal = unicodedata.normalize("NFC", key) if len(key) <= 4 * MAX_KEY else key
    if len(normal) > MAX_KEY:
        raise InvalidFields.one(pointer, "too_long", f"At most {MAX_KEY} characters.")
    if not normal:
        raise InvalidFields.one(pointer, "required", "A key has at least one character.")
    if not is_storable(normal):
        raise InvalidFields.one(pointer, "invalid_text", "Contains NUL or a surrogate.")
    return normal


def json_of(value: Any) -> bytes:
    """A value's JSON as it is stored. Raises InvalidFields where it is too large."""
    text = orjson.dumps(value)
    if len(text) > MAX_VALUE:
        problem = f"At most {MAX_VALUE} bytes of JSON; these are {len(text)}."
        raise InvalidFields.one("/value", "too_large", problem)
    return text


def same(one: bytes, other: bytes) -> bool:
    """Whether two values are the same but for the order of members. 1, 1.0 and true are not."""
    return one == other or _sorted(one) == _sorted(other)


def _sorted(text: bytes) -> bytes:
    return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)


def merged(value: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396 §2) of a value."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, member in patch.items():
        if member is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), member)
    return result
