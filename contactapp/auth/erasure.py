"""Erasing an account: shut at once, its keys destroyed with it, its rows removed by a job.

What the account's keys sealed can be read no more through the database from the commit on. In the
files the keys are overwritten when SQLite copies its log back, which is queued at once, or when
PostgreSQL reuses the space. A book of 50 000 contacts is then removed in small transactions, so
that nobody waits for it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from .. import clock, idempotency
from ..actor import Actor
from ..audit import checkpoints, retention
from ..audit import service as audit
from ..contacts.service import erase_photos, forget_book
from ..database import Sql, database, lane, write_transaction
from ..errors import Conflict
from ..feeds import service as feeds
from ..imports.service import erase_imports, erase_imports_by, forget_imports
from ..jobs.service import Effect, Job, enqueue, renew
from ..operations import service as operations
from ..users.service import lock_owner, picture_files, picture_token
from ..webhooks import service as webhooks
from . import api_tokens, erased, links, places, second_factor, tickets
from .admin import admins_locked
from .recovery import proven
from .sessions import end_all

_BATCH = 500  # rows of a transaction

_BOOKS = Sql("SELECT id, stream_id, key_id FROM book WHERE owner_id = ?")
_USER = Sql("SELECT stream_id, key_id, uid FROM users WHERE id = ? AND password_hash = ''")
_OF_UID = Sql("SELECT id, key_id FROM users WHERE uid = ? AND password_hash <> ''")
_UID = Sql("SELECT uid FROM users WHERE id = ?")
_SHUT = Sql(
    "UPDATE users SET email_index = ?, username_index = NULL, sealed = ?, password_hash = '', "
    "active = ?, role = 'user', avatar = NULL, version = version + 1, updated_at = ? WHERE id = ?"
)
_DESTROY_KEY = Sql("UPDATE key SET wrapped = ? WHERE id = ?")
_TAKE_BACK = Sql("DELETE FROM book_member WHERE book_id = ?")
_SOME_NOTES = Sql("DELETE FROM note WHERE id IN (SELECT id FROM note WHERE book_id = ? LIMIT ?)")
_SOME_CONTACTS = Sql(
    "DELETE FROM contact WHERE id IN (SELECT id FROM contact WHERE book_id = ? LIMIT ?)"
)
_SOME_FIELDS = Sql(
    "DELETE FROM custom_field WHERE id IN (SELECT id FROM custom_field WHERE book_id = ? LIMIT ?)"
)
_SOME_DATA = Sql(
    "DELETE FROM data_entry WHERE id IN (SELECT id FROM data_entry WHERE user_id = ? LIMIT ?)"
)
# The append-only trigger lets go of what is at or below the floor.
_SOME_CHANGES = Sql(
    "DELETE FROM change WHERE stream_id = ? AND seq IN "
    "(SELECT seq FROM change WHERE stream_id = ? ORDER BY seq LIMIT ?)"
)
_OWNED_TABLES = (
    "session",
    "api_token",
    "link",
    "known_place",
    "feed",
    "webhook",
    "job",
    "book_member",
    "data_entry",
    "second_factor",
    "recovery_code",
    "idempotent_answer",
    "ticket",
)
_OWNED = [Sql(f"DELETE FROM {table} WHERE user_id = ?") for table in _OWNED_TABLES]  # noqa: S608
_DROP_BOOK = Sql("DELETE FROM book WHERE id = ?")
_DROP_USER = Sql("DELETE FROM users WHERE id = ?")
_DROP_STREAM = Sql("DELETE FROM stream WHERE id = ?")
_DROP_KEY = Sql("DELETE FROM key WHERE id = ?")
_CHECKPOINT = Sql("PRAGMA wal_checkpoint(TRUNCATE)")


class _Account(NamedTuple):
    """An account that was shut, and the ids of what goes with it."""

    user_id: int
    books: list[int]
    streams: list[int]
    keys: list[int]


def delete_account(actor: Actor, password: str) -> None:
    """Erase the actor's account and everything that is theirs; what others own stays as it is.
    Raises Forbidden (`wrong_password`) and Conflict (`last_admin`)."""
    owner = proven(actor, password)
    [uid] = lane().one(_UID, (owner.user_id,))
    pictures = picture_files(_shut(actor, owner.password_hash))
    with suppress(OSError):  # a full disk: the job does it again
        erased.note(uid)
    for path in pictures:
        path.unlink(missing_ok=True)


@write_transaction
def _shut(actor: Actor, checked: str) -> str | None:
    """Shut the account; what named its picture."""
    admins = admins_locked()
    owner = lock_owner(actor.user_id)
    if owner.password_hash != checked:
        raise Conflict(detail="The password was changed meanwhile.")
    if admins == [owner.user_id]:
        raise Conflict("last_admin")
    picture = picture_token(owner.user_id)
    _empty(owner.user_id, owner.key_id, actor.request_id)
    return picture


@write_transaction
def shut_again(uid: str) -> bool:
    """Shut an account that a backup brought back after it was erased; whether there was one. The
    job removes its rows, as ever."""
    row = lane().one(_OF_UID, (uid,))
    if row is None:
        return False
    _empty(row[0], row[1], "restore")
    return True


def _empty(user_id: int, key_id: int, request_id: str) -> None:
    """Shut an account and destroy its keys, in the running transaction."""
    audit.record("deleted", user_id, key_id, request_id)
    audit.empty(user_id)
    end_all(user_id)
    links.end(user_id)
    places.forget(user_id)
    api_tokens.forget(user_id)
    tickets.forget(user_id)
    second_factor.forget(user_id)
    feeds.forget(user_id)
    webhooks.forget(user_id)
    idempotency.forget(user_id)
    for book_id, _, book_key_id in lane().all(_BOOKS, (user_id,)):
        lane().run(_TAKE_BACK, (book_id,))
        lane().run(_DESTROY_KEY, (b"", book_key_id))
    lane().run(_SHUT, (os.urandom(32), b"", False, clock.now_ms(), user_id))
    lane().run(_DESTROY_KEY, (b"", key_id))
    enqueue("database.tidy")
    enqueue("account.erase", user_id)


def erase(job: Job) -> Effect | None:
    """The job that removes the rows of an account that was shut."""
    user_id = job.ref or 0
    user = lane().one(_USER, (user_id,))
    if user is None:
        return None
    stream_id, key_id, uid = user
    erased.note(uid)
    books = lane().all(_BOOKS, (user_id,))
    account = _Account(
        user_id,
        [book_id for book_id, _, _ in books],
        [*(book_stream_id for _, book_stream_id, _ in books), stream_id],
        [*(book_key_id for _, _, book_key_id in books), key_id],
    )
    _remove_most(job, account)
    return partial(_remove_rest, account)


def _remove_most(job: Job, account: _Account) -> None:
    """Remove what there may be very many of, some in each transaction."""
    for book_id in account.books:
        while erase_photos(book_id) or erase_imports(book_id):
            renew(job)
        for sql in (_SOME_NOTES, _SOME_CONTACTS, _SOME_FIELDS):
            while _remove(sql, (book_id, _BATCH)):
                renew(job)
    while erase_imports_by(account.user_id):
        renew(job)
    while webhooks.purge_some():
        renew(job)
    while _remove(_SOME_DATA, (account.user_id, _BATCH)):
        renew(job)
    for stream_id in account.streams:
        retention.raise_floor(stream_id)
        while _remove(_SOME_CHANGES, (stream_id, stream_id, _BATCH)):
            renew(job)


def _remove_rest(account: _Account) -> None:
    """Remove what is left, also what somebody added who was let in just before the account was
    shut, in the transaction that ends the job."""
    for sql in _OWNED:
        lane().run(sql, (account.user_id,))
    for book_id in account.books:
        lane().run(_TAKE_BACK, (book_id,))
        feeds.forget_book(book_id)
        webhooks.forget_book(book_id)
        forget_book(book_id)
        operations.forget_book(book_id)
        forget_imports(book_id)
        lane().run(_DROP_BOOK, (book_id,))
    lane().run(_DROP_USER, (account.user_id,))
    for stream_id in account.streams:
        lane().run(_DROP_STREAM, (stream_id,))
        checkpoints.drop_all(stream_id)
    for key_id in account.keys:
        lane().run(_DROP_KEY, (key_id,))
    # What SQLite's log still holds of it goes with the next change.
    enqueue("database.tidy")


@write_transaction
def _remove(sql: Sql, parameters: tuple[int, ...]) -> int:
    return lane().run(sql, parameters)


def tidy(_job: Job) -> None:
    """The job that empties SQLite's log, in which erased pages stay until it is begun anew."""
    if database().is_sqlite:
        [(busy, _, _)] = lane().all(_CHECKPOINT)
        if busy:
            raise RuntimeError("somebody reads or writes")  # the queue tries again
