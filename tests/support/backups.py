"""Installations that are backed up, and the empty ones that they are restored to."""

from __future__ import annotations

import shutil
import zipfile
from io import BytesIO
from pathlib import Path

from contactapp.auth import erased
from contactapp.backup import creating, restoring, shelf
from contactapp.backup.archive import Reader, Writer
from contactapp.backup.source import key_of
from contactapp.config import load
from tests.conftest import FAST
from tests.support.cast import NOWHERE, PASSWORD, Person
from tests.support.command import key
from tests.support.pictures import PNG, picture

SECRETS = {
    "MASTER_KEYS": key("master"),
    "JWT_SECRETS": key("jwt"),
    "PASSWORD_PEPPERS": key("pepper"),
}


def back_up(app, path=None):
    """Make a backup; what was made."""
    with app.app_context():
        return creating.create(path)


class Place:
    """Where a backup is restored to: a database and an instance folder of its own."""

    def __init__(self, url, instance, **secrets):
        self.url, self.instance = url, Path(instance)
        given = {**FAST, **SECRETS, **secrets, "DATABASE_URL": url, "INSTANCE_PATH": str(instance)}
        self.given = given
        self.settings = load(given, environ={})

    def restore(self, path, *, force=False, lists=(), progress=lambda _: None):
        """Restore a backup; the report."""
        lists = list(lists)
        return restoring.restore(self.settings, Path(path), lists, force=force, progress=progress)

    def verify(self, path):
        """Verify a backup with this place's keys; the report."""
        return restoring.verify(self.settings, Path(path), lambda _: None)

    def files(self):
        """{path: content} of the instance folder, without locks and counts."""
        return {
            path: path.read_bytes()
            for path in self.instance.rglob("*")
            if path.is_file() and path.suffix not in {".lock", ".table"}
        }


def person_of(app, person):
    """The same person on a restored installation, signed in anew."""
    twin = object.__new__(Person)
    twin.__dict__.update(person.__dict__)
    twin.app = app
    twin.sign_in()
    return twin


def fill(person):
    """Something in every table that a person can write to."""
    contact = person.contact(first_name="Grace", last_name="Hopper", birthday="1906-12-09")
    person.patch(f"/contacts/{contact['id']}", json={"nickname": "Amazing"})
    person.delete(f"/contacts/{person.contact(first_name='Gone')['id']}")
    person.post(f"/contacts/{contact['id']}/notes", json={"body": "found the bug #moth"})
    person.post("/custom-fields", json={"key": "rank", "type": "text"})
    person.put("/data/kept", json={"value": {"a": [1, None, "ü"]}})
    path = f"/contacts/{contact['id']}/photo"
    assert person.put(path, data=picture(), headers=PNG).status_code == 201
    answer = person.put("/users/me/avatar", data=picture(colour=(1, 2, 3)), headers=PNG)
    assert answer.status_code < 300, answer.text
    assert person.post("/webhooks", json={"url": NOWHERE}).status_code == 201
    person.contact(first_name="Ada")
    return contact


def export(person):
    """{name: bytes} of everything about the person that a restore must not change."""
    answer = person.post("/users/me/export", json={"password": PASSWORD})
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(BytesIO(answer.data)) as archive:
        moving = {"sessions.json", "audit.json", "feeds.json", "tokens.json"}
        moving |= {"webhooks.json", "deliveries.json"}
        return {name: archive.read(name) for name in archive.namelist() if name not in moving}


def carry_list(source, target):
    """Take the list of erased people along, as an operator does."""
    shutil.copy(Path(source) / erased.NAME, Path(target) / erased.NAME)


def _same(head, body):
    return [(head, body)]


def rewritten(settings, path, folder, header=dict, frame=_same):
    """A copy of a backup with another header, or other frames for each: what only who has the key
    can make."""
    reader = Reader(Path(path))
    key, changed = key_of(reader, settings), Path(folder) / "changed.backup"
    with shelf.new_file(changed) as file:
        writer = Writer(file, header(dict(reader.header)), key)
        for head, body in reader.frames(key):
            for new, content in frame(head, bytes(body)):
                if new["kind"] == "manifest":
                    writer.close({k: v for k, v in new.items() if k != "kind"})
                else:
                    writer._frame(new, content)
    return changed


def read_manifest(settings, path):
    """What a backup says at its end."""
    reader = Reader(Path(path))
    return reader.manifest(key_of(reader, settings))
