"""Key material: its form in a setting, what is too weak, and the file that development makes.

A secret setting reads `id:base64,id:base64`, newest first. Nothing here puts a value in a message.
"""

import base64
import binascii
import logging
import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from dotenv import dotenv_values

from contactapp.setting_values import Unfit

log = logging.getLogger(__name__)

FILE_NAME = "secrets.env"
SECRET_NAMES = ("MASTER_KEYS", "JWT_SECRETS", "PASSWORD_PEPPERS")
KEY_BYTES = 32

# What people leave in a file that they copied. About one random key in 10^10 holds such a word.
SAMPLE_WORDS = (
    b"change",
    b"secret",
    b"example",
    b"sample",
    b"password",
    b"default",
    b"012345",
    b"abcdef",
)


@dataclass(frozen=True)
class NamedSecret:
    """One key: `id` is stored beside what the key made, `value` are its bytes."""

    id: str
    value: bytes = field(repr=False)


def parse_secrets(exact: int | None = None) -> Callable[[str], tuple[NamedSecret, ...]]:
    """A parser for secrets of `exact` bytes, or of 32 bytes and more; empty text is none at all."""
    size = f"exactly {exact} bytes" if exact else f"{KEY_BYTES} bytes or more"

    def parse(text: str) -> tuple[NamedSecret, ...]:
        found = tuple(_parse_one(part, exact, size) for part in text.split(",")) if text else ()
        if len({secret.id for secret in found}) != len(found):
            raise Unfit("uses one id twice; give each key an id of its own")
        return found

    return parse


def _parse_one(part: str, exact: int | None, size: str) -> NamedSecret:
    match = re.fullmatch(r"\s*([a-z0-9]{1,4}):([A-Za-z0-9+/_-]+)={0,2}\s*", part)
    if match is None:
        raise Unfit(
            "must be id:base64, newest first, divided by commas; an id is 1 to 4 of a-z and 0-9"
        )
    body = match[2].replace("-", "+").replace("_", "/")
    try:
        value = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except binascii.Error:
        raise Unfit(
            "must hold valid base64 after the colon; `openssl rand -base64 32` makes some"
        ) from None
    if len(value) < KEY_BYTES or (exact and len(value) != exact):
        raise Unfit(f"must decode to {size}; `openssl rand -base64 32` makes such a key")
    if _looks_made_up(value):
        raise Unfit(
            "is a sample or a pattern, not random; make a key with `openssl rand -base64 32`"
        )
    return NamedSecret(match[1], value)


def parse_token(text: str) -> str | None:
    """A bearer token (RFC 6750), or None where there is none."""
    if not text:
        return None
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{32,}", text):
        raise Unfit(
            "must be 32 or more of A-Z, a-z, 0-9 and ._~+/=-; `openssl rand -base64 32` makes one"
        )
    if _looks_made_up(text.encode()):
        raise Unfit("is a sample or a pattern, not random; make one with `openssl rand -base64 32`")
    return text


def _looks_made_up(value: bytes) -> bool:
    steps = {(after - before) % 256 for before, after in pairwise(value)}
    return (
        len(steps) == 1
        or len(set(value)) < 10
        or any(word in value.lower() for word in SAMPLE_WORDS)
    )


def shared_material(groups: Mapping[str, tuple[NamedSecret, ...]]) -> tuple[str, str] | None:
    """The names of two groups (or one name twice) that hold the same key, or None.

    A key of two purposes lets what one purpose gives away break the other (RFC 8725 section 3.5).
    """
    seen: dict[bytes, str] = {}
    for name, group in groups.items():
        for secret in group:
            # HMAC pads with zero bytes: a key and the same key with zeros behind it are one key.
            material = secret.value.rstrip(b"\0")
            if material in seen:
                return seen[material], name
            seen[material] = name
    return None


def development_secrets(instance: Path) -> dict[str, str]:
    """The texts of the three secret settings from `<instance>/secrets.env`, made on the first call.

    Raises OSError or Unfit where the file cannot be made, read or trusted.
    """
    path = instance / FILE_NAME
    if not path.exists() and _create(path):
        log.warning(
            "made development secrets in %s; keep that file, what is stored opens only with it",
            path,
        )
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Unfit(
            f"is taken from {path}, which other accounts can open; run `chmod 600` on that file"
        )
    # Without interpolation: a dollar sign is a dollar sign.
    found = dotenv_values(path, interpolate=False)
    return {name: found.get(f"CONTACTAPP_{name}") or "" for name in SECRET_NAMES}


def _create(path: Path) -> bool:
    """Write fresh secrets; False where another process was first.

    The finished file is linked into place, so nobody reads half of it, and a link, unlike a rename,
    fails where the name is taken: two processes that start together use the same keys.
    """
    lines = [
        f"CONTACTAPP_{name}=k1:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n"
        for name in SECRET_NAMES
    ]
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("# Made for development. Never use these in production.\n" + "".join(lines))
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, path)
    except FileExistsError:
        return False
    finally:
        unfinished.unlink()
    _sync_directory(path.parent)
    return True


def _sync_directory(path: Path) -> None:
    # Without this a power cut can take the name away again after data was sealed with the keys.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
