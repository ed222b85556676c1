"""A backup has all that must be in it, and shows nothing of it to who lacks the key."""

import base64
import os
import resource

import pytest
from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, MetaData, String

from contactapp.backup import creating, shelf, tables
from contactapp.backup.archive import BadArchive, Reader
from contactapp.backup.restoring import Refused
from contactapp.backup.source import key_of
from contactapp.database import Sql, database, lane
from contactapp.engine import DatabaseFull
from contactapp.extensions import db
from contactapp.pictures.service import AVATARS, PHOTOS
from contactapp.users import avatars
from tests.support.backups import SECRETS, Place, back_up, fill, rewritten
from tests.support.cast import Person
from tests.support.chains import Story
from tests.support.command import key
from tests.support.engines import on_one_engine
from tests.support.pictures import PNG, files, picture


@pytest.fixture
def old(engine, new_app):
    """An installation of the test's own, with one person."""
    app = new_app(engine, **SECRETS)
    ann = Person(app, "ann")
    fill(ann)
    return app, ann


def names_in(app, path):
    settings = app.extensions["contactapp.settings"]
    reader = Reader(path)
    return {
        frame.head["name"]
        for frame in reader.frames(key_of(reader, settings))
        if frame.head["kind"] == "file"
    }


def test_every_table_is_in_it_with_every_column(home):
    found = MetaData()
    with home.app.app_context():
        found.reflect(database().engine, resolve_fks=False)
    wanted = {
        table.name: {column.name for column in table.columns}
        for table in found.sorted_tables
        if table.name not in {"alembic_version", "worker", "ticket"}
    }
    assert wanted == {t.name: {name for name, _ in t.columns} for t in tables.tables()}
    kinds = {type(column.type) for table in db.metadata.sorted_tables for column in table.columns}
    assert kinds <= {BigInteger, Integer, String, Boolean, LargeBinary}  # what JSON carries whole


# BR-4
def test_nothing_of_it_is_readable_without_the_key(home, place):
    content = home.archive.read_bytes()
    master = SECRETS["MASTER_KEYS"].partition(":")[2]
    marks = [b"WEBP", b"RIFF", b"users", b"contact_id", b"Grace", b"found the bug", b"kept"]
    marks += [master.encode(), base64.b64decode(master), home.cast.alice.email.encode()]
    head, _, sealed = content.partition(b"}")
    for mark in marks:
        assert mark not in sealed, mark
        assert mark not in head.replace(b"contactapp backup", b""), mark
    stranger = Place(place.url, place.instance, MASTER_KEYS=key("stranger", name="k9"))
    with pytest.raises(BadArchive, match="needs the master key k1"):
        stranger.verify(home.archive)
    assert stat_of(home.archive) == 0o600


def stat_of(path):
    return path.stat().st_mode & 0o777


# BR-1
def test_a_picture_that_is_replaced_while_it_is_made_is_in_it(old):
    app, ann = old
    before = {f"avatars/{name}" for name in files(app)} | {
        f"photos/{name}" for name in files(app, PHOTOS)
    }
    replaced, instance = [], app.extensions["contactapp.settings"].instance_path

    def replace(_rows):
        if not replaced:
            replaced.append(ann.put("/users/me/avatar", data=picture(), headers=PNG))
            assert replaced[0].status_code < 300
            for path in instance.glob("avatars/*"):
                os.utime(path, (0, 0))
            avatars.sweep()

    with app.app_context():
        made = creating.create(progress=replace)
    assert (names_in(app, made.path), made.missing) == (before, 0)
    assert len(files(app, AVATARS)) == 6  # until the sweep
    with app.app_context():
        avatars.sweep()
    assert len(files(app, AVATARS)) == 3
    ann.put("/users/me/avatar", data=picture(), headers=PNG)
    assert len(files(app, AVATARS)) == 3


