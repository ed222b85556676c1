"""The schema: what the models say is what the migrations make, whole or not at all."""

import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from contactapp import create_app, startup, triggers
from contactapp.changes.chain import LINKED
from contactapp.config import load
from contactapp.database import database
from tests.conftest import FAST
from tests.support.cast import Person
from tests.support.command import finish, let_go, poised, project, start

NEWEST = "0019"
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
BROKEN = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "broken", "{newest}", None, None


def upgrade():
    op.create_table("halfway", sa.Column("id", sa.Integer(), primary_key=True))
    op.add_column("users", sa.Column("halfway", sa.Integer(), nullable=True))
    op.execute("INSERT INTO halfway (id) VALUES (1)")
    op.execute("DROP TRIGGER IF EXISTS change_no_update{on}")
    raise RuntimeError("in the middle")
"""


@pytest.fixture
def connection(app):
    with app.app_context(), database().engine.connect() as connection:
        yield connection


@pytest.fixture
def bare_app(engine, new_database, tmp_path):
    """An application on an empty database."""
    given = {**FAST, "DATABASE_URL": new_database(engine), "INSTANCE_PATH": str(tmp_path / "i")}
    app = create_app(load(given, environ={}))
    startup.bind_migrations(app)
    yield app
    with app.app_context():
        database().engine.dispose()
        database().lane.close_all()


def asked(app, question):
    with app.app_context(), database().engine.connect() as connection:
        return question(connection)


def tables(app):
    return set(asked(app, lambda connection: inspect(connection).get_table_names()))


def revision(app):
    return asked(app, lambda c: MigrationContext.configure(c).get_current_revision())


def trigger_names(app):
    sqlite = app.extensions["contactapp.database"].is_sqlite
    return set(asked(app, lambda c: c.execute(text(triggers.names(sqlite)[0])).scalars().all()))


def wanted_triggers(engine):
    return triggers.names(engine == "sqlite")[1]


def test_the_migrations_make_exactly_what_the_models_say(connection):
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    assert compare_metadata(context, startup.whole_metadata()) == []


def test_links_cover_every_column_of_a_change():
    columns = startup.whole_metadata().tables["change"].columns.keys()
    assert {*LINKED, "sealed", "head"} == set(columns)


def test_a_missing_column_would_be_noticed(connection):
    """The comparison above is worth nothing if it sees nothing."""
    connection.execute(text("ALTER TABLE contact DROP COLUMN merged_into"))
    found = compare_metadata(MigrationContext.configure(connection), startup.whole_metadata())
    connection.rollback()
    assert [(difference[0], difference[3].name) for difference in found] == [
        ("add_column", "merged_into")
    ]


def test_an_empty_database_becomes_a_served_one(bare_app, engine):
    assert tables(bare_app) == set()
    assert startup.problems(bare_app) == [
        "the database is not up to date: run `contactapp db upgrade`"
    ]
    startup.upgrade(bare_app)
    assert tables(bare_app) == {*startup.whole_metadata().tables, "alembic_version"}
    assert trigger_names(bare_app) == wanted_triggers(engine)
    assert startup.problems(bare_app) == []


def test_the_names_of_the_files_say_their_revisions():
    scripts = ScriptDirectory(startup.MIGRATIONS)
    known = {script.revision for script in scripts.walk_revisions()}
    assert startup.revisions() == (scripts.get_current_head(), known)


def test_what_few_need_is_not_imported_by_all(tmp_path):
    """Alembic migrates, Pillow draws, psycopg speaks to PostgreSQL, phonenumbers reads numbers."""
    program = """
