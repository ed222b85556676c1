"""Recovery codes: what opens an account once when its authenticator is lost."""

from __future__ import annotations

import hmac
import secrets

from ..keyring import keyring

COUNT = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
_LENGTH = 10  # 49 bits; guesses are counted (ASVS 6.5.2)


def new_codes() -> list[str]:
    """Codes as people are shown them, in two halves."""
    return [_new_code() for _ in range(COUNT)]


def _new_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return f"{letters[: _LENGTH // 2]}-{letters[_LENGTH // 2 :]}"


def hashes_of(user_id: int, codes: list[str]) -> list[bytes]:
    """What is stored of them: keyed, so that a dump of the database gives none away. However it is
    written, with or without the stroke and in capitals, a code is the same."""
    key = keyring().purpose("factor")
    plain = (code.replace("-", "").replace(" ", "").lower() for code in codes)
    return [hmac.digest(key, f"{user_id}|{code}".encode(), "sha256") for code in plain]