def test_who_writes_does_not_wait_and_is_not_in_it(old):
    app, ann = old
    added = []

    def add(_rows):
        if not added:
            added.append(ann.contact(first_name="Later"))

    with app.app_context():
        made = creating.create(progress=add)
        [there] = lane().one(Sql("SELECT count(*) FROM contact"))
    assert added
    assert made.rows["contact"] == there - 1


def test_pictures_are_heard_of_as_rows_are(home):
    heard = []
    with home.app.app_context():
        creating.create(home.archive.with_name("x"), heard.append)
    home.archive.with_name("x").unlink()
    assert heard.count(0) == 4  # two avatars and two photos
    assert sum(heard) == sum(home.made.rows.values())


@on_one_engine
def test_two_are_not_made_at_once(old, monkeypatch):
    app, _ = old

    def another(_rows):
        creating.create()

    monkeypatch.setattr(creating, "_PATIENCE", 0.0)
    with app.app_context(), pytest.raises(creating.Running, match="another backup is being made"):
        creating.create(progress=another)
    instance = app.extensions["contactapp.settings"].instance_path
    assert shelf.newest_first(instance) == []


@pytest.fixture
def full_disk():
    """Files can hold no more than so many bytes, within it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


# DU-4
def test_a_full_disk_leaves_the_backups_that_there_are(old, full_disk):
    app, _ = old
    made = back_up(app)
    content = made.path.read_bytes()
    full_disk(made.size // 2)
    with app.app_context(), pytest.raises(OSError, match="File too large"):
        creating.create()
    assert {path.name: path.read_bytes() for path in made.path.parent.iterdir()} == {
        made.path.name: content
    }


# DU-4, BR-2
@on_one_engine
def test_a_full_disk_leaves_the_database_that_there_is(home, old, place, full_disk, reopened):
    place.restore(back_up(old[0]).path)
    full_disk(200_000)
    with pytest.raises(DatabaseFull):
        place.restore(home.archive, force=True)
    full_disk(resource.RLIM_INFINITY)
    app = reopened(place)
    with app.app_context():
        assert lane().one(Sql("SELECT count(*) FROM users")) == (1,)
    left = {path.name for path in place.instance.iterdir()}
    assert not [name for name in left if name.startswith(("restoring", "verifying"))]


def test_verifying_follows_the_chains_and_leaves_nothing(home, place):
    report = place.verify(home.archive)
    assert (report.problems, report.missing, report.pictures) == ([], 0, 12)
    assert report.rows == home.made.rows
    assert not place.files()


def test_rows_that_are_not_those_of_the_manifest_are_told(home, place, tmp_path):
    def other(head, body):
        if head["kind"] == "rows" and head["table"] == "change":
            head["rows"][0][[name for name, _ in head["columns"]].index("version")] += 1
        yield head, body

    changed = rewritten(place.settings, home.archive, tmp_path, frame=other)
    with pytest.raises(BadArchive, match="the rows of change are not those"):
        place.verify(changed)


@on_one_engine
def test_a_column_that_no_revision_had_is_told(home, place, tmp_path):
    def other(head, body):
        if head["kind"] == "rows" and head["table"] == "key":
            head["columns"][0][0] = "number"
        yield head, body

    changed = rewritten(place.settings, home.archive, tmp_path, frame=other)
    with pytest.raises(BadArchive, match="columns of key that no revision had"):
        place.verify(changed)


# BR-1
@on_one_engine
def test_a_chain_that_was_broken_before_is_told(engine, new_app, place):
    story = Story(new_app(engine, **SECRETS))
    story.tamper("UPDATE change SET version = 99 WHERE stream_id = :stream AND seq = 2")
    made = back_up(story.app)
    told = f"{story.book}: number 2 does not follow from the one before, or was changed"
    assert place.verify(made.path).problems == [told]
    with pytest.raises(Refused, match="number 2 does not follow"):
        place.restore(made.path)
    report = place.restore(made.path, force=True)
    assert (report.problems, report.came_back.accounts) == ([told], 1)