import sys
from contactapp import cli, create_app
from contactapp.config import load
create_app(load({"INSTANCE_PATH": sys.argv[1], "PHONE_REGION": "DE"}, environ={}))
few = {"alembic", "PIL", "psycopg", "phonenumbers"}
print([name for name in sys.modules if name.partition(".")[0] in few])
"""
    command = [sys.executable, "-c", program, str(tmp_path / "instance")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_developers_have_the_commands_of_flask_migrate(tmp_path):
    command = (sys.executable, "-m", "flask", "--app", "wsgi", "db", "heads")
    settings = {"INSTANCE_PATH": str(tmp_path / "instance")}
    code, out, err = finish(start(command, project(tmp_path), settings))
    assert (code, out) == (0, f"{NEWEST} (head)\n"), err


def test_upgrading_again_changes_nothing(app):
    def state():
        keys = asked(app, lambda c: c.execute(text("SELECT * FROM key ORDER BY id")).all())
        return revision(app), tables(app), trigger_names(app), keys

    before = state()
    startup.upgrade(app)
    assert state() == before


def test_the_triggers_are_those_of_the_program(connection, engine):
    if engine == "sqlite":
        query = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        assert dict(connection.execute(query).all()) == triggers.SQLITE
    else:
        query = text(
            "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal "
            "AND tgrelid IN ('change'::regclass, 'audit_event'::regclass, 'checkpoint'::regclass)"
        )
        enabled = {name: str(state) for name, state in connection.execute(query)}
        assert enabled == dict.fromkeys(triggers.POSTGRESQL, "O")


def test_a_missing_trigger_is_a_problem_and_upgrading_mends_it(bare_app, engine):
    startup.upgrade(bare_app)
    with bare_app.app_context(), database().engine.begin() as connection:
        on = "" if engine == "sqlite" else " ON change"
        connection.execute(text(f"DROP TRIGGER change_no_delete{on}"))
    told = "the trigger change_no_delete is missing: run `contactapp db upgrade`"
    assert startup.problems(bare_app) == [told]
    startup.upgrade(bare_app)
    assert startup.problems(bare_app) == []


def test_a_database_from_a_newer_program_is_not_served(bare_app):
    startup.upgrade(bare_app)
    with bare_app.app_context(), database().engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert startup.problems(bare_app) == [
        "the database is newer than this program (revision 9999): upgrade contactapp"
    ]


def test_everything_can_be_taken_back_and_made_again(bare_app, engine):
    startup.upgrade(bare_app)
    with bare_app.app_context():
        flask_migrate.downgrade(directory=startup.MIGRATIONS, revision="base")
    assert tables(bare_app) == {"alembic_version"}
    assert trigger_names(bare_app) == set()
    bare_app.extensions["contactapp.keyring"]._purposes.clear()
    startup.upgrade(bare_app)
    assert trigger_names(bare_app) == wanted_triggers(engine)
    assert Person(bare_app, "alice").contact(first_name="Grace")["version"] == 1


# DU-6
def test_two_processes_can_upgrade_side_by_side(bare_app, engine, tmp_path):
    settings = bare_app.extensions["contactapp.settings"]
    given = {"DATABASE_URL": settings.database_url, "INSTANCE_PATH": str(settings.instance_path)}
    code = "from contactapp import startup\nstartup.upgrade(app)"
    together = poised(code, 2, tmp_path, given)
    with bare_app.app_context(), nobody_begins(len(together)):
        let_go(together)
    for process in together:
        code, _, err = finish(process)
        assert code == 0, err
    assert (revision(bare_app), trigger_names(bare_app)) == (NEWEST, wanted_triggers(engine))
    assert startup.problems(bare_app) == []


@contextmanager
def nobody_begins(count):
    """Hold every upgrade at its first table until `count` wait, there or for one another."""
    own = database()
    with own.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text("CREATE TABLE alembic_version (x INTEGER)"))
        yield
        ends = time.monotonic() + 30
        while not own.is_sqlite and connection.execute(WAITING).scalar() < count:
            assert time.monotonic() < ends
            connection.execute(text("SELECT pg_stat_clear_snapshot()"))
            time.sleep(0.01)
        transaction.rollback()


@pytest.fixture
def broken(tmp_path, engine):
    """A copy of the migrations with one more, which fails in its middle."""
    folder = tmp_path / "migrations"
    shutil.copytree(startup.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    on = "" if engine == "sqlite" else " ON change"
    (folder / "versions" / "broken.py").write_text(BROKEN.format(newest=NEWEST, on=on))
    return str(folder)


def fail(app, broken):
    with app.app_context(), pytest.raises(RuntimeError, match="in the middle"):
        # flask_migrate.upgrade ends the process on a RuntimeError; beneath it stands this.
        flask_migrate.upgrade.__wrapped__(directory=broken)


# DU-6
def test_a_migration_that_fails_leaves_the_last_revision_whole(bare_app, broken, engine):
    startup.upgrade(bare_app)
    before = tables(bare_app)
    fail(bare_app, broken)
    assert (tables(bare_app), revision(bare_app)) == (before, NEWEST)
    columns = asked(bare_app, lambda c: inspect(c).get_columns("users"))
    assert "halfway" not in {column["name"] for column in columns}
    assert trigger_names(bare_app) == wanted_triggers(engine)
    assert startup.problems(bare_app) == []


# DU-6
def test_a_first_migration_that_fails_leaves_an_empty_database(bare_app, broken):
    fail(bare_app, broken)
    assert tables(bare_app) == set()
