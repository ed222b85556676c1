"""Keys at rest are wrapped, and only the right master key opens a database."""

import time
from contextlib import contextmanager

import pytest
from sqlalchemy import select, text

from contactapp import crypto, startup
from contactapp.database import Sql, database, lane, write_transaction
from contactapp.keyring import (
    PURPOSES,
    Key,
    Keyring,
    WrongMasterKey,
    check_purpose_keys,
    create_key,
    keyring,
)
from contactapp.setting_sources import ConfigError
from contactapp.startup import StartError
from tests.conftest import FAST
from tests.support.cast import Person
from tests.support.command import GUNICORN, finish, key, let_go, poised, project, start

OTHERS = {"JWT_SECRETS": key("jwt"), "PASSWORD_PEPPERS": key("pepper")}
OLD, NEW = key("old master", name="k1"), key("new master", name="k2")

WAITING = text(
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'key'::regclass "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
CREATE = """
from contactapp.keyring import create_purpose_keys
with app.app_context():
    create_purpose_keys()
"""


@pytest.fixture(scope="module")
def url(engine, new_app, new_database):
    """A database that was made with the old master key."""
    url = new_database(engine)
    new_app(engine, database=url, MASTER_KEYS=OLD, **OTHERS)
    return url


@pytest.fixture
def sealed(engine, new_app, url):
    """That database, opened with some master keys."""
    return lambda masters: new_app(engine, database=url, MASTER_KEYS=masters, **OTHERS)


@write_transaction
def forget(what):
    assert lane().run(Sql(f"DELETE FROM {what}"), ()) > 0


def rows(app):
    with app.app_context(), database().engine.connect() as connection:
        return connection.execute(select(Key.id, Key.uid, Key.purpose, Key.wrapped)).all()


def test_keys_are_stored_wrapped_by_the_master_key(sealed):
    app = sealed(OLD)
    before = len(rows(app))
    Person(app, "alice")
    stored = rows(app)
    assert len(stored) == before + 2  # the user's and the book's
    assert {row.purpose for row in stored} == {*PURPOSES, None}
    with app.app_context():
        for id_, _, purpose, wrapped in stored:
            assert crypto.key_id_of(wrapped) == crypto.master_id("k1")
            assert len(wrapped) == 5 + 12 + 32 + 16
            keyring().cipher(id_)
            if purpose:
                assert keyring().purpose(purpose) not in wrapped


def test_a_wrapped_key_moved_to_another_row_does_not_open(sealed):
    app = sealed(OLD)
    one, other = rows(app)[:2]
    with app.app_context(), pytest.raises(WrongMasterKey):
        keyring()._unwrap(one.id, one.uid, other.wrapped)


def test_an_erased_key_opens_nothing(sealed):
    app = sealed(OLD)
    with app.app_context(), pytest.raises(crypto.SealError, match="erased"):
        keyring().cipher(2**31)


# BR-4
@pytest.mark.parametrize("master", [NEW, key("another", name="k1")])
def test_another_master_key_does_not_open_the_database(sealed, master):
    app = sealed(OLD)
    with pytest.raises(StartError, match="CONTACTAPP_MASTER_KEYS does not open this database"):
        sealed(master)
    with app.app_context():
        check_purpose_keys()


# BR-4
@pytest.mark.parametrize("env", ["development", "production"])
def test_the_server_does_not_start_with_another_master_key(url, env, tmp_path):
    settings = {**FAST, **OTHERS, "DATABASE_URL": url, "MASTER_KEYS": NEW, "ENV": env}
    settings |= {"INSTANCE_PATH": str(tmp_path / "i"), "BIND": "127.0.0.1:1", "BCRYPT_COST": "10"}
    settings |= {"BASE_URL": "https://contacts.example.org"}
    code, out, err = finish(start(GUNICORN, project(tmp_path), settings))
    assert code != 0
    assert "CONTACTAPP_MASTER_KEYS does not open this database" in err
    assert "Traceback" not in err + out
    for secret in (OLD, NEW, *OTHERS.values()):
        assert secret[3:] not in err + out


def test_two_master_keys_of_one_name_are_refused(sealed):
    with pytest.raises(ConfigError, match="CONTACTAPP_MASTER_KEYS uses one id twice"):
        sealed(f"{OLD},{key('another', name='k1')}")


def test_a_database_without_its_canary_is_not_served(sealed):
    app = sealed(OLD)
    with app.app_context():
        forget("key WHERE purpose = 'canary'")
        keyring()._purposes.clear()
    assert startup.problems(app) == ["the database has no canary key: run `contactapp db upgrade`"]
    startup.upgrade(app)
    assert startup.problems(app) == []


def test_a_key_is_read_from_the_database_once(sealed):
    app = sealed(OLD)
    first = rows(app)[0]
    with app.app_context():
        masters = app.extensions["contactapp.settings"].master_keys
        ring = Keyring(masters, database().lane)
        assert ring.cipher(first.id) is ring.cipher(first.id)


def test_a_key_that_was_undone_does_not_open_for_the_next_with_its_id(sealed):
    """SQLite gives a rolled back id again."""

    @write_transaction
    def undone():
        made = create_key()
        assert keyring().cipher(made.key_id).open(made.seal(b"text")) == b"text"
        raise LookupError

    with sealed(OLD).app_context():
        with pytest.raises(LookupError):
            undone()
        made = write_transaction(create_key)()
        assert keyring().cipher(made.key_id).open(made.seal(b"text")) == b"text"


# BR-4
def test_no_key_is_made_with_another_master_key(sealed):
    app = sealed(OLD)
    with app.app_context():
        forget("key WHERE purpose = 'mail'")
    before = rows(app)
    with pytest.raises(StartError, match="does not open this database"):
        sealed(NEW)
    assert rows(app) == before
    startup.upgrade(app)
    assert {row.purpose for row in rows(app)} >= set(PURPOSES)


# TK-8
def test_an_old_master_key_still_opens_after_a_new_first_one(sealed):
    before = sealed(OLD)
    alice = Person(before, "alice")
    contact = alice.contact(first_name="Grace")
    after = sealed(f"{NEW},{OLD}")
    alice.app = after
    assert alice.get(f"/contacts/{contact['id']}").json == contact
    known = {row.id for row in rows(after)}
    Person(after, "bob")
    names = {crypto.key_id_of(row.wrapped) for row in rows(after) if row.id not in known}
    assert names == {crypto.master_id("k2")}


def test_two_processes_make_the_purpose_keys_side_by_side(engine, new_app, new_database, tmp_path):
    url = new_database(engine)
    app = new_app(engine, database=url, MASTER_KEYS=OLD, **OTHERS)
    settings = {**OTHERS, "DATABASE_URL": url, "MASTER_KEYS": OLD, "INSTANCE_PATH": str(tmp_path)}
    together = poised(CREATE, 2, tmp_path, settings)
    with app.app_context():
        forget("key")
        with nobody_inserts(len(together)):
            let_go(together)
    for process in together:
        code, _, err = finish(process)
        assert code == 0, err
    assert sorted(row.purpose for row in rows(app)) == sorted(PURPOSES)


@contextmanager
def nobody_inserts(count):
    """Hold inserts up until `count` processes wait to; reading goes on where the engine can."""
    own = database()
    with own.engine.begin() as connection:
        if not own.is_sqlite:
            connection.execute(text("LOCK TABLE key IN SHARE MODE"))
        yield
        ends = time.monotonic() + 30
        while not own.is_sqlite and connection.execute(WAITING).scalar() < count:
            assert time.monotonic() < ends
            time.sleep(0.01)
