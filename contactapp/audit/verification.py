"""Following the chains of changes and of audit events, link by link.

A head is an HMAC over the head before it and everything its row says (`changes.service.next_head`),
so a row that somebody edited, took out or put between is where its chain breaks first. What was
emptied breaks nothing: the chain covers the hash of what was sealed. Each chain must go through its
checkpoints, and begin at the floor that they tell; so who takes away the newest links, or the
oldest, is found out. So is who puts a row where no link is, before the first number or after the
last, who leaves a chain to nobody, where no trail shows it, and who gives it to another: what it
has sealed does not open by that one's key. What the rows up to a floor say besides its head is not
followed any more, and no list shows it. See `outside` for who takes the checkpoints away too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from ..changes.chain import GENESIS, LINKED
from ..changes.service import opened
from ..crypto import SealError
from ..database import Sql, database, lane
from ..keyring import Erased, keyring
from . import checkpoints
from .checkpoints import EVENTS, Checkpoint
from .links import NEVER_WRITTEN, Links
from .service import CHAINED

_BATCH = 1000
_LEAST = -(2**63)  # none of ours is below 1, but somebody may have put one there
_CHANGE_COLUMNS = (*LINKED, "sealed", "head")
_EVENT_COLUMNS = (*CHAINED, "seq", "sealed", "head")
# With whose they are, of many at once: no index leads from a stream to a user.
_STREAMS = Sql(
    "SELECT s.id, b.id, b.key_id, u.id, u.key_id FROM (SELECT id FROM stream WHERE id > ? "
    "ORDER BY id LIMIT ?) s LEFT JOIN book b ON b.stream_id = s.id "
    "LEFT JOIN users u ON u.stream_id = s.id ORDER BY s.id"
)
_STREAM = Sql("SELECT seq, head, floor FROM stream WHERE id = ?")
_CHANGES = Sql(
    f"SELECT {', '.join(_CHANGE_COLUMNS)} FROM change "  # noqa: S608
    "WHERE stream_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)
_OUTSIDE = Sql(
    "SELECT seq FROM change WHERE stream_id = ? AND (seq < 1 OR seq > ?) ORDER BY seq LIMIT 1"
)
_NEWEST_SEALED = Sql(
    "SELECT seq, sealed FROM change WHERE stream_id = ? AND sealed IS NOT NULL "
    "ORDER BY seq DESC LIMIT 1"
)
_COUNT = Sql("SELECT count(*) FROM stream")
# Erasing an account takes its checkpoints away together with its streams.
_ORPHANS = Sql(
    "SELECT c.stream_id, max(c.seq) FROM checkpoint c WHERE c.stream_id <> 0 AND NOT EXISTS "
    "(SELECT 1 FROM stream s WHERE s.id = c.stream_id) GROUP BY c.stream_id ORDER BY c.stream_id"
)
_HEAD_AT = Sql("SELECT head FROM change WHERE stream_id = ? AND seq = ?")
_EVENTS = Sql(
    f"SELECT {', '.join(_EVENT_COLUMNS)} FROM audit_event "  # noqa: S608
    "WHERE seq > ? ORDER BY seq LIMIT ?"
)
_EVENTS_OUTSIDE = Sql("SELECT seq FROM audit_event WHERE seq < 1 ORDER BY seq LIMIT 1")


class Chain(NamedTuple):
    """A chain that was followed: what it is of, how many links hold, and what is wrong with the
    first that does not."""

    of: str
    links: int
    broken: str | None


class _Owner(NamedTuple):
    """Whose a stream is: a book's or the data of a user, with the key; nobody's; or, where somebody
    saw to it, both's."""

    book_id: int | None
    book_key: int | None
    user_id: int | None
    user_key: int | None


def count_chains() -> int:
    """How many there are to follow."""
    return lane().one(_COUNT)[0] + len(lane().all(_ORPHANS)) + 1


def follow_all() -> Iterator[Chain]:
    """Every chain, one after another: each book's changes, then the audit events. Each is read in
    one state of the database, so that who writes, or erases an account, breaks none meanwhile."""
    last = _LEAST
    while streams := lane().all(_STREAMS, (last, _BATCH)):
        for stream_id, *owners in streams:
            owner = _Owner(*owners)
            chain = _followed(f"stream {stream_id}", partial(_follow_changes, stream_id, owner))
            if chain is not None:
                yield chain
        last = streams[-1][0]
    for stream_id, seq in lane().all(_ORPHANS):
        yield Chain(f"stream {stream_id}", 0, f"it is gone, and a checkpoint saw its number {seq}")
    chain = _followed("audit events", _follow_events)
    if chain is not None:
        yield chain


