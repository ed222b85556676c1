"""One line of JSON about every request of a production server, and nothing personal in it."""

import json
import os
import re
import socket
import sqlite3
from contextlib import closing

import pytest
import requests
from werkzeug.test import EnvironBuilder, run_wsgi_app

from contactapp import clock, request_log
from contactapp.config import load
from tests.http.test_metrics import MARKER, until
from tests.support.cast import PASSWORD, Cast
from tests.support.command import contactapp, project
from tests.support.server import Server
from tests.test_start import production

KEYS = ["time", "level", "logger", "request_id", "method", "route", "status", "duration_ms"]
KEYS += ["bytes", "user_id"]
API = "/api/v1"


@pytest.fixture(scope="module")
def logging_app(new_app):
    return new_app("sqlite", REQUEST_LOG="true")


@pytest.fixture
def lines(capfd):
    """What was written about requests since the last call."""

    def read():
        found = capfd.readouterr().err.splitlines()
        return [json.loads(line) for line in found if '"contactapp.requests"' in line]

    read()
    return read


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A production server on a prepared database; limits are those of production."""
    folder = tmp_path_factory.mktemp("production")
    settings = production(project(folder), JOB_WORKER="false", BCRYPT_COST="10")
    settings["DATABASE_URL"] = f"sqlite:///{folder}/contactapp.sqlite3"
    settings["ANONYMOUS_RATE_LIMITS"] = "1000 per minute"
    assert contactapp(folder, settings, "db", "upgrade")[0] == 0
    del settings["BIND"]
    started = Server(folder, settings)
    yield started.start()
    started.stop()


def entries(server):
    """(every line of the log, what the lines about requests say)."""
    written = [json.loads(line) for line in server.log.read_text().splitlines()]
    return written, [line for line in written if line["logger"] == "contactapp.requests"]


def raw(server, request):
    """Send bytes as they are; the whole answer."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


# OB-1
def test_a_production_server_writes_what_was_asked_and_nothing_of_what_was_said(server):
    person = server.person(MARKER)
    http, url = person.http, server.url
    http.headers.update({"User-Agent": MARKER, "Referer": f"https://{MARKER}.example.com/"})
    headers = {**http.headers, "Content-Type": "application/json", "Connection": "close"}
    contact = person.post("/contacts", json={"first_name": MARKER, "email": f"{MARKER}@x.example"})
    said = [
        contact,
        person.get(f"/contacts/search?q={MARKER}"),
        person.get(f"/contacts/{contact.json()['id']}?{MARKER}=1"),
        person.request("PATCH", "/contacts/999", json={"first_name": MARKER}),
        person.post("/contacts", data=f'{{"{MARKER}', headers={"Content-Type": "application/json"}),
        requests.post(f"{url}{API}/contacts", data=MARKER.encode() * 200_000, headers=headers),
        http.put(f"{url}{API}/contacts", json={}),
        http.get(f"{url}/media/{MARKER}.png"),
        http.get(f"{url}/{MARKER}/{MARKER}?{MARKER}"),
        http.request(MARKER.upper(), f"{url}/healthz"),
        http.get(
            f"{url}/healthz", headers={"X-Request-ID": f"{MARKER} {MARKER}", "Cookie": MARKER}
        ),
        http.head(f"{url}{API}/contacts"),
        http.post(f"{url}{API}/users/me/export", json={"password": person.password}),
    ]
    refused = [
        raw(server, f"GET /{MARKER} {MARKER}\r\nHost: {MARKER}\r\n\r\n".encode()),
        raw(
            server,
            f"GET /{MARKER} HTTP/1.1\r\nHost: {MARKER}\r\nConnection: close\r\n\r\n".encode(),
        ),
    ]
    assert all(b" 400 " in answer.splitlines()[0] for answer in refused)
    until(lambda: len(entries(server)[1]) >= len(said) + 3)
    everything, about = entries(server)
    assert MARKER not in server.log.read_text().lower()
    assert person.password not in server.log.read_text()
    assert all(list(line) == KEYS for line in about)
    assert all(line["level"] in {"info", "warning"} for line in everything)
    by_id = {line["request_id"]: line for line in about}
    assert len(by_id) == len(about)
    for answer in said:
        line = by_id[answer.headers["X-Request-ID"]]
        assert (line["status"], line["bytes"]) == (answer.status_code, len(answer.content))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["duration_ms"] > 0
    found = [by_id[answer.headers["X-Request-ID"]] for answer in said]
    assert [(line["method"], line["route"], line["status"]) for line in found] == SAID
    mine = {line["user_id"] for line in found if line["route"].startswith(API)}
    assert mine == {person.user["id"]}
    assert {line["user_id"] for line in found if not line["route"].startswith(API)} == {None}


