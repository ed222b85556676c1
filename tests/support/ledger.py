"""Whether a database tells one story: change log, chain, rows and counts."""

from __future__ import annotations

import hashlib

import orjson

from contactapp.changes.chain import GENESIS
from contactapp.changes.service import next_head
from contactapp.contacts.card import canonical
from contactapp.database import Sql, database, lane
from contactapp.keyring import keyring

_CHAINED = (
    "stream_id, seq, at, actor_id, token_id, request_id, operation_id, entity, entity_id, op, "
    "version, changed_fields, sealed_hash"
)
_BOOKS = Sql(
    "SELECT b.id, b.owner_id, b.key_id, b.stream_id, s.seq, s.head FROM book b "
    "JOIN stream s ON s.id = b.stream_id ORDER BY b.id"
)
_CHANGES = Sql(f"SELECT {_CHAINED}, sealed, head FROM change WHERE stream_id = ? ORDER BY seq")
_ROWS = Sql("SELECT id, uid, version, sealed, deleted_at FROM contact WHERE book_id = ?")
_NOTES = Sql(
    "SELECT id, uid, version, contact_id, sealed, deleted_at, status FROM note WHERE book_id = ?"
)
_COUNT = Sql("SELECT contact_count FROM users WHERE id = ?")


def read_ledger(app, *book_ids):
    """Check every book with its notes, or these, and return the live cards:
    {book id: {contact id: card}}."""
    with app.app_context():
        if database().is_sqlite:
            assert lane().one(Sql("PRAGMA integrity_check")) == ("ok",)
        with lane().snapshot():
            books = [book for book in lane().all(_BOOKS) if book[0] in book_ids or not book_ids]
            return {book[0]: _checked(*book) for book in books}


def _checked(book_id, owner_id, key_id, stream_id, seq, head):
    cipher = keyring().cipher(key_id)
    story = _story(cipher, stream_id, seq, head)
    told = {id_: row[:2] for (entity, id_), row in story.items() if entity == "contact"}
    _check_notes(cipher, book_id, {k[1]: row for k, row in story.items() if k[0] == "note"})
    live, trash = {}, set()
    for id_, uid, version, sealed, deleted_at in lane().all(_ROWS, (book_id,)):
        card = orjson.loads(cipher.open(sealed, "contact", "sealed", book_id, uid))
        if deleted_at is None:
            live[id_] = (version, card)
        else:
            trash.add((id_, version))
    told_live = {id_: row for id_, row in told.items() if row[1] is not None}
    assert {id_: (version, canonical(card)) for id_, (version, card) in told_live.items()} == live
    assert {(id_, row[0]) for id_, row in told.items() if row[1] is None} == trash
    assert lane().one(_COUNT, (owner_id,)) == (len(live),)
    return {id_: card for id_, (_, card) in live.items()}


def _check_notes(cipher, book_id, told):
    """The rows of notes are what the log tells, and each processed once a text."""
    found = {}
    for id_, uid, version, contact_id, sealed, deleted_at, status in lane().all(_NOTES, (book_id,)):
        text = orjson.loads(cipher.open(sealed, "note", "sealed", book_id, uid))
        card = {"body": text["body"], "contact_id": contact_id}
        found[id_] = (version, None if deleted_at is not None else card)
        assert deleted_at is not None or (status == "processed") == told[id_][2], (id_, status)
    assert found == {id_: row[:2] for id_, row in told.items()}


def _story(cipher, stream_id, seq, head):
    """{(entity, id): (version, fields or None when deleted, whether its last text was processed)}
    as the change log has it. What was purged is not in it, and only of that rows may be empty."""
    names = _CHAINED.split(", ")
    previous, told, texts, empty = GENESIS, {}, {}, set()
    changes = lane().all(_CHANGES, (stream_id,))
    assert [row[1] for row in changes] == list(range(1, seq + 1))
    for *values, sealed, head_here in changes:
        row = dict(zip(names, values, strict=True))
        assert sealed is None or hashlib.sha256(sealed).digest() == row["sealed_hash"]
        previous = next_head(keyring().purpose("chain"), previous, row)
        assert previous == head_here
        key = (row["entity"], row["entity_id"])
        if row["op"] == "purge":
            assert key not in told or row["version"] == told.pop(key)[0] + 1
            empty.discard(key)
            continue
        if sealed is None:
            empty.add(key)
            continue
        opened = orjson.loads(cipher.open(sealed, "change", "sealed", stream_id, row["seq"]))
        known = told.get(key, (0, None, False))
        if row["op"] == "process":
            assert (row["version"], known[2]) == (known[0], False), row
            told[key] = (*known[:2], True)
            continue
        # That of a custom field's definition is the number of its change.
        version = row["seq"] if row["entity"] == "custom_field" else known[0] + 1
        assert (row["version"], opened["before"]) == (version, known[1])
        text = opened["after"]["body"] if key[0] == "note" and opened["after"] else texts.get(key)
        same_text, texts[key] = texts.get(key) == text, text
        told[key] = (row["version"], opened["after"], bool(same_text and known[2]))
    assert (previous, empty) == (head, set())
    return told
