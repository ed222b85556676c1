"""The lane's own cursor on PostgreSQL: every kind of parameter and value, and every failure."""

import psycopg
import pytest

from contactapp.database import Sql, lane
from contactapp.engine import DatabaseUnavailable, failure_of

pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
VALUES = (None, True, False, 0, -(2**53), 1.5, "", "O'Neil % $1 ? \\ é 名", b"\0\xff", b"")


@pytest.fixture
def cursor(app):
    with app.app_context():
        lane().one(Sql("SELECT 1"))
        yield lane()._mine().cursor


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_parameter_comes_back_as_it_went(cursor, value):
    kind = {bool: "boolean", int: "bigint", float: "float8", str: "text", bytes: "bytea"}
    cast = kind.get(type(value), "text")
    [(found,)] = cursor.execute(f"SELECT $1::{cast}", (value,)).fetchall()
    assert (type(found), found) == (type(value), value)


def test_text_with_nul_is_refused_and_not_cut_off(cursor):
    with pytest.raises(psycopg.DataError):
        cursor.execute("SELECT $1::text", ("a\0b",))


def test_any_other_type_is_a_fault_of_the_program(cursor):
    with pytest.raises(TypeError, match="list"):
        cursor.execute("SELECT $1::text", ([],))


def test_an_error_has_the_servers_code(cursor):
    with pytest.raises(psycopg.errors.DivisionByZero):
        cursor.execute("SELECT 1 / $1::int", (0,))
    with pytest.raises(psycopg.errors.UndefinedTable):
        cursor.execute("SELECT * FROM nowhere")
    assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_a_statement_is_prepared_once_and_the_first_go_when_there_are_too_many(cursor, monkeypatch):
    monkeypatch.setattr("contactapp.libpq._PREPARED", 3)
    count = "SELECT count(*) FROM pg_prepared_statements"
    for _ in range(2):
        for number in range(5):
            assert cursor.execute(f"SELECT {number}").fetchall() == [(number,)]
    for _ in range(2):
        assert cursor.execute(count).fetchall()[0][0] <= 3


def test_it_says_how_many_rows_a_statement_touched(cursor):
    assert cursor.execute("SELECT 1 WHERE false").fetchall() == []
    assert cursor.execute("UPDATE stream SET floor = floor WHERE id < 0").rowcount == 0
    assert cursor.execute("BEGIN").statusmessage == "BEGIN"
    assert cursor.execute("ROLLBACK").statusmessage == "ROLLBACK"


# DU-5
def test_a_connection_that_the_server_ended_is_told_as_lost(app):
    with app.app_context():
        opened = lane()._connect()
    cursor = opened.cursor
    [(pid,)] = cursor.execute("SELECT pg_backend_pid()").fetchall()
    with app.app_context():
        lane().one(Sql("SELECT pg_terminate_backend(?, 5000)"), (pid,))
    for _ in range(2):  # the first finds its end in the answer, the second no connection
        with pytest.raises(psycopg.OperationalError):
            cursor.execute("SELECT 1")
    opened.close()


# DU-5
@pytest.mark.parametrize("state", ["25P03", "25P04", "57P01", "57P03", "53300", "08006"])
def test_a_session_that_the_server_ended_is_unavailable_and_no_fault_of_the_program(state, engine):
    """Idle in a transaction, a transaction too long, a shutdown, a start, too many connections."""
    assert isinstance(failure_of(psycopg.errors.lookup(state)()), DatabaseUnavailable)