ONE = f"{API}/contacts/<id:contact_id>"
SAID = [
    ("POST", f"{API}/contacts", 201),
    ("GET", f"{API}/contacts/search", 200),
    ("GET", ONE, 400),
    ("PATCH", ONE, 404),
    ("POST", f"{API}/contacts", 400),
    ("POST", f"{API}/contacts", 413),
    ("PUT", "unknown", 405),
    ("GET", "/media/<file_name>", 404),
    ("GET", "unknown", 404),
    ("unknown", "unknown", 405),
    ("GET", "/healthz", 200),
    ("HEAD", f"{API}/contacts", 200),
    ("POST", f"{API}/users/me/export", 200),
]


# OB-1, OB-3
def test_a_request_that_fails_has_its_line_too(server):
    person = server.person()
    path = server.database.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as other:
        other.execute("ALTER TABLE contact RENAME TO gone")
        answer = person.get("/contacts")
        other.execute("ALTER TABLE gone RENAME TO contact")
    assert answer.status_code == 500
    line = [
        line for line in entries(server)[1] if line["request_id"] == answer.headers["X-Request-ID"]
    ]
    assert [(one["route"], one["status"]) for one in line] == [(f"{API}/contacts", 500)]
    assert "Traceback" not in answer.text
    assert person.get("/contacts").status_code == 200


def test_the_whole_line(logging_app, lines, monkeypatch):
    alice = Cast(logging_app).alice
    lines()
    monkeypatch.setattr(clock, "now_ms", lambda: 1_800_000_000_007)
    monkeypatch.setattr(request_log, "perf_counter", lambda: 12.5)
    monkeypatch.setattr("contactapp.envelope.perf_counter", lambda: 12.4987654)
    answer = logging_app.test_client().get("/", headers={"X-Request-ID": "mine"})
    assert lines() == [
        {
            "time": "2027-01-15T08:00:00.007Z",
            "level": "info",
            "logger": "contactapp.requests",
            "request_id": "mine",
            "method": "GET",
            "route": "/",
            "status": 200,
            "duration_ms": 1.235,
            "bytes": len(answer.data),
            "user_id": None,
        }
    ]
    assert alice.name not in json.dumps(lines())


def test_bytes_are_those_of_the_body(logging_app, lines):
    alice = Cast(logging_app).alice
    tag = alice.get("/users/me").headers["ETag"]
    lines()
    answers = [
        alice.request("HEAD", "/contacts"),
        alice.get("/users/me", headers={"If-None-Match": tag}),
        alice.delete(f"/contacts/{alice.contact()['id']}"),
        alice.post("/users/me/export", json={"password": PASSWORD}),
    ]
    assert [answer.status_code for answer in answers] == [200, 304, 204, 200]
    whole = len(answers[3].data)
    answers[3].close()
    found = [line["bytes"] for line in lines() if line["status"] != 201]
    assert found == [0, 0, 0, whole]
    assert whole > 1000


def test_a_stream_that_is_broken_off_has_its_line(logging_app, lines):
    alice = Cast(logging_app).alice
    bearer = {"Authorization": f"Bearer {alice.access}"}
    asked = EnvironBuilder(
        f"{API}/users/me/export", method="POST", json={"password": PASSWORD}, headers=bearer
    )
    lines()
    body, _, _ = run_wsgi_app(logging_app, asked.get_environ())
    first = len(next(iter(body)))
    assert lines() == []
    body.close()
    [line] = lines()
    assert (line["status"], line["bytes"]) == (200, first)


def test_who_was_refused_has_a_line_without_a_name(logging_app, lines):
    logging_app.test_client().get(f"{API}/contacts", headers={"Authorization": f"Bearer {MARKER}"})
    [line] = lines()
    assert (line["status"], line["user_id"], line["route"]) == (401, None, f"{API}/contacts")


def test_a_log_that_nobody_takes_fails_no_request(logging_app, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(request_log, "_STANDARD_ERROR", writing)
    assert logging_app.test_client().get("/healthz").status_code == 200
    os.close(writing)


def test_development_writes_no_lines_unless_told_to(app, lines, tmp_path):
    assert app.test_client().get("/healthz").status_code == 200
    assert lines() == []
    quiet = production(tmp_path, REQUEST_LOG="false")
    loud = production(tmp_path)
    assert not load(quiet, environ={}).request_log
    assert load(loud, environ={}).request_log
