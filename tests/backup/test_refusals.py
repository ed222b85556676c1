"""A restore that would not end well is refused before anything is touched."""

import hashlib
import shutil
import sqlite3
import struct
import tracemalloc
from contextlib import closing
from pathlib import Path

import orjson
import psycopg
import pytest
from flask import has_app_context
from sqlalchemy import make_url

from contactapp import engine as database
from contactapp import instance_lock, ready_app, startup
from contactapp.backup import target
from contactapp.backup.archive import FORMAT, MAGIC, BadArchive, Reader
from contactapp.backup.restoring import Refused
from tests.support.backups import SECRETS, Place, rewritten
from tests.support.command import contactapp, key
from tests.support.engines import on_one_engine

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


def run_sql(place, *statements):
    """As somebody else who uses the database."""
    if place.url.startswith("sqlite"):
        opened = closing(sqlite3.connect(place.url.removeprefix("sqlite:///")))
    else:
        opened = psycopg.connect(url_of(place))
    with opened as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def refuses(place, path, words, error=BadArchive, **options):
    with pytest.raises(error, match=words):
        place.restore(path, **options)


def cut(path, folder, size):
    copy = shutil.copy(path, folder / "cut.backup")
    with open(copy, "rb+") as file:
        file.truncate(size)
    return copy


# ---- the backup


# BR-2
@on_one_engine
@pytest.mark.parametrize("part", [0.0, 0.00001, 0.01, 0.5, 0.999, 1.0])
@pytest.mark.usefixtures("untouched")
def test_one_that_was_cut_off(home, place, tmp_path, part):
    size = int(home.made.size * part) - (part == 1.0)
    refuses(place, cut(home.archive, tmp_path, size), "cut off|no backup|beginning")


# BR-2
@on_one_engine
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
@on_one_engine
@pytest.mark.parametrize("name", SLIP)
@pytest.mark.usefixtures("untouched")
def test_one_whose_names_lead_elsewhere(home, place, tmp_path, name):
    def evil(head, body):
        yield {**head, "name": name} if head["kind"] == "file" else head, body

    refuses(place, rewritten(place.settings, home.archive, tmp_path, frame=evil), "no picture's")


# BR-2
@on_one_engine
@pytest.mark.parametrize("where", ["table", "column", "manifest"])
@pytest.mark.usefixtures("untouched")
def test_one_whose_tables_are_sql(home, place, tmp_path, where):
    def evil(head, body):
        if head["kind"] == "rows" and where == "table":
            head["table"] = "users; DROP TABLE users"
        elif head["kind"] == "rows" and where == "column":
            head["columns"][0][0] = "id) SELECT (1"
        elif head["kind"] == where:
            head["tables"]["contact"]["key"][0] = "id; DROP TABLE users"
        yield head, body

    refuses(place, rewritten(place.settings, home.archive, tmp_path, frame=evil), "table or column")


# BR-2
@on_one_engine
@pytest.mark.parametrize("what", ["contact", "file"])
@pytest.mark.usefixtures("untouched")
def test_one_from_which_something_was_taken(home, place, tmp_path, what):
    def fewer(head, body):
        if head.get("table", head["kind"]) != what:
            yield head, body

    refuses(place, rewritten(place.settings, home.archive, tmp_path, frame=fewer), "other rows or")


# BR-2
@on_one_engine
@pytest.mark.usefixtures("untouched")
def test_one_whose_picture_is_another(home, place, tmp_path):
    def other(head, body):
        yield head, body[::-1] if head["kind"] == "file" else body

    changed = rewritten(place.settings, home.archive, tmp_path, frame=other)
    refuses(place, changed, "is not what was put into it")


# BR-2
@on_one_engine
@pytest.mark.usefixtures("untouched")
def test_one_without_its_manifest(home, place, tmp_path):
    def fewer(head, body):
        if head["kind"] != "manifest":
            yield head, body

    path = rewritten(place.settings, home.archive, tmp_path, frame=fewer)
    ended = path.read_bytes() + bytes(4) + bytes(16)
    path.write_bytes(ended + hashlib.sha256(ended).digest())
    refuses(place, path, "cut off or changed")


