"""The database itself refuses to change the change log, whoever asks."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contactapp.changes.models import Change
from contactapp.database import database

COLUMNS = sorted(set(Change.__table__.columns.keys()) - {"sealed"})
OTHER_VALUE = {"LargeBinary": b"other", "String": "other", "BigInteger": 987654321}


@pytest.fixture
def book(alice):
    """A book with five changes."""
    contact = alice.contact(first_name="Grace")
    for number in range(4):
        alice.patch(f"/contacts/{contact['id']}", json={"nickname": f"n{number}"})
    return alice.book_id


@pytest.fixture
def run(app, book):
    """Run one statement and commit; `:stream` is the book's stream. Returns the affected rows."""
    stream = text("SELECT stream_id FROM book WHERE id = :book")

    def run(statement, **parameters):
        with app.app_context(), database().engine.begin() as connection:
            mine = connection.execute(stream, {"book": book}).scalar_one()
            return connection.execute(text(statement), {"stream": mine, **parameters}).rowcount

    return run


@pytest.fixture
def log(app, book):
    """All columns of the book's change rows."""

    def log():
        with app.app_context(), database().engine.connect() as connection:
            return connection.execute(
                text(
                    "SELECT c.* FROM change c JOIN book b ON b.stream_id = c.stream_id "
                    "WHERE b.id = :book ORDER BY c.seq"
                ),
                {"book": book},
            ).all()

    return log


def refused(run, statement, **parameters):
    with pytest.raises(DBAPIError, match="change is append-only"):
        run(statement, **parameters)


@pytest.mark.parametrize("column", COLUMNS)
def test_no_column_of_a_change_can_be_changed(run, log, column):
    before = log()
    assert len(before) == 5
    value = OTHER_VALUE[type(Change.__table__.c[column].type).__name__]
    refused(run, f"UPDATE change SET {column} = :v WHERE stream_id = :stream", v=value)
    assert log() == before


def test_a_sealed_content_can_be_emptied_but_not_replaced_or_brought_back(run, log):
    only = "WHERE stream_id = :stream AND seq = 2"
    refused(run, f"UPDATE change SET sealed = :v {only}", v=b"other")
    assert run(f"UPDATE change SET sealed = NULL {only}") == 1
    assert [row.sealed is None for row in log()] == [False, True, False, False, False]
    refused(run, f"UPDATE change SET sealed = :v {only}", v=b"other")


def test_a_change_cannot_be_deleted(run, log):
    before = log()
    refused(run, "DELETE FROM change WHERE stream_id = :stream AND seq = 1")
    refused(run, "DELETE FROM change WHERE stream_id = :stream")
    refused(run, "DELETE FROM change")
    assert log() == before


def test_a_prefix_up_to_the_streams_floor_can_be_deleted(run, log):
    run("UPDATE stream SET floor = 3 WHERE id = :stream")
    refused(run, "DELETE FROM change WHERE stream_id = :stream AND seq <= 4")
    assert run("DELETE FROM change WHERE stream_id = :stream AND seq <= 3") == 3
    assert [row.seq for row in log()] == [4, 5]
    refused(run, "DELETE FROM change WHERE stream_id = :stream AND seq = 4")


def test_a_change_cannot_be_overwritten_by_an_insert(engine, run, log):
    before = log()
    copied = "SELECT stream_id, seq, {} FROM change WHERE stream_id = :stream AND seq = 1"
    rest = [name for name in (*COLUMNS, "sealed") if name not in {"stream_id", "seq"}]
    into = f"INTO change (stream_id, seq, {', '.join(rest)})"
    forged = copied.format(", ".join("'forged'" if name == "op" else name for name in rest))
    if engine == "sqlite":
        refused(run, f"INSERT OR REPLACE {into} {forged}")
    else:
        refused(run, f"INSERT {into} {forged} ON CONFLICT (stream_id, seq) DO UPDATE SET op = 'x'")
    assert log() == before


# SQLite has no TRUNCATE; a DELETE without WHERE is tested above.
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_the_change_log_cannot_be_truncated(run, log):
    before = log()
    refused(run, "TRUNCATE change")
    assert log() == before
