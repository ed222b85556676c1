"""Sealing, wrapping and blind indexes. Pure: bytes in, bytes out, no database and no settings.

A sealed blob is ``version(1) | key_id(4, big endian) | nonce(12) | ciphertext | tag(16)``,
AES-256-GCM (NIST SP 800-38D) with a random nonce. Its place (table, column, owner, uid) and the
key id are authenticated with it, so a blob moved to another row or column does not open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
KEY_BYTES = 32
_NONCE_BYTES = 12
_HEADER_BYTES = 5
_MINIMUM_BYTES = _HEADER_BYTES + _NONCE_BYTES + 16
ROW_TOKEN = re.compile(r"([1-9][0-9]{0,15})-([A-Za-z0-9_-]{43})")


class SealError(Exception):
    """A blob does not open: wrong key, wrong place, or changed bytes."""


class Cipher:
    """One key and its 32-bit id. Seals and opens blobs bound to a place."""

    __slots__ = ("_aead", "_header", "key_id")

    def __init__(self, key_id: int, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self.key_id = key_id
        self._header = bytes([VERSION]) + key_id.to_bytes(4, "big")
        self._aead = AESGCM(key)

    def seal(self, plaintext: bytes, *place: object, nonce: bytes | None = None) -> bytes:
        """Seal for a place such as ``("contact", "sealed", book_id, uid)``.

        A `nonce` of one's own must be a keyed hash of place and plaintext, never used for others.
        """
        nonce = nonce or os.urandom(_NONCE_BYTES)
        return self._header + nonce + self._aead.encrypt(nonce, plaintext, self._associated(place))

    def open(self, blob: bytes, *place: object) -> bytes:
        """Open what was sealed with this key for this place, else raise SealError."""
        return self._opened(blob, self._associated(place))

    def opener(self, *place: object) -> Callable[[bytes, object], bytes]:
        """`open` for blobs whose places differ in the last part only: what all have in common is
        worked out once, which is a fifth of the time of opening a book."""
        start, end = "".join(f"{part}|" for part in place), f"|{self.key_id}"
        return lambda blob, last: self._opened(blob, f"{start}{last}{end}".encode())

    def _opened(self, blob: bytes, associated: bytes) -> bytes:
        if len(blob) < _MINIMUM_BYTES or blob[:_HEADER_BYTES] != self._header:
            raise SealError("not a blob of this key")
        nonce = blob[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        try:
            return self._aead.decrypt(nonce, blob[_HEADER_BYTES + _NONCE_BYTES :], associated)
        except InvalidTag:
            raise SealError("the blob was changed, moved or sealed with another key") from None

    def _associated(self, place: tuple[object, ...]) -> bytes:
        return "|".join(map(str, (*place, self.key_id))).encode()


def master_cipher(name: str, key: bytes) -> Cipher:
    """The cipher of a master key; its id is its name (1 to 4 ASCII characters), zero-padded."""
    return Cipher(master_id(name), key)


def master_id(name: str) -> int:
    """The number that stands for a master key's name in a blob."""
    raw = name.encode("ascii")
    if not 1 <= len(raw) <= 4:
        raise ValueError("a master key's name has 1 to 4 characters")
    return int.from_bytes(raw.ljust(4, b"\0"), "big")


def master_name(raw: bytes) -> str:
    """The name of a master key from the four bytes that stand for it in a blob."""
    return raw.rstrip(b"\0").decode("ascii", "replace")


def key_id_of(blob: bytes) -> int:
    """The id of the key that a blob names in its header (not yet authenticated)."""
    if len(blob) < _MINIMUM_BYTES or blob[0] != VERSION:
        raise SealError("not a sealed blob")
    return int.from_bytes(blob[1:5], "big")


def new_key() -> bytes:
    """A fresh random 256-bit key."""
    return os.urandom(KEY_BYTES)


def derive(secret: bytes, label: str) -> bytes:
    """Derive a 32-byte key for one purpose (HKDF-Expand of RFC 5869 with one block)."""
    return hmac.digest(secret, label.encode() + b"\x01", hashlib.sha256)


def blind_index(key: bytes, kind: str, value: str) -> bytes:
    """A 32-byte keyed fingerprint of a canonical value, for unique columns and exact lookup."""
    return hmac.digest(key, f"{kind}|{value}".encode(), hashlib.sha256)


def row_token(row_id: int, mac: bytes) -> str:
    """What an address carries that opens one row: its number, and an HMAC-SHA256 over what it says.
    `ROW_TOKEN` matches it, and its first group is the number."""
    return f"{row_id}-{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
