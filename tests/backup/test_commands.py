"""`contactapp backup` and `contactapp keys`, as an operator types them."""

import re

import pytest

from contactapp import key_rotation
from contactapp.database import Sql, lane
from contactapp.startup import StartError
from tests.support.backups import SECRETS, Place, back_up, fill, person_of
from tests.support.cast import PASSWORD, Person
from tests.support.chaos import Crowd
from tests.support.command import contactapp, key
from tests.support.traffic import Hand

# What a command does is the same on either engine, and a process costs a second.
once = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
OLD, NEW = key("master"), key("new master", name="k2")
_WRAPPED = Sql("SELECT id, wrapped FROM key ORDER BY id")


@pytest.fixture
def installed(engine, new_app, new_database, tmp_path):
    """A place with one person in it; commands run there."""
    place = Place(new_database(engine), tmp_path / "instance")
    given = {name: value for name, value in place.given.items() if name != "DATABASE_URL"}
    place.app = new_app(engine, database=place.url, **given)
    place.ann = Person(place.app, "ann")
    fill(place.ann)
    place.run = lambda *words, **others: contactapp(
        tmp_path, {**place.given, **others}, *map(str, words)
    )
    return place


@once
def test_making_listing_verifying_and_pruning(installed, tmp_path):
    code, out, err = installed.run("backup", "create")
    assert code == 0, err
    path = out.splitlines()[0]
    assert re.search(r"^\d+ rows, 6 pictures, 0\.\d MiB\.$", out.splitlines()[1])
    code, out, _ = installed.run("backup", "list")
    assert code == 0
    assert re.fullmatch(
        rf"{path}  \S+Z +0\.\d MiB  sqlite \d{{4}}  1 accounts, 2 contacts, 6 pictures\n".replace(
            "2 contacts", r"\d contacts"
        ),
        out,
    )
    code, out, _ = installed.run("backup", "verify", path)
    assert code == 0
    assert out.endswith("It can be restored: every row, picture and chain is as it was.\n")
    code, _, err = installed.run("backup", "create", "--output", path)
    assert code == 1
    assert "is there already: name another file" in err
    assert installed.run("backup", "create")[0] == 0
    code, out, _ = installed.run("backup", "prune", "--keep", "1")
    assert (code, out) == (0, f"deleted {path}\n1 backups are kept.\n")
    (tmp_path / "none").write_text("x")
    code, _, err = installed.run("backup", "verify", tmp_path / "none")
    assert code == 1
    assert "is no backup of contactapp" in err


@once
def test_restoring_tells_what_ended_and_what_came_back(installed, new_database, tmp_path):
    path = installed.run("backup", "create")[1].splitlines()[0]
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
    code, _, err = installed.run("backup", "restore", path, **other)
    assert code == 1
    assert "Nothing was restored, all is as it was: the database there has accounts (1)" in err
    other["PASSWORD_PEPPERS"] = key("another", name="z1")
    code, out, _ = installed.run("backup", "restore", path, "--force", **other)
    assert code == 0
    assert "CONTACTAPP_PASSWORD_PEPPERS lacks k1" in out


@once
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


# TK-8
def test_keys_are_wrapped_anew_while_people_are_served(engine, new_server, new_app, tmp_path):
    both = {**SECRETS, "MASTER_KEYS": f"{NEW},{OLD}"}
    first = new_server(engine, **SECRETS)
    people = [first.person(f"person{n}") for n in range(3)]
    first.stop()
    server = new_server(engine, database=first.database, instance=first.folder, **both)
    for person in people:
        person.url = f"{server.url}/api/v1"
    hands = [Hand(person, n) for n, person in enumerate(people)]
    with Crowd(hands) as crowd:
        crowd.wait_for(20)
        code, out, err = contactapp(tmp_path, server.settings, "keys", "rotate")
        assert (code, err.count("Wrapping")) == (0, err.count("Wrapping")), err
        assert re.match(r"[1-9]\d* keys are wrapped with k2", out)
        crowd.wait_for(20)
    assert set().union(*(hand.statuses for hand in hands)) <= {200, 201, 204}
    server.stop()
    alone = new_server(
        engine, database=first.database, instance=first.folder, **{**SECRETS, "MASTER_KEYS": NEW}
    )
    people[0].url = f"{alone.url}/api/v1"
    assert people[0].get("/contacts").json()["total"] == len(hands[0].mine)
    alone.stop()


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
        done = sum(some for some, _ in key_rotation.rotate())
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
