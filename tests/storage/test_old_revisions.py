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
NUMBERS = (1001, 1002)  # of the rows in each table; ids that the database gives begin at 1


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


def fill():
    """Put rows into every table: whatever the columns' types and constraints let in."""
    tables = reflected()
    with database().engine.begin() as connection:
        for table in tables:
            for number in NUMBERS:
                row = {column.name: made_up(table, column, number) for column in table.columns}
                connection.execute(table.insert().values(row))


def made_up(table, column, number):
    """A value that no other row of the column has; ids and what refers to them are the number."""
    for check in table.constraints:
        text = str(check.sqltext) if isinstance(check, CheckConstraint) else ""
        words = re.findall(r"'(\w+)'", text)
        if words and re.search(rf"\b{column.name}\b", text):
            return words[0]
    if isinstance(column.type, Boolean):
        return number == NUMBERS[0]
    if isinstance(column.type, Integer):
        return number
    if isinstance(column.type, LargeBinary):
        return str(number).encode()
    return f"{column.name}{number}"[: column.type.length]


def contents(columns=None):
    """{table: its rows, each as (column, value) pairs}; of these columns, where they are still."""
    found, tables = {}, reflected()
    with database().engine.connect() as connection:
        for table in tables:
            names = [c.name for c in table.columns]
            wanted = [n for n in (columns or {}).get(table.name, names) if n in names]
            rows = connection.execute(select(*(table.c[name] for name in wanted)))
            found[table.name] = [tuple(zip(wanted, row, strict=True)) for row in rows]
    return found


# DU-6
@pytest.mark.parametrize("revision", sorted(REVISIONS))
def test_rows_of_every_older_revision_come_through_whole(bare_app, revision):
    flask_migrate.upgrade(revision=revision)
    fill()
    before = contents()
    columns = {table: [name for name, _ in rows[0]] for table, rows in before.items()}
    assert {table: len(rows) for table, rows in before.items()} == dict.fromkeys(
        columns, len(NUMBERS)
    )
    startup.upgrade(bare_app)
    after = contents(columns)
    for table, rows in before.items():
        left = {name for name, _ in after[table][0]}
        for row in rows:
            assert tuple(pair for pair in row if pair[0] in left) in after[table], (table, row)
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
