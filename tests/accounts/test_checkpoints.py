"""Checkpoints: signed notes of how far each chain had come, in the database and outside of it."""

import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contactapp.audit import checkpoints, outside, retention
from contactapp.audit.checkpoints import EVENTS
from contactapp.database import database, write_transaction
from contactapp.engine import sqlite3 as driver
from tests.accounts.test_leaving import work
from tests.support.books import copy_database
from tests.support.cast import PASSWORD, Person
from tests.support.chains import Story, chain_events, do_job, stream_of
from tests.support.command import contactapp


@pytest.fixture
def story(engine, new_app):
    return Story(new_app(engine))


@pytest.fixture(scope="module")
def shelf(engine, new_app):
    """An application for many stories; what is done to one book is seen in no other."""
    return new_app(engine)


def test_every_chain_that_moved_gets_one(story):
    idle = Person(story.app, "idle")
    story.mark()
    assert story.checkpoints() == [(5, 0)]
    assert story.checkpoints(EVENTS) == [(2, 0)]
    assert story.checkpoints(stream_of(idle)) == []
    story.mark()
    assert story.checkpoints() == [(5, 0)]
    story.change()
    chain_events(story.app)
    story.mark()
    assert story.checkpoints() == [(5, 0), (6, 0)]
    assert story.checkpoints(EVENTS) == [(2, 0), (4, 0)]
    assert story.broken() == {}


def test_thousands_are_made_a_few_at_a_time(story, monkeypatch):
    monkeypatch.setattr(checkpoints, "_BATCH", 2)
    people = [Person(story.app, f"p{number}") for number in range(4)]
    for person in people:
        person.contact()
    story.mark()
    assert [story.checkpoints(stream_of(person)) for person in people] == [[(1, 0)]] * 4


TAIL = (
    "UPDATE stream SET seq = 3, head = (SELECT head FROM change WHERE stream_id = :stream "
    "AND seq = 3) WHERE id = :stream",
    "DELETE FROM change WHERE stream_id = :stream AND seq > 3",
)


# OB-2
def test_who_takes_away_the_newest_changes_is_found_out(shelf):
    story = Story(shelf)
    story.mark()
    story.tamper(*TAIL)
    told = "it ends with number 3, and a checkpoint saw number 5"
    assert story.broken()[story.book] == told
    story.change(3)  # as if nothing had been
    told = "number 5 is not what its checkpoint saw"
    assert story.broken()[story.book] == told


# OB-2
def test_who_takes_away_the_newest_events_is_found_out(story):
    story.mark()
    story.tamper("DELETE FROM audit_event WHERE seq > 1")
    told = "it ends with number 1, and a checkpoint saw number 2"
    assert story.broken() == {"audit events": told}


FORGED = {
    "seq": "seq = seq - 1",
    "head": "head = (SELECT head FROM change WHERE stream_id = :stream AND seq = 4)",
    "at": "at = at + 1",
    "mac": "mac = head",
    "floor": "floor = 2",
}


# OB-2
@pytest.mark.parametrize("column", FORGED)
def test_a_forged_checkpoint_is_found_out(shelf, column):
    story = Story(shelf)
    story.mark()
    assert story.book not in story.broken()
    story.tamper(f"UPDATE checkpoint SET {FORGED[column]} WHERE stream_id = :stream")
    number = 4 if column == "seq" else 5
    told = f"the checkpoint of number {number} was not made here, or was changed"
    assert story.broken()[story.book] == told


# OB-2
def test_a_checkpoint_of_another_stream_is_a_forged_one(shelf):
    story, other = Story(shelf), Story(shelf)
    story.mark()
    theirs = f"stream_id = {stream_of(other.ann)}"
    story.tamper(
        f"DELETE FROM checkpoint WHERE {theirs}",
        f"UPDATE checkpoint SET {theirs} WHERE stream_id = :stream",
    )
    told = "the checkpoint of number 5 was not made here, or was changed"
    assert story.broken()[other.book] == told


# OB-2
def test_a_stream_that_is_gone_is_found_out(story):
    with story.app.app_context():
        write_transaction(checkpoints.mark)(10**6, 7, 0, b"head")
    assert story.broken() == {"stream 1000000": "it is gone, and a checkpoint saw its number 7"}


# PR-2
def test_erasing_an_account_takes_its_checkpoints_away(story):
    story.mark()
    stream_id = stream_of(story.ann)
    story.ann.delete("/users/me", json={"password": PASSWORD})
    work(story.app)
    assert story.checkpoints(stream_id) == []
    assert story.broken() == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoint SET at = 1",
        "UPDATE checkpoint SET head = mac, mac = head",
        "DELETE FROM checkpoint WHERE stream_id = 0",
        "DELETE FROM checkpoint WHERE stream_id <> 0",
        "DELETE FROM checkpoint",
    ],
)
def test_the_database_refuses_to_change_them(shelf, statement):
    story = Story(shelf)
    story.mark()
    refuses(shelf, statement)


