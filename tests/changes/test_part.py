"""A part of a stream is what reading all of its rows would give, wherever it begins and ends."""

import random

import pytest

from contactapp.books.service import CONTACTS
from contactapp.changes import part
from contactapp.changes.chain import GENESIS
from contactapp.changes.part import Position
from contactapp.changes.service import SHOWN
from contactapp.database import Sql, lane
from contactapp.errors import Gone
from tests.changes.test_feed import _EMPTY, _RAISE, append, in_stream, purge
from tests.support.books import book_of

LAST = 40
DEEDS = (
    *(("contact", "create"), ("contact", "update"), ("contact", "delete"), ("contact", "purge")),
    *(("note", "create"), ("note", "process"), ("custom_field", "update")),
)
TYPES = ((), (), ("contact",), ("note.processed",), ("contact.deleted", "note"), ("data",))
LIMITS, ROOMS = (1, 2, 7, 500), (1, 80, 150, 300, 600, 2**20)
LOOKED_THROUGH = 7
_ROWS = Sql(
    "SELECT seq, head, entity, op, coalesce(length(sealed), 0) FROM change "
    "WHERE stream_id = ? ORDER BY seq"
)


def plain(rows, floor, since, types, limit, room):
    """{number: length} of what is told after one, and the number where the next part begins."""
    after, span = max(since, floor), LOOKED_THROUGH if types else limit
    found = [
        (seq, size)
        for seq, _, entity, op, size in rows
        if after < seq <= after + span
        and (not types or {entity, f"{entity}.{SHOWN[op]}"}.intersection(types))
    ][: limit + 1]
    told = found
    if any(size > room // (limit + 1) for _, size in found):
        told = [one for n, one in enumerate(found) if sum(size for _, size in found[:n]) < room]
    told = dict(told[:limit])
    return told, max(told) if len(told) < len(found) else min(after + span, LAST)


@pytest.fixture
def stream(alice, monkeypatch):
    """Alice, with a stream of short, long and erased changes, and where her dice lie."""
    monkeypatch.setattr(part, "_LOOKED_THROUGH", LOOKED_THROUGH)
    dice, rows = random.Random(5), []
    for number in range(1, LAST + 1):
        entity, op = dice.choice(DEEDS)
        body = {"body": "x" * dice.choice([0, 10, 100, 500])}
        rows.append((entity, number, op, 1, None if op in {"delete", "purge"} else body))
    append(alice, *rows)
    for seq in (5, 6, 20):
        in_stream(alice, lambda stream_id, seq=seq: lane().run(_EMPTY, (stream_id, seq)))
    return alice, dice


@pytest.mark.parametrize("floor", [0, 3, 17, LAST])
def test_a_part_is_what_a_plain_reading_gives(stream, floor):
    person, dice = stream
    in_stream(person, lambda stream_id: lane().run(_RAISE, (floor, stream_id)))
    if floor == 17:
        purge(person, floor)
    with person.app.app_context():
        book = book_of(person)
        rows = lane().all(_ROWS, (book.stream_id,))
        heads = {0: GENESIS, **{row[0]: row[1] for row in rows}}
        for _ in range(120):
            since, types, limit = (dice.choice(s) for s in (range(LAST + 2), TYPES, LIMITS))
            size = max(1, dice.choice(rows)[-1])  # there may be room for just that, or for each
            asked = (types, limit, dice.choice((*ROOMS, size, size * (limit + 1))))
            position = Position(since, heads.get(since, b"another"))
            if not floor <= since <= LAST:
                with pytest.raises(Gone):
                    part.read(book, position, *asked)
                position, since = None, 0
            found = part.read(book, position, *asked)
            told, end = plain(rows, floor, since, *asked)
            assert {row[0]: len(row[part.SEALED] or b"") for row in found.rows} == told
            assert [item["seq"] for item in part.items(found)] == list(told)
            assert found.end == Position(end, heads[end])
            assert found.has_more == (end < LAST)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_changes_are_found_by_their_numbers_before_the_table_was_ever_analysed(stream):
    """And not by what they are of, which goes through the whole stream."""
    alice, _ = stream
    with alice.app.app_context():
        id_ = book_of(alice).stream_id
        state, numbers = (id_, 1, 1, id_, LAST, LAST, id_), (id_, 0, LAST)
        for sql, parameters in (
            (part._statement(part._SHORT, frozenset()), (*state, 100, *numbers, LAST)),
            (part._statement(part._LONG, frozenset()), (*state, *numbers, LAST, id_, 2**20, LAST)),
            (part._ONE, (id_, 1, 1, id_)),
            (CONTACTS.since, (id_, 9, 9, 1, id_)),
        ):
            asked = Sql("")
            asked.numbered = f"EXPLAIN {sql.numbered}"
            plan = [step for (step,) in lane().all(asked, parameters)]
            used = [step for step in plan if "Scan" in step and " on change" in step]
            assert used
            assert all("pk_change" in step for step in used), plan


def test_one_change_is_itself_or_none(stream):
    alice, _ = stream
    purge(alice, 10)
    with alice.app.app_context():
        book = book_of(alice)
        found = {n: part.item_at(book.stream_id, book.key_id, n) for n in (1, 9, 10, 11, LAST, 41)}
    assert {n: item and item["seq"] for n, item in found.items()} == {
        **{1: None, 9: None, 10: None, 41: None},
        **{11: 11, LAST: LAST},
    }