def _followed(of: str, follow: Callable[[], Chain | None]) -> Chain | None:
    try:
        with lane().snapshot():
            return follow()
    except _unreadable():
        return Chain(of, 0, "what is known of it cannot be read")


def _unreadable() -> type[Exception]:
    """What the driver raises for that: as SQLite's, where bytes that are no text stand for one."""
    return database().engine.dialect.loaded_dbapi.Error


def _follow_changes(stream_id: int, owner: _Owner) -> Chain | None:
    """None where the stream was erased since."""
    stream = lane().one(_STREAM, (stream_id,))
    if stream is None:
        return None
    seq, head, floor = stream
    of = f"book {owner.book_id}" if owner.book_id else f"data of user {owner.user_id}"
    is_nobodys = owner.book_id is None and owner.user_id is None
    if is_nobodys:
        of = f"stream {stream_id}"
    marks = checkpoints.of_stream(stream_id)
    begins, problem = _beginning(stream_id, seq, floor, marks)
    link = Links(LINKED, floor, begins, marks)
    problem = problem or _walk(link, _CHANGE_COLUMNS, _CHANGES, (stream_id,), (seq,))
    if problem is None and link.seq != seq:
        problem = f"number {link.seq + 1} is missing, and all after it"
    if problem is None and link.head != head:
        problem = f"number {seq} is not what its stream ends with"
    problem = problem or _outside(_OUTSIDE, (stream_id, seq)) or link.unreached()
    if problem is None and seq:
        problem = "no book and no account has it" if is_nobodys else _owned(stream_id, owner)
    return Chain(of, link.count, problem)


def _owned(stream_id: int, owner: _Owner) -> str | None:
    """What is wrong where the chain is another's, which one blob tells: its links tell no owner."""
    row = lane().one(_NEWEST_SEALED, (stream_id,))
    for key_id in (owner.book_key, owner.user_key) if row is not None else ():
        try:
            if key_id is not None:
                opened(keyring().cipher(key_id), stream_id, *row)
        except Erased:
            continue
        except SealError:
            return f"what number {row[0]} has sealed does not open by its key"
    return None


def _outside(sql: Sql, of: tuple[int, ...]) -> str | None:
    """What is wrong where a row has a number that no link of the chain can have."""
    row = lane().one(sql, of)
    return row and f"number {row[0]} is outside of the chain"


def _beginning(
    stream_id: int, seq: int, floor: int, marks: list[Checkpoint]
) -> tuple[bytes, str | None]:
    """The head before the first link, and what is wrong with where that is."""
    told = max((mark.floor for mark in marks if mark.is_genuine()), default=0)
    if floor != told:
        return GENESIS, f"it begins after number {floor}, and by its checkpoints after {told}"
    if floor == 0:
        return GENESIS, None
    row = lane().one(_HEAD_AT, (stream_id, floor))
    if row is None and floor == seq:  # its account is being erased
        row = next(((mark.head,) for mark in marks if mark.seq == floor), None)
    if row is None:
        return GENESIS, f"number {floor}, from which the others follow, is missing"
    return row[0], None


def _follow_events() -> Chain:
    link = Links((*CHAINED, "seq"), 0, GENESIS, checkpoints.of_stream(EVENTS))
    problem = _walk(link, _EVENT_COLUMNS, _EVENTS, (), ())
    problem = problem or _outside(_EVENTS_OUTSIDE, ()) or link.unreached()
    return Chain("audit events", link.count, problem)


def _walk(
    link: Links, columns: tuple[str, ...], sql: Sql, of: tuple[int, ...], until: tuple[int, ...]
) -> str | None:
    """Follow all rows that the statement gives; what is wrong with the first that does not hold."""
    at_once = _BATCH
    while True:
        try:
            rows = lane().all(sql, (*of, link.seq, *until, at_once))
        except _unreadable():
            if at_once == 1:
                return NEVER_WRITTEN.format(link.seq + 1)
            at_once = 1  # to find which
            continue
        if not rows:
            return None
        for row in rows:
            problem = link.follow(dict(zip(columns, row, strict=True)))
            if problem:
                return problem
