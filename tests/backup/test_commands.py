"""`contactapp backup` and `contactapp keys`, as an operator types them."""

import re
from types import SimpleNamespace

import pytest
import requests
from click.testing import CliRunner

from contactapp import crypto, key_rotation
from contactapp.backup import creating
from contactapp.backup.archive import Reader
from contactapp.cli import cli
from contactapp.database import Sql, lane, write_transaction
from contactapp.startup import StartError
from tests.support.backups import SECRETS, Place, back_up, fill, person_of
from tests.support.cast import PASSWORD, Person
from tests.support.chaos import Crowd
from tests.support.command import key
from tests.support.engines import on_one_engine
from tests.support.traffic import Hand

OLD, NEW = key("master"), key("new master", name="k2")
_SPOIL = Sql("UPDATE key SET wrapped = ? WHERE id = (SELECT max(id) FROM key)")
_WRAPPED = Sql("SELECT id, wrapped FROM key ORDER BY id")


@pytest.fixture
def installed(engine, new_app, new_database, tmp_path, monkeypatch):
    """A place with one person in it; commands run there, in this process."""
    place = Place(new_database(engine), tmp_path / "instance")
    given = {name: value for name, value in place.given.items() if name != "DATABASE_URL"}
    place.app = new_app(engine, database=place.url, **given)
    place.ann = Person(place.app, "ann")
    fill(place.ann)

    def run(*words, **others):
        with monkeypatch.context() as environment:
            for name, value in {**place.given, **others}.items():
                environment.setenv(f"CONTACTAPP_{name}", value)
            result = CliRunner().invoke(cli, [*map(str, words)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    place.run = run
    return place


@on_one_engine
def test_making_listing_verifying_and_pruning(installed, tmp_path):
    older = back_up(installed.app).path
    code, out, err = installed.run("backup", "create")
    assert code == 0, err
    path = out.splitlines()[0]
    assert re.search(r"^\d+ rows, 6 pictures, 0\.\d MiB\.$", out.splitlines()[1])
    (older.parent / "contactapp-20200101T000000000Z.backup").write_text("spoilt")
    code, out, _ = installed.run("backup", "list")
    assert code == 0
    line = r"{}  \S+Z +0\.\d MiB  sqlite \d{{4}}  1 accounts, \d contacts, 6 pictures\n"
    assert re.fullmatch(
        line.format(path) + line.format(older) + r"\S+  \S+ is no backup of .*\n", out
    )
    code, out, _ = installed.run("backup", "verify", path)
    assert code == 0
    assert out.endswith("It can be restored: every row, picture and chain is as it was.\n")
    code, _, err = installed.run("backup", "create", "--output", path)
    assert code == 1
    assert "is there already: name another file" in err
    code, out, _ = installed.run("backup", "prune", "--keep", "1")
    assert code == 0
    assert out.startswith(f"deleted {older}\n")
    assert out.endswith("\n1 backups are kept.\n")
    for path in installed.instance.glob("avatars/*"):
        path.unlink()
    _, out, _ = installed.run("backup", "create", "--output", tmp_path / "less")
    assert out.endswith("\n1 pictures are in no folder and were left out.\n")
    code, out, _ = installed.run("backup", "verify", tmp_path / "less")
    assert code == 1
    assert out.endswith("\n3 pictures are named and not in it.\n")
    (tmp_path / "none").write_text("x")
    code, _, err = installed.run("backup", "verify", tmp_path / "none")
    assert code == 1
    assert "is no backup of contactapp" in err


@on_one_engine
def test_restoring_tells_what_ended_and_what_came_back(installed, new_database, tmp_path):
    path = back_up(installed.app).path
    other = {
        "DATABASE_URL": new_database("sqlite"),
        "INSTANCE_PATH": str(tmp_path / "other"),
    }
    code, out, err = installed.run("backup", "restore", path, **other)
    assert code == 0, err
    assert "Ended: 1 sessions, 1 links by mail, 0 API tokens, 0 feeds, 1 letters" in out
    assert "1 webhooks are off" in out
    assert "Back as they were then: 1 accounts (0 deactivated)" in out
    assert "Admins: none." in out
    assert "keys rotate" not in out
    code, _, err = installed.run("backup", "restore", path, **other)
    assert code == 1
    assert "Nothing was restored, all is as it was: the database there has accounts (1)" in err
    other["PASSWORD_PEPPERS"] = key("another", name="z1")
    other["MASTER_KEYS"] = f"{NEW},{OLD}"
    code, out, _ = installed.run("backup", "restore", path, "--force", **other)
    assert code == 0
    assert "CONTACTAPP_PASSWORD_PEPPERS lacks k1" in out
    assert "Keys are wrapped with k1: `contactapp keys rotate`" in out


@on_one_engine
def test_a_new_master_key_is_made_and_the_old_ones_are_told(installed, tmp_path):
    code, out, err = installed.run("keys", "generate")
    assert code == 0
    assert re.fullmatch(r"k2:[A-Za-z0-9+/]{43}=\n", out)
    assert "in front of the others" in err
    assert installed.run("keys", "generate", "--name", "k1")[0] == 1
    back_up(installed.app)
    both = {"MASTER_KEYS": f"{out.strip()},{OLD}"}
    status = installed.run("keys", "status", **both)[1]
    assert re.search(r"^k2    wraps 0 keys, 0 backups need it  newest", status, re.M)
    assert re.search(r"^k1    wraps \d+ keys, 1 backups need it  needed: run", status, re.M)
    code, out, _ = installed.run("keys", "rotate", **both)
    assert code == 0
    assert re.fullmatch(r"\d+ keys are wrapped with k2 now\.\n", out)
    status = installed.run("keys", "status", **both)[1]
    assert re.search(
        r"^k1    wraps 0 keys, 1 backups need it  needed by backups only", status, re.M
    )
    assert installed.run("keys", "rotate", **both)[1] == "0 keys are wrapped with k2 now.\n"
    code, out, err = installed.run("keys", "export", "--output", tmp_path / "kept", **both)
    assert (code, out) == (0, "")
    assert "where the backups are not" in err
    kept = (tmp_path / "kept").read_text().splitlines()
    assert kept[0] == f"CONTACTAPP_MASTER_KEYS={both['MASTER_KEYS']}"
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o600
    assert installed.run("keys", "export", "--output", tmp_path / "kept")[0] == 1


@on_one_engine
def test_keys_that_no_master_key_opens_are_told_and_stay(installed):
    foreign = bytes([crypto.VERSION]) + crypto.master_id("k9").to_bytes(4, "big") + bytes(60)

    @write_transaction
    def spoil():
        return lane().run(_SPOIL, (foreign,))

    with installed.app.app_context():
        assert spoil() == 1
    both = {"MASTER_KEYS": f"{NEW},{OLD}"}
    code, out, err = installed.run("keys", "rotate", **both)
    assert (code, bool(re.match(r"1\d keys are wrapped with k2 now", out))) == (1, True)
    assert "1 keys are wrapped with a master key that is not in CONTACTAPP_MASTER_KEYS" in err
    out = installed.run("keys", "status", **both)[1]
    assert re.search(r"^k9    wraps 1 keys, 0 backups need it  NOT in CONTACTAPP_MASTER", out, re.M)
    with installed.app.app_context():
        assert foreign in {bytes(wrapped) for _, wrapped in lane().all(_WRAPPED)}


# TK-8
def test_keys_are_wrapped_anew_while_people_are_served(engine, new_server, new_app):
    old = new_app(engine, **SECRETS)
    people = [Person(old, f"person{n}") for n in range(3)]
    url = old.extensions["contactapp.settings"].database_url
    both = {**SECRETS, "MASTER_KEYS": f"{NEW},{OLD}"}
    server = new_server(engine, database=url, **both)
    hands = [Hand(visiting(server, person), n) for n, person in enumerate(people)]
    with Crowd(hands) as crowd, new_app(engine, database=url, **both).app_context():
        crowd.wait_for(15)
        assert sum(some for some, _ in key_rotation.rotate()) > 6
        late = visiting(server, Person(old, "late"))  # of a process that knows the old key alone
        crowd.wait_for(15)
        assert requests.get(f"{late.url}/contacts", headers=late.http.headers).ok
        assert sum(some for some, _ in key_rotation.rotate()) == 2
    assert set().union(*(hand.statuses for hand in hands)) <= {200, 201, 204}
    server.kill()
    new = new_app(engine, database=url, **{**SECRETS, "MASTER_KEYS": NEW})
    answer = person_of(new, people[0]).get("/contacts")
    assert answer.json["total"] == len(hands[0].mine)


def visiting(server, person):
    """Somebody with a session of another process of the installation, on a server."""
    http = SimpleNamespace(headers={"Authorization": f"Bearer {person.access}"})
    return SimpleNamespace(http=http, url=f"{server.url}/api/v1")


# TK-8
def test_a_rotation_that_was_interrupted_goes_on(engine, new_app, monkeypatch):
    monkeypatch.setattr(key_rotation, "_BATCH", 2)
    app = new_app(engine, **SECRETS)
    ann = Person(app, "ann")
    fill(ann)
    url = app.extensions["contactapp.settings"].database_url
    both = new_app(engine, database=url, **{**SECRETS, "MASTER_KEYS": f"{NEW},{OLD}"})
    with both.app_context():
        before = dict(lane().all(_WRAPPED))
        assert next(key_rotation.rotate()) == (2, 0)
        half = dict(lane().all(_WRAPPED))
        assert sum(half[id_] != before[id_] for id_ in before) == 2
        for _ in range(4):
            next(key_rotation.rotate())  # those of the installation are done, not yet Ann's
        header = Reader(creating.create().path).header
        assert header["master_keys"] == ["k1", "k2"]  # a restore needs both
        done = 8 + sum(some for some, _ in key_rotation.rotate())
        after = dict(lane().all(_WRAPPED))
        assert done == len(before) - 2
        assert all(after[id_] == half[id_] for id_ in before if half[id_] != before[id_])
        assert key_rotation.count_wrapped() == {"k2": len(before), "k1": 0}
    assert ann.get("/contacts").json["total"] == 2
    new = new_app(engine, database=url, **{**SECRETS, "MASTER_KEYS": NEW})
    assert person_of(new, ann).get("/contacts").json["total"] == 2


# TK-8
def test_a_key_that_no_master_key_opens_or_that_is_destroyed_meanwhile_stays(
    engine, new_app, monkeypatch
):
    app = new_app(engine, **SECRETS)
    ann, bob = Person(app, "ann"), Person(app, "bob")
    url = app.extensions["contactapp.settings"].database_url
    both = new_app(engine, database=url, **{**SECRETS, "MASTER_KEYS": f"{NEW},{OLD}"})
    real = key_rotation._rewrap

    def slow(opened):
        assert bob.delete("/users/me", json={"password": PASSWORD}).status_code == 204
        return real(opened)

    monkeypatch.setattr(key_rotation, "_rewrap", slow)
    with both.app_context():
        [(some, others)] = key_rotation.rotate()
        gone = [id_ for id_, wrapped in lane().all(_WRAPPED) if wrapped == b""]
        assert (len(gone), others) == (2, 0)
        assert key_rotation.count_wrapped() == {"k2": some, "k1": 0}
    assert person_of(both, ann).get("/contacts").status_code == 200
    third = {**SECRETS, "MASTER_KEYS": key("third", name="k3")}
    with pytest.raises(StartError, match="does not open this database"):
        new_app(engine, database=url, **third)
