"""Passwords: what may be chosen, how it is stored, how it is checked. Pure.

Stored form: ``<pepper id>$<bcrypt>``, where bcrypt gets
``base64(HMAC-SHA384(pepper, NFC(password)))``. bcrypt reads 72 bytes and stops
at a NUL; the 64 characters of the digest never reach either limit, so every
byte of a password counts (OWASP ASVS 5.0 6.2.8, 6.2.9). The pepper makes a stolen
user table useless to whoever lacks the configuration.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import string
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Protocol

import bcrypt

from ..bounded import Bounded, usable_cores

MIN_LENGTH = 8
MAX_LENGTH = 256
PRODUCT = "contactapp"

# NFC shrinks text to a quarter at most; anything longer than
# this is too long however it is normalised, and is not even normalised.
_RAW_LIMIT = 4 * MAX_LENGTH
_SHORTEST_CONTEXT_WORD = 3
_BCRYPT = re.compile(r"\$2b\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}", re.ASCII)
_BCRYPT_ALPHABET = "./" + string.ascii_letters + string.digits


class Pepper(Protocol):
    """A secret with the id under which hashes name it (``NamedSecret`` fits)."""

    @property
    def id(self) -> str: ...

    @property
    def value(self) -> bytes: ...


class PasswordHasher:
    """Hashes and checks passwords, a bounded number at a time (ASVS 15.2.2).

    :param peppers: newest first; the first one signs new hashes, all of them verify
    :param cost: bcrypt's log2 of rounds, 4 to 31; one step doubles the time
    :param concurrency: hashes in flight in this process; None: one per usable core
    :param max_wait: seconds a caller waits for its turn
    :param max_waiting: callers that may wait at once; None: as many as come
    :raises ValueError: no pepper, an id twice, empty or with ``$``, a number out of range
    """

    def __init__(
        self,
        peppers: tuple[Pepper, ...],
        cost: int,
        concurrency: int | None = None,
        *,
        max_wait: float = 5.0,
        max_waiting: int | None = None,
    ) -> None:
        self._peppers = {pepper.id: pepper.value for pepper in peppers}
        if not peppers or len(self._peppers) != len(peppers):
            raise ValueError("password peppers need one id each, and at least one pepper")
        if any(not name or "$" in name for name in self._peppers):
            raise ValueError("a pepper's id must not be empty or contain '$'")
        if not 4 <= cost <= 31:
            raise ValueError("bcrypt's cost must be from 4 to 31")
        slots = usable_cores() if concurrency is None else concurrency
        if slots < 1:
            raise ValueError("at least one password must be hashed at a time")
        self._newest = peppers[0].id
        self._cost = cost
        self._dummy = _dummy_hash(cost)
        self._bounded = Bounded(slots, max_wait, max_waiting)

    def hash(self, password: str) -> str:
        """Return the form to store, ``<pepper id>$<bcrypt>``, about 65 ASCII characters.

        :raises ValueError: the password is over `MAX_LENGTH` characters
        :raises Busy: no turn within `max_wait` seconds
        """
        normal = _normalise(password)
        if normal is None:
            raise ValueError(f"a password has at most {MAX_LENGTH} characters")
        prepared = _prepare(self._peppers[self._newest], normal)
        with self._bounded.place():
            hashed = bcrypt.hashpw(prepared, bcrypt.gensalt(self._cost))
        return f"{self._newest}${hashed.decode('ascii')}"

    def verify(self, password: str, stored: str | None) -> bool:
        """Tell whether `password` is the one behind `stored`; any str is allowed.

        Without a usable hash (no such user, an unknown pepper, a damaged value) and for
        a password over the maximum, one hash of the current cost is worked out all the
        same, so time tells nobody which accounts exist (ASVS 6.3.8).
        A hash of an older cost does take its own time, until its owner next signs in.

        :raises Busy: no turn within `max_wait` seconds
        """
        pepper_id, _, digest = (stored or "").partition("$")
        pepper = self._peppers.get(pepper_id)
        normal = _normalise(password)
        usable = pepper is not None and normal is not None and _BCRYPT.fullmatch(digest) is not None
        if pepper is None or not usable:
            pepper, digest = self._peppers[self._newest], self._dummy
        prepared = _prepare(pepper, password[:MAX_LENGTH] if normal is None else normal)
        with self._bounded.place():
            matched = bcrypt.checkpw(prepared, digest.encode("ascii"))
        return matched and usable

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether `stored` has an older pepper, another cost or another form."""
        pepper_id, _, digest = stored.partition("$")
        match = _BCRYPT.fullmatch(digest)
        return pepper_id != self._newest or match is None or int(match[1]) != self._cost