# BR-2
@on_one_engine
def test_a_length_that_was_changed_takes_no_memory(home, place, tmp_path):
    text = orjson.dumps(Reader(home.archive).header)
    path = tmp_path / "x.backup"
    start = MAGIC + struct.pack(">I", len(text)) + text + struct.pack(">I", 2**32 - 1)
    path.write_bytes(start + hashlib.sha256(start).digest())
    tracemalloc.start()
    refuses(place, path, "cut off or changed")
    assert tracemalloc.get_traced_memory()[1] < 2**28
    tracemalloc.stop()


# BR-2
@on_one_engine
@pytest.mark.usefixtures("untouched")
def test_one_of_a_newer_schema_or_format(home, place, tmp_path):
    newer = rewritten(place.settings, home.archive, tmp_path, lambda h: {**h, "revision": "9001"})
    refuses(place, newer, "9001, which is newer")
    newer.unlink()
    newer = rewritten(place.settings, home.archive, tmp_path, lambda h: {**h, "format": 2})
    refuses(place, newer, "newer contactapp")


WRONG = {
    "format": [None, "1", 1.0],
    "made_at": [None, "now", -1, 2**63],
    "engine": [None, 1],
    "revision": [None, 17],
    "master_keys": [None, "k1", [1]],
    "wrapped": [None, [], ["x"], [["uid"]], [["uid", "no digits"]], [["uid", "abc"]], [[1, "ab"]]],
    "peppers": [None, "k1", [None]],
}


# BR-2
@on_one_engine
@pytest.mark.usefixtures("untouched")
def test_one_whose_header_is_no_header(home, place, tmp_path):
    header, path = Reader(home.archive).header, tmp_path / "x.backup"
    assert {*WRONG} <= {*header}
    others = [{**header, name: value} for name, values in WRONG.items() for value in values]
    others += [{k: v for k, v in header.items() if k != name} for name in WRONG]
    for other in [*others, {"format": FORMAT}, [], None]:
        text = orjson.dumps(other)
        start = MAGIC + struct.pack(">I", len(text)) + text
        path.write_bytes(start + hashlib.sha256(start).digest())
        refuses(place, path, "no backup of contactapp")


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
@on_one_engine
@pytest.mark.usefixtures("untouched")
def test_one_that_is_no_backup(place, tmp_path):
    (tmp_path / "x").write_bytes(b"PK\x03\x04" * 1000)
    refuses(place, tmp_path / "x", "no backup of contactapp")


# ---- what is there


# BR-2
def test_where_accounts_are_unless_told(home, settled):
    before = contents(settled)
    refuses(settled, home.archive, "has accounts .4.", Refused)
    assert contents(settled) == before
    assert settled.restore(home.archive, force=True).came_back.accounts == 4


# BR-2
def test_where_the_database_is_newer(home, settled):
    run_sql(settled, "UPDATE alembic_version SET version_num = '9001'")
    refuses(settled, home.archive, "newer than this contactapp", Refused, force=True)


# BR-2
@pytest.mark.parametrize(
    "others",
    [
        ["CREATE TABLE users (login text)", "INSERT INTO users VALUES ('kept')"],
        [
            "CREATE TABLE alembic_version (version_num text)",
            "INSERT INTO alembic_version VALUES ('0001')",
        ],
    ],
)
def test_where_another_program_has_its_tables(home, place, others):
    run_sql(place, *others)
    before = contents(place)
    refuses(place, home.archive, "tables of another program", Refused, force=True)
    assert contents(place) == before


# BR-2
@on_one_engine
def test_a_file_that_cannot_be_read_is_kept_under_another_name(home, settled):
    path = Path(settled.url.removeprefix("sqlite:///"))
    with path.open("rb+") as file:
        file.write(b"spoilt by the disk")
    spoilt = path.read_bytes()
    refuses(settled, home.archive, "cannot be read. --force keeps it", Refused)
    assert path.read_bytes() == spoilt
    assert settled.restore(home.archive, force=True).came_back.accounts == 4
    [kept] = path.parent.glob("*.damaged-*")
    assert kept.read_bytes() == spoilt
    assert path.read_bytes() != spoilt


