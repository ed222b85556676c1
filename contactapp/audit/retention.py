"""Deleting old changes: the one function that raises a stream's floor, and the job that calls it.

What is below the floor goes. The row at the floor stays, empty, because the next one follows from
its head, and so does whoever has seen all up to it. A signed checkpoint tells the floor: a chain
that begins where none says so was cut off by somebody else.
"""

from __future__ import annotations

from .. import clock
from ..config import settings
from ..database import Sql, lane, write_transaction
from ..jobs.service import Job, renew
from . import checkpoints

DAY_MS = 86_400_000
_BATCH = 500  # rows of a transaction
_STREAMS = 100  # of a page

_STATE = "SELECT seq, head, floor FROM stream WHERE id = ?"
_LOCK = Sql(_STATE, postgresql=f"{_STATE} FOR UPDATE")
_RAISE = Sql("UPDATE stream SET floor = ? WHERE id = ?")
_EMPTY = Sql("UPDATE change SET sealed = NULL WHERE stream_id = ? AND seq = ?")
_BEGINS_OLD = Sql(
    "SELECT s.id, s.seq, s.floor FROM stream s JOIN change k ON k.stream_id = s.id "
    "AND k.seq = s.floor + 1 WHERE s.id > ? AND k.at < ? ORDER BY s.id LIMIT ?"
)
_FIRST_YOUNG = Sql(
    "SELECT seq FROM change WHERE stream_id = ? AND seq > ? AND at >= ? ORDER BY seq LIMIT 1"
)
# Also what a purge left that was killed in the middle.
_LEFT = Sql(
    "SELECT s.id, s.floor FROM stream s WHERE s.id > ? AND EXISTS (SELECT 1 FROM change k "
    "WHERE k.stream_id = s.id AND k.seq < s.floor) ORDER BY s.id LIMIT ?"
)
_SOME = Sql(
    "DELETE FROM change WHERE stream_id = ? AND seq IN (SELECT seq FROM change "
    "WHERE stream_id = ? AND seq < ? ORDER BY seq LIMIT ?)"
)


def purge(job: Job) -> None:
    """The job that deletes the changes older than CHANGE_RETENTION_DAYS, in small transactions."""
    days = settings().change_retention_days
    if days:
        _raise_floors(job, clock.now_ms() - days * DAY_MS)
    last = 0
    while streams := lane().all(_LEFT, (last, _STREAMS)):
        for stream_id, floor in streams:
            while _delete_some(stream_id, floor):
                renew(job)
        last = streams[-1][0]


def _raise_floors(job: Job, cutoff: int) -> None:
    """Raise every floor to just below the first row that is young enough to stay. Rows are taken
    in their order and not by their time: where the clock jumped, an old one among young ones stays
    until all before it are old."""
    last = 0
    while streams := lane().all(_BEGINS_OLD, (last, cutoff, _STREAMS)):
        for stream_id, seq, floor in streams:
            young = lane().one(_FIRST_YOUNG, (stream_id, floor, cutoff))
            raise_floor(stream_id, young[0] - 1 if young else seq)
        last = streams[-1][0]
        renew(job)


@write_transaction
def raise_floor(stream_id: int, floor: int | None = None) -> None:
    """Let the changes below a number be deleted, below the newest where None is given, and make
    the checkpoint that says so. Nothing where the floor is there already, or the stream is gone."""
    state = lane().one(_LOCK, (stream_id,))
    if state is None:
        return
    seq, head, before = state
    floor = seq if floor is None else floor
    if not before < floor <= seq:
        return
    checkpoints.mark(stream_id, seq, floor, head)
    lane().run(_RAISE, (floor, stream_id))
    lane().run(_EMPTY, (stream_id, floor))
    checkpoints.drop_below(stream_id, floor)


@write_transaction
def _delete_some(stream_id: int, floor: int) -> int:
    return lane().run(_SOME, (stream_id, stream_id, floor, _BATCH))
