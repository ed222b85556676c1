"""What a server writes, only its own account can read."""

import os
import stat

import pytest

from tests.support.command import contactapp

FILES = {
    "contactapp.sqlite3",
    "contactapp.sqlite3-wal",
    "contactapp.sqlite3-shm",
    "limits.table",
    "secrets.env",
}


@pytest.fixture
def open_umask():
    """The mask of an ordinary account, under which files come out as 0644."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder):
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}


# SC-3
def test_a_running_servers_files_are_closed_to_others(open_umask, new_server, tmp_path):
    database = f"sqlite:///{tmp_path}/instance/contactapp.sqlite3"
    server = new_server("sqlite", database=database, instance=tmp_path)
    server.person().post("/contacts", json={"first_name": "Grace"})
    found = modes(server.instance)
    assert set(found) >= FILES
    assert found.pop("metrics") == "0o700"
    assert set(modes(server.instance / "metrics").values()) == {"0o600"}
    assert set(found.values()) == {"0o600"}
    assert oct(stat.S_IMODE(server.instance.stat().st_mode)) == "0o700"
    server.kill()


# SC-3
def test_files_that_commands_make_are_closed_to_others(open_umask, tmp_path):
    code, _, err = contactapp(tmp_path, {}, "db", "upgrade")
    assert code == 0, err
    found = modes(tmp_path / "instance")
    assert set(found) >= {"contactapp.sqlite3", "secrets.env"}
    assert set(found.values()) == {"0o600"}
    assert oct(stat.S_IMODE((tmp_path / "instance").stat().st_mode)) == "0o700"


# SC-3
def test_a_database_elsewhere_gets_a_closed_folder_of_its_own(open_umask, tmp_path):
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/data/book.sqlite3"}
    code, _, err = contactapp(tmp_path, settings, "db", "upgrade")
    assert code == 0, err
    assert modes(tmp_path / "data")["book.sqlite3"] == "0o600"
    assert modes(tmp_path)["data"] == "0o700"
