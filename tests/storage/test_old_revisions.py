"""From every older revision, with rows in every table, to the newest: nothing is lost."""

import re

import flask_migrate
import pytest
from sqlalchemy import Boolean, CheckConstraint, Integer, LargeBinary, MetaData, select

from contactapp import create_app, startup
from contactapp.config import load
from contactapp.database import database
from tests.conftest import FAST
from tests.support.cast import Person, refused
from tests.support.ledger import read_ledger

NEWEST, REVISIONS = startup.revisions()
FIRST = 1001  # ids that the database gives begin at 1


@pytest.fixture
def bare_app(engine, new_database, tmp_path):
    """An application on an empty database."""
    given = {**FAST, "DATABASE_URL": new_database(engine), "INSTANCE_PATH": str(tmp_path / "i")}
    app = create_app(load(given, environ={}))
    startup.bind_migrations(app)
    with app.app_context():
        yield app
        database().engine.dispose()
        database().lane.close_all()


def reflected():
    """The tables as they are in the database now."""
    found = MetaData()
    found.reflect(database().engine, resolve_fks=False)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def fill(numbers):
    """Put rows of these numbers into every table, whatever the columns' types and constraints let
    in, and return them as `contents` does."""
    found = {}
    tables = reflected()
    with database().engine.begin() as connection:
        for table in tables:
            for number in numbers:
                row = tuple((c.name, made_up(table, c, number)) for c in table.columns)
                connection.execute(table.insert().values(dict(row)))
                found.setdefault(table.name, []).append(row)
    return found


def made_up(table, column, number):
    """A value that no other row of the column has; ids and what refers to them are the number."""
    for check in table.constraints:
        text = str(check.sqltext) if isinstance(check, CheckConstraint) else ""
        words = re.findall(r"'(\w+)'", text)
        if words and re.search(rf"\b{column.name}\b", text):
            return words[0]
    if isinstance(column.type, Boolean):
        return number % 2 == 0
    if isinstance(column.type, Integer):
        return number
    if isinstance(column.type, LargeBinary):
        return str(number).encode()
    return f"{column.name}{number}"[: column.type.length]


def contents():
    """{table: its rows, each a dict}"""
    found, tables = {}, reflected()
    with database().engine.connect() as connection:
        for table in tables:
            found[table.name] = [dict(row) for row in connection.execute(select(table)).mappings()]
    return found


# DU-6
def test_rows_of_every_older_revision_come_through_whole(bare_app):
    """In one walk: an upgrade from an older revision takes all steps after it, as its rows do."""
    written = []
    for step, revision in enumerate(sorted(REVISIONS)):
        flask_migrate.upgrade(revision=revision)
        written.append(fill((FIRST + 2 * step, FIRST + 2 * step + 1)))
    startup.upgrade(bare_app)
    after = contents()
    for tables in written:
        for table, rows in tables.items():
            assert len(rows) == 2
            for row in rows:
                kept = {(name, value) for name, value in row if name in after[table][0]}
                assert any(kept <= set(found.items()) for found in after[table]), (table, row)
    assert startup.problems(bare_app) == []


# DU-6
def test_a_book_that_was_taken_down_to_the_first_revision_opens_again(bare_app):
    startup.upgrade(bare_app)
    ada = Person(bare_app, "ada")
    kept, trashed = ada.contact(first_name="Grace"), ada.contact(first_name="Hedy")
    ada.delete(f"/contacts/{trashed['id']}")
    flask_migrate.downgrade(revision=min(REVISIONS))
    assert len(startup.problems(bare_app)) == 1
    startup.upgrade(bare_app)
    assert startup.problems(bare_app) == []
    ada.sign_in()
    shown = ada.get(f"/contacts/{kept['id']}").json
    assert (shown["first_name"], shown["version"]) == ("Grace", 1)
    refused(ada.get(f"/contacts/{trashed['id']}"), 404, "not_found")
    ada.contact(first_name="Joan")
    [cards] = read_ledger(bare_app).values()
    assert {card["first_name"] for card in cards.values()} == {"Grace", "Joan"}
