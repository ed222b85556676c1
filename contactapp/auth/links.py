"""One-time links and codes by mail.

A link's token is its row's number and an HMAC over what the row says, so that a job can write the
mail from the row alone and the database holds nothing that opens anything. Only the newest link of
its purpose is good, once. GET never spends one.
"""

from __future__ import annotations

import hmac
import re
import uuid
from typing import NamedTuple

from .. import clock
from ..config import settings
from ..crypto import ROW_TOKEN, row_token
from ..database import Sql, lane, write_transaction
from ..errors import BadRequest
from ..jobs.service import enqueue
from ..keyring import keyring
from ..users.service import Owner

HOUR_MS = 3_600_000
LIFETIMES_MS = {"verify": 24 * HOUR_MS, "reset": HOUR_MS // 2, "email": 24 * HOUR_MS}
CODE_MS = 15 * 60_000
CODE_TRIES = 5
MAILS_A_DAY = 5  # to one account: nobody's mailbox is filled by strangers
_CODE = re.compile("[0-9]{6}")

_COLUMNS = "id, user_id, purpose, created_at, expires_at, ended_at, code_tries, uid, sealed"
_BY_ID = Sql(f"SELECT {_COLUMNS} FROM link WHERE id = ?")  # noqa: S608
_NEWEST = Sql(
    f"SELECT {_COLUMNS} FROM link WHERE user_id = ? AND purpose = ? AND ended_at IS NULL "  # noqa: S608
    "ORDER BY id DESC LIMIT 1"
)
_LATELY = Sql("SELECT count(*) FROM link WHERE user_id = ? AND created_at > ?")
_END = "UPDATE link SET ended_at = ? WHERE ended_at IS NULL AND "
_END_ONE = Sql(f"{_END}id = ?")
_END_PURPOSE = Sql(f"{_END}user_id = ? AND purpose = ?")
_END_ALL = Sql(f"{_END}user_id = ?")
_TRY = Sql(
    "UPDATE link SET code_tries = code_tries + 1 WHERE id = ? AND ended_at IS NULL "
    "AND code_tries < ?"
)
_PURGE = Sql("DELETE FROM link WHERE expires_at < ?")


class Link(NamedTuple):
    """A row; times in milliseconds."""

    id: int
    user_id: int
    purpose: str
    created_at: int
    expires_at: int
    ended_at: int | None
    code_tries: int
    uid: str
    sealed: bytes

    @property
    def token(self) -> str:
        """What the link in the mail carries."""
        return row_token(self.id, self._mac("link"))

    @property
    def code(self) -> str:
        """The six digits that say the same to a person."""
        return f"{int.from_bytes(self._mac('code')[:8], 'big') % 1_000_000:06}"

    @property
    def url(self) -> str:
        """The page that the link opens, at the configured address whatever a request said."""
        return f"{settings().base_url}/account/{self.purpose}?token={self.token}"

    def address(self, key_id: int) -> str:
        """Where its mail goes."""
        cipher = keyring().cipher(key_id)
        return cipher.open(self.sealed, *_place(self.user_id, self.uid)).decode()

    def is_live(self) -> bool:
        """Whether it may still be spent."""
        return self.ended_at is None and clock.now_ms() < self.expires_at

    def _mac(self, kind: str) -> bytes:
        text = f"{kind}|{self.purpose}|{self.id}|{self.user_id}|{self.expires_at}"
        return hmac.digest(keyring().purpose("mail"), text.encode(), "sha256")


def issue(owner: Owner, purpose: str, address: str, *, proven: bool = False) -> bool:
    """Make a link in the place of older ones and queue its mail, in the running transaction that
    has locked the owner. False where the account had its mails of the day, unless the mailbox was
    just `proven` to be of whoever asks."""
    now = clock.now_ms()
    [lately] = lane().one(_LATELY, (owner.user_id, now - 24 * HOUR_MS))
    if lately >= MAILS_A_DAY and not proven:
        return False
    end(owner.user_id, purpose)
    link_id = _insert(owner, purpose, address, now, now + LIFETIMES_MS[purpose])
    enqueue(f"mail.{purpose}", link_id, owner.user_id)
    return True


def _insert(owner: Owner, purpose: str, address: str, now: int, expires_at: int) -> int:
    uid = str(uuid.uuid4())
    sealed = keyring().cipher(owner.key_id).seal(address.encode(), *_place(owner.user_id, uid))
    row = {
        "uid": uid,
        "user_id": owner.user_id,
        "purpose": purpose,
        "sealed": sealed,
        "created_at": now,
        "expires_at": expires_at,
        "ended_at": now if expires_at == now else None,
        "code_tries": 0,
    }
    return lane().insert("link", row)


def hand_out(owner: Owner, purpose: str) -> Link:
    """Make a link in the place of older ones without a mail, in the running transaction."""
    now = clock.now_ms()
    end(owner.user_id, purpose)
    link_id = _insert(owner, purpose, owner.email, now, now + LIFETIMES_MS[purpose])
    link = get(link_id)
    assert link is not None
    return link


def remember(owner: Owner, address: str) -> int:
    """The number of a row that holds an address for a notice, and opens nothing."""
    now = clock.now_ms()
    return _insert(owner, "told", address, now, now)


def get(link_id: int) -> Link | None:
    """A link by its number."""
    row = lane().one(_BY_ID, (link_id,))
    return row and Link(*row)


def find(token: str, purpose: str) -> Link:
    """The live link that a token names. Raises BadRequest (`invalid_link`)."""
    parts = ROW_TOKEN.fullmatch(token)
    link = get(int(parts[1])) if parts else None
    if (
        link is None
        or link.purpose != purpose
        or not hmac.compare_digest(token, link.token)
        or not link.is_live()
    ):
        raise BadRequest("invalid_link")
    return link


def find_by_code(user_id: int | None, purpose: str, code: str) -> Link:
    """The newest link of a user, if this is its code and it was not tried too often or too late.
    The try is counted before it is looked at. Raises BadRequest (`invalid_link`)."""
    link = _tried(user_id, purpose) if user_id and _CODE.fullmatch(code) else None
    if (
        link is None
        or not link.is_live()
        or clock.now_ms() >= link.created_at + CODE_MS
        or not hmac.compare_digest(code, link.code)
    ):
        raise BadRequest("invalid_link")
    return link


@write_transaction
def _tried(user_id: int, purpose: str) -> Link | None:
    row = lane().one(_NEWEST, (user_id, purpose))
    if row is None or lane().run(_TRY, (row[0], CODE_TRIES)) != 1:
        return None
    return Link(*row)


def spend(link: Link) -> None:
    """End a link in the running transaction. Raises BadRequest where somebody else did."""
    if lane().run(_END_ONE, (clock.now_ms(), link.id)) != 1:
        raise BadRequest("invalid_link")


def end(user_id: int, purpose: str | None = None) -> None:
    """End a user's links of one purpose, or all, in the running transaction."""
    if purpose is None:
        lane().run(_END_ALL, (clock.now_ms(), user_id))
    else:
        lane().run(_END_PURPOSE, (clock.now_ms(), user_id, purpose))


def purge() -> None:
    """Delete what expired a day ago and no longer counts, in the running transaction."""
    lane().run(_PURGE, (clock.now_ms() - 24 * HOUR_MS,))


def _place(user_id: int, uid: str) -> tuple[object, ...]:
    return ("link", "sealed", user_id, uid)
