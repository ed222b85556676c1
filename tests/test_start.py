"""A server that is set up wrongly does not start, and says which variable, not what was in it."""

import base64
import json
import signal
import socket
import time

import pytest
import requests

from tests.support.command import CONTACTAPP, GUNICORN, contactapp, finish, key, project, start

SERVE = (*CONTACTAPP, "serve")
SECRETS = {
    "MASTER_KEYS": key("master"),
    "JWT_SECRETS": key("jwt"),
    "PASSWORD_PEPPERS": key("pepper"),
}
SAMPLE = "k1:" + base64.b64encode(b"please-change-this-32-byte-key!!").decode()
MARKER = "Zq9vmarker"

# What is wrong: (the variable that must be named, settings over good ones, environment beside).
WRONG = {
    "no master key": ("CONTACTAPP_MASTER_KEYS", {"MASTER_KEYS": ""}, {}),
    "31 bytes": ("CONTACTAPP_JWT_SECRETS", {"JWT_SECRETS": key("jwt", 31)}, {}),
    "a sample": ("CONTACTAPP_MASTER_KEYS", {"MASTER_KEYS": SAMPLE}, {}),
    "equal ones": ("CONTACTAPP_JWT_SECRETS", {"JWT_SECRETS": SECRETS["MASTER_KEYS"]}, {}),
    "debug": ("FLASK_DEBUG", {}, {"FLASK_DEBUG": "1"}),
    "unknown": ("CONTACTAPP_MASTER_KEY", {"MASTER_KEY": f"k1:{MARKER}"}, {}),
    "malformed": ("CONTACTAPP_WORKERS", {"WORKERS": MARKER}, {}),
}


def production(folder, **changes):
    """The settings of a production server that starts, with changes; empty takes one away."""
    given = {
        "ENV": "production",
        "INSTANCE_PATH": str(folder / "instance"),
        "BASE_URL": "https://contacts.example.org",
        "BIND": f"127.0.0.1:{free_port()}",
        "WORKERS": "1",
        **SECRETS,
        **changes,
    }
    return {name: value for name, value in given.items() if value}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# gunicorn by itself reads the same settings: two show that it tells what is wrong in one line too.
STARTS = {f"serve {name}": (SERVE, name) for name in WRONG}
STARTS |= {f"gunicorn {name}": (GUNICORN, name) for name in ("a sample", "malformed")}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """Every wrong set-up started, all side by side: what became of each."""
    running = {}
    for case, (command, name) in STARTS.items():
        _, changes, environment = WRONG[name]
        folder = project(tmp_path_factory.mktemp("wrong"))
        settings = production(folder, **changes)
        running[case] = (start(command, folder, settings, environment), settings)
    return {case: (*finish(process), given) for case, (process, given) in running.items()}


# SC-1, TK-7
@pytest.mark.parametrize("case", STARTS)
def test_a_wrong_set_up_stops_the_start_and_is_named(refusals, case):
    code, out, err, settings = refusals[case]
    assert code != 0
    assert WRONG[STARTS[case][1]][0] in err
    assert "Traceback" not in out + err
    assert len(err.strip().splitlines()) == 1, err
    secret = [settings.get(name, "")[3:] for name in (*SECRETS, "MASTER_KEY")] + [MARKER]
    assert not [value for value in secret if value and value in out + err]


# SC-1
def test_production_does_not_start_on_a_database_that_was_not_prepared(tmp_path):
    process = start(GUNICORN, project(tmp_path), production(tmp_path))
    code, _, err = finish(process)
    assert code != 0
    assert "the database is not up to date: run `contactapp db upgrade`" in err
    assert "Traceback" not in err


def test_production_starts_with_secrets_of_its_own_and_a_prepared_database(tmp_path):
    settings = production(project(tmp_path))
    assert contactapp(tmp_path, settings, "db", "upgrade")[0] == 0
    process = start(SERVE, tmp_path, settings)
    told = ended_when_up(process, settings["BIND"])
    assert f"Listening at: http://{settings['BIND']}" in told
    assert not (tmp_path / "instance" / "secrets.env").exists()
    for line in told.splitlines():  # OB-1
        assert json.loads(line)["level"] in {"info", "warning"}, line


def test_development_starts_with_one_command_and_says_what_it_made(tmp_path):
    settings = {"BIND": f"127.0.0.1:{free_port()}", "WORKERS": "1"}
    process = start(SERVE, project(tmp_path), settings)
    told = ended_when_up(process, settings["BIND"])
    assert told.count("made development secrets in") == 1
    assert (tmp_path / "instance" / "secrets.env").exists()
    assert f"http://{settings['BIND']}/docs" in told


# AU-9, SC-1
def test_development_does_not_start_where_the_database_is_away(tmp_path):
    url = f"postgresql://nobody:{MARKER}@127.0.0.1:{free_port()}/none"
    code, out, err = finish(start(GUNICORN, project(tmp_path), {"DATABASE_URL": url}))
    assert code != 0
    assert "the database is not reachable" in err
    assert "Traceback" not in err
    assert MARKER not in out + err


def ended_when_up(process, bind):
    """Everything that a server writes; it is ended in good order as soon as it answers."""
    while fails(f"http://{bind}/healthz"):
        assert process.poll() is None, finish(process)
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    code, out, err = finish(process)
    assert code == 0, err
    return out + err


def fails(url):
    try:
        return requests.get(url, timeout=5).status_code != 200
    except requests.ConnectionError:
        return True
