"""Signatures of the Standard Webhooks specification. Pure."""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Iterable

PREFIX = "whsec_"
_SECRET_BYTES = 32  # the specification asks for 24 to 64


def new_secret() -> str:
    """A secret as its owner is told it."""
    return PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def signatures(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of Webhook-Signature: one for each secret, so that a receiver may know either."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(_signature(secret, signed) for secret in secrets)


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
