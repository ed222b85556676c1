"""Finding an account by address or user name, which only their keyed fingerprints tell."""

from __future__ import annotations

from typing import NamedTuple

from ..crypto import blind_index
from ..database import Sql, lane
from ..keyring import keyring
from .identity import canonical_username, parse_email, parse_login

_BY_EMAIL = Sql("SELECT id, password_hash, active, key_id FROM users WHERE email_index = ?")
_BY_USERNAME = Sql("SELECT id, password_hash, active, key_id FROM users WHERE username_index = ?")


class Credentials(NamedTuple):
    """What sign-in needs to know of an account."""

    user_id: int
    password_hash: str
    active: bool
    key_id: int


def find_credentials(login: str) -> Credentials | None:
    """The account that an address or user name means, or None."""
    try:
        kind, canonical = parse_login(login)
    except ValueError:
        return None
    row = lane().one(_BY_EMAIL if kind == "email" else _BY_USERNAME, (index_of(kind, canonical),))
    return row and Credentials(row[0], row[1], bool(row[2]), row[3])


def email_is_taken(email: str) -> bool:
    """Whether an account has this address."""
    return lane().one(_BY_EMAIL, (index_of("email", parse_email(email)[1]),)) is not None


def username_is_taken(username: str) -> bool:
    """Whether an account has this user name."""
    index = index_of("username", canonical_username(username))
    return lane().one(_BY_USERNAME, (index,)) is not None


def index_of(kind: str, canonical: str) -> bytes:
    """The fingerprint of a canonical address (`email`) or name (`username`)."""
    return blind_index(keyring().purpose("index"), kind, canonical)
