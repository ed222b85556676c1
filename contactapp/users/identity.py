"""Who an address or user name means: one canonical form each, the same for every spelling."""

from __future__ import annotations

import unicodedata

from email_validator import EmailNotValidError, validate_email

MAX_USERNAME = 64


def parse_email(text: str) -> tuple[str, str]:
    """The address to store and send to, and its canonical form, which is unique.

    NFKC folds widths and the Kelvin sign, casefold the case, IDNA (UTS 46) the domain. A dotless
    ı stays another letter than i, as it is another mailbox. Raises ValueError with a sentence.
    """
    try:
        found = validate_email(
            unicodedata.normalize("NFKC", text.strip()),
            check_deliverability=False,
            test_environment=True,  # lets `.test` names through, for development
        )
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    local = unicodedata.normalize("NFC", found.local_part.casefold())
    return found.normalized, f"{local}@{(found.ascii_domain or found.domain).lower()}"


def canonical_username(text: str) -> str:
    """The unique form of a user name. Raises ValueError with a sentence.

    No `@`, so that a sign-in name is an address or a user name and never both.
    """
    name = unicodedata.normalize("NFKC", text.strip())
    if not 1 <= len(name) <= MAX_USERNAME:
        raise ValueError(f"A user name has 1 to {MAX_USERNAME} characters.")
    if "@" in name:
        raise ValueError("A user name holds no @.")
    if not name.isprintable():
        raise ValueError("A user name holds no control characters.")
    return unicodedata.normalize("NFC", name.casefold())
