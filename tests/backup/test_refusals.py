"""A restore that would not end well is refused before anything is touched."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from contactapp.backup.archive import BadArchive
from contactapp.backup.restoring import Refused
from tests.support.backups import SECRETS, Place, rewritten
from tests.support.command import contactapp, key

SLIP = ("../../etc/cron.d/x", "avatars/../../x.webp", "/etc/passwd", "avatars/x.webp", "notes/a")


@pytest.fixture
def untouched(place):
    """Nothing of the place differs at the end of the test."""
    before = contents(place)
    yield
    assert contents(place) == before


def contents(place):
    """The files of the instance folder, and every row of the database with its table."""
    if not place.url.startswith("sqlite"):
        with psycopg.connect(url_of(place)) as connection:
            tables = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|info)'"
            found = connection.execute(f"{tables} ORDER BY 1, 2").fetchall()
            rows = [connection.execute(f"SELECT * FROM {s}.{t}").fetchall() for s, t in found]
        return place.files(), found, rows
    path = Path(place.url.removeprefix("sqlite:///"))
    assert sorted(path.parent.iterdir()) == [path] * path.exists()
    if not path.exists():
        return place.files()
    with closing(sqlite3.connect(path)) as connection:
        return place.files(), list(connection.iterdump())


def url_of(place):
    return make_url(place.url).set(drivername="postgresql").render_as_string(hide_password=False)


def refuses(place, path, words, error=BadArchive, **options):
    with pytest.raises(error, match=words):
        place.restore(path, **options)


def cut(path, folder, size):
    copy = shutil.copy(path, folder / "cut.backup")
    with open(copy, "rb+") as file:
        file.truncate(size)
    return copy


# BR-2
@pytest.mark.parametrize("part", [0.0, 0.00001, 0.01, 0.5, 0.999, 1.0])
@pytest.mark.usefixtures("untouched")
def test_one_that_was_cut_off(home, place, tmp_path, part):
    size = int(home.made.size * part) - (part == 1.0)
    refuses(place, cut(home.archive, tmp_path, size), "cut off|no backup|beginning")


# BR-2
@pytest.mark.parametrize("part", [0.00001, 0.001, 0.4, 0.9999])
@pytest.mark.usefixtures("untouched")
def test_one_in_which_a_byte_was_changed(home, place, tmp_path, part):
    copy = shutil.copy(home.archive, tmp_path / "changed.backup")
    with open(copy, "rb+") as file:
        file.seek(int(home.made.size * part))
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    refuses(place, copy, "changed|no backup|beginning")


# BR-2
@pytest.mark.parametrize("name", SLIP)
@pytest.mark.usefixtures("untouched")
def test_one_whose_names_lead_elsewhere(home, place, tmp_path, name):
    def evil(head, body):
        yield {**head, "name": name} if head["kind"] == "file" else head, body

    refuses(place, rewritten(place.settings, home.archive, tmp_path, frame=evil), "no picture's")


# BR-2
@pytest.mark.parametrize("where", ["table", "column"])
@pytest.mark.usefixtures("untouched")
def test_one_whose_tables_are_sql(home, place, tmp_path, where):
    def evil(head, body):
        if head["kind"] == "rows" and where == "table":
            head["table"] = "users; DROP TABLE users"
        elif head["kind"] == "rows":
            head["columns"][0][0] = "id) SELECT (1"
        yield head, body

    refuses(place, rewritten(place.settings, home.archive, tmp_path, frame=evil), "table or column")


# BR-2
@pytest.mark.usefixtures("untouched")
def test_one_from_which_rows_were_taken(home, place, tmp_path):
    def fewer(head, body):
        if head["kind"] != "rows" or head["table"] != "contact":
            yield head, body

    refuses(place, rewritten(place.settings, home.archive, tmp_path, frame=fewer), "other rows")


# BR-2
@pytest.mark.usefixtures("untouched")
def test_one_of_a_newer_schema_or_format(home, place, tmp_path):
    newer = rewritten(place.settings, home.archive, tmp_path, lambda h: {**h, "revision": "9001"})
    refuses(place, newer, "9001, which is newer")
    newer.unlink()
    newer = rewritten(place.settings, home.archive, tmp_path, lambda h: {**h, "format": 2})
    refuses(place, newer, "newer contactapp")


# BR-2, BR-4
@pytest.mark.parametrize(
    ("masters", "words"),
    [
        (key("another"), "another master key of the name k1"),
        (key("master", name="k7"), "needs the master key k1, which is not in"),
    ],
)
@pytest.mark.usefixtures("untouched")
def test_one_whose_key_is_wrong_or_missing(home, place, masters, words):
    other = Place(place.url, place.instance, MASTER_KEYS=masters)
    refuses(other, home.archive, words)


# BR-2
@pytest.mark.usefixtures("untouched")
def test_one_that_is_no_backup(place, tmp_path):
    (tmp_path / "x").write_bytes(b"PK\x03\x04" * 1000)
    refuses(place, tmp_path / "x", "no backup of contactapp")


# BR-2
def test_where_accounts_are_unless_told(home, place):
    place.restore(home.archive)
    before = contents(place)
    refuses(place, home.archive, "has accounts .4.", Refused)
    assert contents(place) == before
    assert place.restore(home.archive, force=True).came_back.accounts == 4


# BR-2
def test_where_the_database_is_newer(home, place, reopened):
    place.restore(home.archive)
    statement = "UPDATE alembic_version SET version_num = '9001'"
    if place.url.startswith("sqlite"):
        with sqlite3.connect(place.url.removeprefix("sqlite:///")) as connection:
            connection.execute(statement)
    else:
        with psycopg.connect(url_of(place)) as connection:
            connection.execute(statement)
    refuses(place, home.archive, "newer than this contactapp", Refused, force=True)


# BR-2
def test_where_a_server_runs(home, engine, new_server, tmp_path):
    server = new_server(engine, **SECRETS)
    visitor = server.person()
    place = Place(server.database, server.instance)
    refuses(place, home.archive, "a contactapp server or worker runs", Refused, force=True)
    elsewhere = Place(server.database, tmp_path / "other")
    assert visitor.get("/contacts").status_code == 200
    if engine == "sqlite":  # a reader's connection is open
        refuses(elsewhere, home.archive, "the database is in use", Refused, force=True)
    assert visitor.get("/contacts").status_code == 200
    server.stop()
    assert place.restore(home.archive, force=True).came_back.accounts == 4


# BR-2
def test_where_somebody_has_the_database_open(home, place, reopened):
    place.restore(home.archive)
    app = reopened(place)
    assert app.test_client().get("/readyz").status_code == 200
    refuses(place, home.archive, "the database is in use", Refused, force=True)


# BR-2
def test_a_server_does_not_start_while_a_backup_is_restored(home, place, tmp_path):
    from contactapp import instance_lock

    with instance_lock.alone(place.instance, instance_lock.SERVING):
        code, _, err = contactapp(tmp_path, place.given, "worker")
    assert code == 1
    assert "a backup is being restored" in err


# BR-2
def test_rows_that_cannot_be_together_leave_what_was_there(home, place, tmp_path):
    place.restore(home.archive)
    before = contents(place)

    def twice(head, body):
        if head["kind"] == "rows" and head["table"] == "contact":
            [row, other, *_] = [list(row) for row in head["rows"]]
            head["rows"][1] = [*row[:2], *other[2:]]
        yield head, body

    broken = rewritten(place.settings, home.archive, tmp_path, frame=twice)
    refuses(place, broken, "rows that cannot be together", force=True)
    assert contents(place) == before