# BR-2
@on_one_engine
def test_where_a_server_runs(home, new_server, tmp_path):
    server = new_server("sqlite", **SECRETS)
    visitor = server.person()
    place = Place(server.database, server.instance)
    refuses(place, home.archive, "a contactapp server, worker or command", Refused, force=True)
    elsewhere = Place(server.database, tmp_path / "other")
    refuses(elsewhere, home.archive, "the database is in use", Refused, force=True)
    assert visitor.get("/contacts").status_code == 200
    server.kill()
    with instance_lock.alone(server.instance, instance_lock.SERVING, 10.0):
        pass  # the last process of it is gone
    assert place.restore(home.archive, force=True).came_back.accounts == 4


# BR-2
def test_where_somebody_has_the_database_open(home, settled, reopened, monkeypatch):
    monkeypatch.setattr(target, "_PATIENCE", 0.1)
    app = reopened(settled)
    assert app.test_client().get("/readyz").status_code == 200
    filled = []
    look = lambda _: filled.append(has_app_context())  # noqa: E731
    refuses(settled, home.archive, "database is in use", Refused, force=True, progress=look)
    assert not any(filled)


# BR-2
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_where_somebody_on_another_machine_comes_meanwhile(home, settled, monkeypatch):
    monkeypatch.setattr(target, "_PATIENCE", 0.1)
    before, opened = contents(settled), []

    def come(_bytes):
        if has_app_context() and not opened:
            opened.append(psycopg.connect(url_of(settled)))

    refuses(settled, home.archive, "database is in use", Refused, force=True, progress=come)
    opened[0].close()
    assert contents(settled) == before


# BR-2
@on_one_engine
def test_nobody_reads_or_writes_meanwhile(home, settled):
    path, told = settled.url.removeprefix("sqlite:///"), []

    def come(_bytes):
        if has_app_context() and not told:
            with (
                closing(database.sqlite3.connect(path, timeout=0)) as connection,
                pytest.raises(database.sqlite3.OperationalError) as refusal,
            ):
                connection.execute("SELECT count(*) FROM users")
            told.append(str(refusal.value))

    settled.restore(home.archive, force=True, progress=come)
    assert told == ["database is locked"]


# BR-2
@on_one_engine
def test_a_new_database_that_somebody_has_open_does_not_take_the_place(home, settled):
    path = Path(settled.url.removeprefix("sqlite:///"))
    before, opened = contents(settled), []

    def look(_bytes):
        if has_app_context() and not opened:
            opened.append(database.sqlite3.connect(f"{path}.restoring"))
            assert opened[0].execute("SELECT count(*) FROM key").fetchone()

    refuses(settled, home.archive, "has the new database open", Refused, force=True, progress=look)
    opened[0].close()
    assert contents(settled) == before


# BR-2
@on_one_engine
def test_nobody_starts_while_a_backup_is_restored(settled, tmp_path, monkeypatch):
    for name, value in settled.given.items():
        monkeypatch.setenv(f"CONTACTAPP_{name}", value)
    with instance_lock.alone(settled.instance, instance_lock.SERVING):
        with pytest.raises(startup.StartError, match="a backup is being restored"):
            ready_app()
        for command in ("worker",), ("db", "upgrade"):
            code, _, err = contactapp(tmp_path, settled.given, *command)
            assert code == 1
            assert "a backup is being restored" in err


# BR-2
def test_rows_that_cannot_be_together_leave_what_was_there(home, settled, tmp_path):
    before = contents(settled)

    def twice(head, body):
        if head["kind"] == "rows" and head["table"] == "contact":
            [row, other, *_] = [list(row) for row in head["rows"]]
            head["rows"][1] = [*row[:2], *other[2:]]
        yield head, body

    broken = rewritten(settled.settings, home.archive, tmp_path, frame=twice)
    refuses(settled, broken, "rows that cannot be together", force=True)
    assert contents(settled) == before