@dataclass(frozen=True)
class PolicyProblem:
    """Why a password was refused: a stable `code` and a `message` for people."""

    code: str
    message: str


def check_policy(password: str, *, personal: Iterable[str | None] = ()) -> list[PolicyProblem]:
    """Return every reason to refuse `password` as a new one; an empty list accepts it.

    `MIN_LENGTH` to `MAX_LENGTH` characters (ASVS 6.2.1, 6.2.9), not among the commonest
    (6.2.4), not a word of the context (6.1.2, 6.2.11). Any composition, spaces and all of
    Unicode are welcome (6.2.5).

    :param personal: the owner's e-mail address, user name and the like; None and ""
        are passed over, of an address the part before the @ counts as well
    """
    normal = _normalise(password)
    if normal is None:
        return [PolicyProblem("password_too_long", f"Use at most {MAX_LENGTH} characters.")]
    problems = []
    if len(normal) < MIN_LENGTH:
        problems.append(
            PolicyProblem("password_too_short", f"Use at least {MIN_LENGTH} characters.")
        )
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in normal):
        problems.append(
            PolicyProblem(
                "password_not_text", "Use characters only, no NUL and no half of a surrogate pair."
            )
        )
    folded = normal.casefold()
    if folded in _common_passwords():
        problems.append(
            PolicyProblem(
                "password_too_common", "This is one of the most used passwords. Choose another."
            )
        )
    if any(_is_little_more_than(word, folded) for word in _context_words(personal)):
        problems.append(
            PolicyProblem(
                "password_too_personal",
                "Choose something other than your user name, your e-mail address or this product.",
            )
        )
    return problems


def _normalise(password: str) -> str | None:
    """Return the NFC form, or None if it is too long.

    Keyboards differ in how they spell ``ä``; the person typed one password
    (NIST SP 800-63B-4, 3.1.1.2).
    """
    if len(password) > _RAW_LIMIT:
        return None
    normal = unicodedata.normalize("NFC", password)
    return normal if len(normal) <= MAX_LENGTH else None


def _prepare(pepper: bytes, normal: str) -> bytes:
    # surrogatepass: verify() must not stumble over what no policy lets in.
    digest = hmac.digest(pepper, normal.encode("utf-8", "surrogatepass"), hashlib.sha384)
    return base64.b64encode(digest)


def _dummy_hash(cost: int) -> str:
    """Return a hash that takes as long as a real one and that no password is known for.

    checkpw() works out the hash of the salt and compares, so the last 31 characters can
    be made up: no hash is spent at every start.
    """
    made_up = "".join(secrets.choice(_BCRYPT_ALPHABET) for _ in range(31))
    return bcrypt.gensalt(cost).decode("ascii") + made_up


@cache
def _common_passwords() -> frozenset[str]:
    text = resources.files(__package__).joinpath("common_passwords.txt").read_text("utf-8")
    _source_and_license, *words = text.splitlines()
    return frozenset(words)


def _context_words(personal: Iterable[str | None]) -> set[str]:
    words = {PRODUCT}
    for text in personal:
        folded = unicodedata.normalize("NFC", text or "").casefold().strip()
        words |= {folded, folded.partition("@")[0]}
    return words - {""}


def _is_little_more_than(word: str, folded: str) -> bool:
    """Tell whether `folded` is `word`, alone or with only digits and punctuation around it."""
    if folded == word:
        return True
    # One or two letters say nothing about a person: "al" does not spoil "al-135-79".
    if len(word) < _SHORTEST_CONTEXT_WORD or word not in folded:
        return False
    return not any(char.isalpha() for char in folded.replace(word, "", 1))
