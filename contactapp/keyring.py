"""The key hierarchy: master keys wrap, the keys in the `key` table seal.

One random key per book and per user, and one per purpose (blind index, cursors, change chain and
so on). Only wrapped keys are stored, so rotating a master key re-wraps rows and changes nothing
else; what a key sealed is erased with it.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from flask import current_app
from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from . import clock, crypto
from .crypto import Cipher, SealError
from .database import BigId, ConstraintViolated, Lane, Model, Sql, write_transaction
from .database import lane as current_lane

if TYPE_CHECKING:
    from .config import NamedSecret

PURPOSES = ("canary", "index", "cursor", "mail", "chain", "media", "feed", "factor", "backup")
RESTORED = "restored"  # the purpose of a key that seals nothing (see `epoch`)
_CACHED = 20_000
_BY_ID = Sql("SELECT id, uid, wrapped FROM key WHERE id = ?")
_BY_PURPOSE = Sql("SELECT id, uid, wrapped FROM key WHERE purpose = ?")
_PRESENT = Sql("SELECT purpose FROM key WHERE purpose IS NOT NULL")


class Key(Model):
    """A wrapped key. `purpose` is set for the installation's own keys only."""

    __tablename__ = "key"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uid: Mapped[str] = mapped_column(String(36), unique=True)
    purpose: Mapped[str | None] = mapped_column(String(16), unique=True)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger)


class WrongMasterKey(Exception):
    """None of the configured master keys opens this database's keys."""


class MissingKey(Exception):
    """The database lacks one of the installation's keys: it was not brought up to date."""


class Erased(SealError):
    """The key is gone, and with it whatever it sealed: the account was erased."""


class Keyring:
    """Opens keys with the master keys and keeps them, the least recently used go first."""

    def __init__(self, masters: Iterable[NamedSecret], lane: Lane) -> None:
        self._masters = ciphers_of(masters)
        self._newest = next(iter(self._masters.values()))
        self._lane = lane
        self._lock = threading.Lock()
        self._ciphers: OrderedDict[int, Cipher] = OrderedDict()
        self._purposes: dict[str, bytes] = {}
        self._epoch: str | None = None

    def cipher(self, key_id: int) -> Cipher:
        """The cipher of a book's, a user's or a purpose's key. Raises Erased."""
        with self._lock:
            found = self._ciphers.get(key_id)
            if found is not None:
                self._ciphers.move_to_end(key_id)
                return found
        row = self._lane.one(_BY_ID, (key_id,))
        if row is None or not row[-1]:
            raise Erased("the key was erased")
        key = self._unwrap(*row)
        # A key of the running transaction may be undone, and another get its id.
        return Cipher(key_id, key) if self._lane.in_transaction else self.keep(key_id, key)

    def purpose(self, name: str) -> bytes:
        """The raw key of one of PURPOSES. Raises WrongMasterKey or MissingKey (not migrated)."""
        key = self._purposes.get(name)
        if key is None:
            row = self._lane.one(_BY_PURPOSE, (name,))
            if row is None:
                raise MissingKey(f"the database has no {name} key: run `contactapp db upgrade`")
            key = self._purposes[name] = self._unwrap(*row)
        return key

    def epoch(self) -> str:
        """Eight hexadecimal digits that are others after every restore of a backup; empty before
        the first. Numbers that count up are given again then, and mean something else: whatever
        leaves the program with one has to carry this too.

        Asked for once: nothing is restored while this process runs."""
        if self._epoch is None:
            row = self._lane.one(_BY_PURPOSE, (RESTORED,))
            self._epoch = row[1][:8] if row else ""
        return self._epoch

    def keep(self, key_id: int, key: bytes) -> Cipher:
        """Remember an opened key."""
        cipher = Cipher(key_id, key)
        with self._lock:
            self._ciphers[key_id] = cipher
            if len(self._ciphers) > _CACHED:
                self._ciphers.popitem(last=False)
        return cipher

    def wrap(self, key: bytes, uid: str) -> bytes:
        """Wrap with the newest master key."""
        return self._newest.seal(key, "key", "wrapped", uid)

    def _unwrap(self, _key_id: int, uid: str, wrapped: bytes) -> bytes:
        return self.unwrap(uid, wrapped)

    def unwrap(self, uid: str, wrapped: bytes) -> bytes:
        """The key of a row. Raises WrongMasterKey."""
        return unwrapped(self._masters, uid, wrapped)


_WRONG = (
    "CONTACTAPP_MASTER_KEYS does not open this database: give it the keys the database was made "
    "with (in development they are in instance/secrets.env)"
)


def ciphers_of(masters: Iterable[NamedSecret]) -> dict[int, Cipher]:
    """Master keys by the number that stands for them, in their order: the newest first."""
    ciphers = (crypto.master_cipher(master.id, master.value) for master in masters)
    return {cipher.key_id: cipher for cipher in ciphers}


def unwrapped(masters: Mapping[int, Cipher], uid: str, wrapped: bytes) -> bytes:
    """The key of a row. Raises WrongMasterKey."""
    master = masters.get(crypto.key_id_of(wrapped))
    if master is None:
        raise WrongMasterKey(_WRONG)
    try:
        return master.open(wrapped, "key", "wrapped", uid)
    except SealError:
        raise WrongMasterKey(_WRONG) from None


def keyring() -> Keyring:
    """The keyring of the current application."""
    return current_app.extensions["contactapp.keyring"]


def create_key(purpose: str | None = None) -> Cipher:
    """Insert a new random key in the running transaction and return its cipher."""
    uid, key = str(uuid.uuid4()), crypto.new_key()
    row = {
        "uid": uid,
        "purpose": purpose,
        "wrapped": keyring().wrap(key, uid),
        "created_at": clock.now_ms(),
    }
    return Cipher(current_lane().insert("key", row), key)


def create_purpose_keys() -> None:
    """Make the installation's own keys that are missing. Safe to run again, and side by side."""
    try:
        _create_missing_keys()
    except ConstraintViolated:  # another process made them in the meantime, and is done with it
        _create_missing_keys()


@write_transaction
def _create_missing_keys() -> None:
    present = {row[0] for row in current_lane().all(_PRESENT)}
    if "canary" in present:  # a key wrapped with a wrong master key could never be opened again
        keyring().purpose("canary")
    for purpose in PURPOSES:
        if purpose not in present:
            create_key(purpose)


def check_purpose_keys() -> None:
    """Open every key of the installation, the canary first. Raises WrongMasterKey or MissingKey."""
    for purpose in PURPOSES:
        keyring().purpose(purpose)
