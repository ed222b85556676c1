"""Who an address or user name means: one canonical form each, the same for every spelling."""

from __future__ import annotations

import unicodedata

from email_validator import EmailNotValidError, validate_email

MAX_EMAIL = 254
MAX_USERNAME = 64
MAX_LOGIN = 320  # characters, as the schema says; more could not be normalised cheaply
# Normalising takes time in the square of a run of marks, so what is longer than any text that
# could still fit is refused before. NFC makes text at most four times shorter.
_SHRINKS_BY = 4


def parse_email(text: str) -> tuple[str, str]:
    """The address to store and send to, and its canonical form, which is unique.

    NFKC folds widths and the Kelvin sign, casefold the case, IDNA (UTS 46) the domain. A dotless
    ı stays another letter than i, as it is another mailbox. Raises ValueError with a sentence.
    """
    if len(text) > _SHRINKS_BY * MAX_EMAIL:
        raise ValueError(f"An e-mail address has at most {MAX_EMAIL} characters.")
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


def parse_login(text: str) -> tuple[str, str]:
    """What somebody types to sign in: `email` or `username`, and its canonical form. Raises
    ValueError for what can be neither."""
    if "@" in unicodedata.normalize("NFKC", text[:MAX_LOGIN]):
        return "email", parse_email(text)[1]
    return "username", canonical_username(text)


def canonical_username(text: str) -> str:
    """The unique form of a user name. Raises ValueError with a sentence.

    No `@`, so that a sign-in name is an address or a user name and never both.
    """
    wrong_length = ValueError(f"A user name has 1 to {MAX_USERNAME} characters.")
    if len(text) > _SHRINKS_BY * MAX_USERNAME:
        raise wrong_length
    name = unicodedata.normalize("NFKC", text.strip())
    if not 1 <= len(name) <= MAX_USERNAME:
        raise wrong_length
    if "@" in name:
        raise ValueError("A user name holds no @.")
    if not name.isprintable():
        raise ValueError("A user name holds no control characters.")
    return unicodedata.normalize("NFC", name.casefold())
