"""A POST that is sent again is done once (draft-ietf-httpapi-idempotency-key-header-07).

The first statement of the request's write transaction claims its key, and the last one before the
commit keeps the sealed answer: the rest of the view runs in between, while the transaction is held
open. So whoever dies between commit and answer leaves an answer to give, and who dies before leaves
nothing. A record that is committed without the answer, to be worked out again later, would not do:
what is worked out later tells of what was changed since, or of nothing where it was erased.

Who comes second waits for the claim: on PostgreSQL for the first one's row, on SQLite for the turn
to write. What fails is undone as ever and leaves no record, so that it can be tried again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import orjson
from flask import Request, Response
from sqlalchemy import BigInteger, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from . import clock
from .actor import Actor
from .bodies import read_ahead
from .database import Held, Model, Sql, held_open, lane
from .engine import DatabaseBusy
from .errors import AppError, BadRequest, Conflict, Forbidden, InvalidFields
from .keyring import keyring

KEPT_MS = 86_400_000
_KEY = re.compile(
    r'[\x20-\x21\x23-\x7e]{1,255}|"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"'
)
_FIND = Sql(
    "SELECT fingerprint, sealed FROM idempotent_answer "
    "WHERE user_id = ? AND key_hash = ? AND created_at BETWEEN ? AND ?"
)
# Takes what is too old over. What is younger than now was written by a clock that was ahead.
_CLAIM = Sql(
    "INSERT INTO idempotent_answer (user_id, key_hash, fingerprint, sealed, created_at) "
    "VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id, key_hash) DO UPDATE SET "
    "fingerprint = excluded.fingerprint, sealed = excluded.sealed, "
    "created_at = excluded.created_at WHERE idempotent_answer.created_at NOT BETWEEN ? AND ? "
    "RETURNING user_id"
)
_KEEP = Sql("UPDATE idempotent_answer SET sealed = ? WHERE user_id = ? AND key_hash = ?")
_DROP = Sql("DELETE FROM idempotent_answer WHERE user_id = ? AND key_hash = ?")
_FORGET = Sql("DELETE FROM idempotent_answer WHERE user_id = ?")
# Not NOT BETWEEN, for which SQLite reads through all answers.
_PURGE = Sql("DELETE FROM idempotent_answer WHERE created_at < ? OR created_at > ?")


class IdempotentAnswer(Model):
    """What a user was answered to a POST with a key. Key and request are there as keyed hashes; the
    book's key seals the answer, so that it goes with the book.

    No foreign key: its lock on the user would be taken before a stream's, and everybody else takes
    them the other way round.
    """

    __tablename__ = "idempotent_answer"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[int] = mapped_column(BigInteger, index=True)


class _Claimed(BaseException):
    """Somebody else had the key first, and is done. Not for a view to catch."""


def answer_once(asked: Request, actor: Actor, view: Callable[[], Any], times: int) -> Response:
    """What the view answers to the request of this actor, whom the guard has just let in; what it
    answered before, where that was with the same key. Raises what the view raises, BadRequest for
    a malformed key, InvalidFields (`idempotency_key_reused`) and Conflict
    (`idempotency_in_progress`). `times`: see `Blueprint.body`."""
    once = _Once(asked, actor, times)
    answer = once.stored()
    if answer is not None:
        return answer
    headers = asked.environ["contactapp.headers"]
    before = len(headers)
    try:
        return once.run(view, before)
    except _Claimed:
        del headers[before:]
    answer = once.stored()
    if answer is None:  # it is being erased, or too old since this moment
        raise _in_progress(1)
    return answer


class _Once:
    """A request with a key."""

    def __init__(self, asked: Request, actor: Actor, times: int) -> None:
        secret, key = keyring().purpose("index"), _key_of(asked)
        text = f"idempotency key|{actor.user_id}|{key}"
        self._asked = asked
        self._actor = actor
        self._row = (actor.user_id, hmac.digest(secret, text.encode(), hashlib.sha256))
        self._place = ("idempotent_answer", "sealed", actor.user_id, self._row[1].hex())
        self._fingerprint = _fingerprint(secret, asked, times)

    def stored(self) -> Response | None:
        """The answer that is kept, if any. Raises InvalidFields where it was to another request,
        and Forbidden where the actor may only read the book by now."""
        row = lane().one(_FIND, (*self._row, *_kept()))
        if row is None:
            return None
        fingerprint, sealed = row
        if not hmac.compare_digest(fingerprint, self._fingerprint):
            raise InvalidFields("idempotency_key_reused")
        book = self._actor.book
        head, _, body = keyring().cipher(book.key_id).open(sealed, *self._place).partition(b"\n")
        status, content_type, written, headers = orjson.loads(head)
        if written and not book.writable:
            raise Forbidden("read_only_book")
        own = self._asked.environ["contactapp.headers"]
        own.extend((name, value) for name, value in headers)
        own.append(("Idempotency-Replayed", "true"))
        answer = Response(body, status, content_type=content_type)
        if content_type is None:
            del answer.headers["Content-Type"]
        return answer

    def run(self, view: Callable[[], Any], before: int) -> Response:
        """Have the view answer, and keep that with what it has written. `before`: how many headers
        were there."""
        with _at_work(self._row), held_open(self._claim) as held:
            try:
                answer = view()
            except AppError as error:
                # What the view has written before it refused is meant to stay, as a try that is
                # counted; a fault of ours leaves nothing, so that it can be tried again.
                if held.is_open and error.status < 500:
                    self._settle(held, None)
                raise
            if held.is_open:
                self._settle(held, self._sealed(answer, before))
            return answer

    def _claim(self) -> None:
        now = clock.now_ms()
        try:
            row = (*self._row, self._fingerprint, b"", now)
            if not lane().change(_CLAIM, (*row, *_kept())):
                raise _Claimed()
        except DatabaseBusy as error:
            raise _in_progress(error.retry_after) from error

    def _settle(self, held: Held, sealed: bytes | None) -> None:
        if sealed is None:
            lane().run(_DROP, self._row)
        else:
            lane().run(_KEEP, (sealed, *self._row))
        held.settle()

    def _sealed(self, answer: Response, before: int) -> bytes | None:
        """The answer as it is kept; None for an error, and for a stream, which is not known yet."""
        if answer.status_code >= 400 or answer.is_streamed:
            return None
        headers = self._asked.environ["contactapp.headers"][before:]
        book = self._actor.book
        about = (answer.status_code, answer.headers.get("Content-Type"), book.writable, headers)
        text = orjson.dumps(about) + b"\n" + answer.get_data()
        return keyring().cipher(book.key_id).seal(text, *self._place)


# By user and key: what this process is at.
_working: Counter[tuple[int, bytes]] = Counter()
_working_lock = Lock()


@contextmanager
def _at_work(row: tuple[int, bytes]) -> Iterator[None]:
    """Say what somebody waited for in vain: on SQLite all writers of a process wait for one turn,
    and the other process that keeps it may be at anything."""
    with _working_lock:
        _working[row] += 1
    try:
        yield
    except DatabaseBusy as error:
        if _working[row] > 1:
            raise _in_progress(error.retry_after) from error
        raise
    finally:
        with _working_lock:
            _working[row] -= 1
            if not _working[row]:
                del _working[row]


def _in_progress(seconds: int) -> Conflict:
    return Conflict("idempotency_in_progress", headers={"Retry-After": str(seconds)})


def forget(user_id: int) -> None:
    """Delete what a user was answered, in the running transaction."""
    lane().run(_FORGET, (user_id,))


def purge() -> None:
    """Delete what is kept no longer, in the running transaction."""
    lane().run(_PURGE, _kept())


def _kept() -> tuple[int, int]:
    """The oldest and the youngest time of what counts."""
    now = clock.now_ms()
    return now - KEPT_MS + 1, now + KEPT_MS


def _key_of(asked: Request) -> str:
    """The key, which the draft has in quotes and most clients send without them."""
    found = _KEY.fullmatch(asked.environ["HTTP_IDEMPOTENCY_KEY"].strip(" \t"))
    if found is None:
        raise BadRequest("invalid_idempotency_key")
    return found[1] or found[0]


def _fingerprint(secret: bytes, asked: Request, times: int) -> bytes:
    """A keyed hash of what is asked for."""
    body = read_ahead(times)
    # A browser draws another boundary each time it sends the same form.
    boundary = asked.mimetype_params.get("boundary")
    if boundary:
        body = body.replace(boundary.encode(), b"")
    parts = (asked.method, asked.path, asked.query_string.decode("latin-1"), asked.mimetype)
    head = orjson.dumps(parts)
    return hmac.digest(secret, head + body, hashlib.sha256)


__all__ = ["IdempotentAnswer", "answer_once", "forget", "purge"]