def test_the_database_refuses_to_overwrite_or_empty_them(shelf, engine):
    Story(shelf).mark()
    row = "INTO checkpoint SELECT stream_id, seq, floor, head, 1, mac FROM checkpoint"
    refuses(shelf, f"INSERT OR REPLACE {row}" if engine == "sqlite" else "TRUNCATE checkpoint")


def refuses(app, statement):
    with (
        app.app_context(),
        pytest.raises(DBAPIError, match="checkpoint is append-only"),
        database().engine.begin() as connection,
    ):
        connection.execute(text(statement))


def seen(story):
    """The line to keep outside, at present."""
    with story.app.app_context():
        return outside.line()


def differing(story, *lines):
    """{chain: what is wrong} compared with these lines."""
    with story.app.app_context():
        return {chain.of: chain.broken for chain in outside.compare(lines)}


def test_what_went_on_agrees_with_a_line_kept_outside(story):
    leaver = Person(story.app, "leaver")
    leaver.contact()
    first = seen(story)
    assert differing(story, first) == {}
    story.change(2)
    leaver.delete("/users/me", json={"password": PASSWORD})
    second = seen(story)
    work(story.app)
    with story.app.app_context():
        retention.raise_floor(stream_of(story.ann), 6)
    do_job(story.app, "purge.changes")
    chain_events(story.app)
    assert differing(story, first, "", second) == {}


def test_a_line_names_nobody(story):
    found = json.loads(seen(story))
    assert set(found) == {"at", "chains", "mac"}
    assert [chain[:3] for chain in found["chains"]] == [
        [0, None, 2],
        [stream_of(story.ann), story.ann.id, 5],
    ]


# OB-2
def test_a_chain_that_was_put_back_is_noticed_outside(story):
    line = seen(story)
    at, of = json.loads(line)["at"], f"stream {stream_of(story.ann)} of user {story.ann.id}"
    story.tamper(*TAIL)
    assert story.broken() == {}  # it agrees with itself
    assert differing(story, line) == {of: f"it ends with number 3, and had number 5 on {at}"}
    story.change(2)
    assert differing(story, line) == {of: f"number 5 is not what it was on {at}"}
    story.change()
    assert differing(story, line) == {of: f"number 5 is not what it was on {at}"}
    story.tamper("DELETE FROM audit_event WHERE seq = 2")
    assert (
        differing(story, line)["audit events"] == f"it ends with number 1, and had number 2 on {at}"
    )


# OB-2
def test_a_stream_that_disappeared_is_noticed_outside(story):
    leaver = Person(story.app, "leaver")
    leaver.contact()
    line, stream_id = seen(story), stream_of(leaver)
    leaver.delete("/users/me", json={"password": PASSWORD})
    work(story.app)
    assert differing(story, line) == {}
    story.tamper("DELETE FROM audit_event WHERE kind = 'deleted'")  # nobody left, it says now
    told = f"it is gone, its account is not erased, it had number 1 on {json.loads(line)['at']}"
    assert differing(story, line) == {f"stream {stream_id} of user {leaver.id}": told}


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ('"at":"2', '"at":"3'),
        ("null,2,", "null,1,"),
        ('"mac":"', '"mac":"0'),
        ("{", "["),
        ("}", ""),
    ],
)
def test_a_line_that_was_changed_is_not_believed(story, change, to):
    line = seen(story)
    assert change in line
    with pytest.raises(outside.NotOurs, match="line 2 was not signed"):
        differing(story, line, line.replace(change, to))


# OB-2
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_whole_database_put_back_is_noticed_by_the_command(story, tmp_path):
    given = story.app.extensions["contactapp.settings"]
    settings = {"DATABASE_URL": given.database_url, "INSTANCE_PATH": str(given.instance_path)}
    older = driver.connect(":memory:")
    with story.app.app_context():
        path = database().engine.url.database
    copy_database(path, older)
    story.change()
    code, line, err = contactapp(tmp_path, settings, "audit", "checkpoint")
    assert (code, line.count("\n")) == (0, 1), err
    kept = tmp_path / "kept.jsonl"
    kept.write_text(line)
    verify = ("audit", "verify", "--against", str(kept))
    code, out, err = contactapp(tmp_path, settings, *verify)
    assert (code, out) == (0, "8 links in 3 chains, all good.\n"), err
    copy_database(older, path)
    code, out, _ = contactapp(tmp_path, settings, *verify)
    assert code == 1
    stream = f"stream {stream_of(story.ann)} of user {story.ann.id}"
    assert out == (
        f"broken: {stream}: it ends with number 5, and had number 6 on {json.loads(line)['at']}\n"
    )
    kept.write_text(line.replace("null,2", "null,1"))
    code, _, err = contactapp(tmp_path, settings, *verify)
    assert code == 1
    assert "line 1 was not signed with this database's key, or was changed" in err
